import type {
  ArtifactRecord,
  DeletedRecord,
  ExecutionRecord,
  ImportRecord,
  MetricRecord,
  RunRecord,
  SignatureRecord,
  TagRequestRecord,
  UpstreamRecord,
} from "../events/run-record.ts";
import type { RunId } from "../ids/run-id.ts";
import { runName } from "../lineage/run-name.ts";
import { parseUpstreamPath } from "../lineage/upstream-path.ts";
import type {
  ArtifactRow,
  DeletedRun,
  MetadataReader,
  RunRow,
  RunSignature,
  TagRequest,
  UpstreamRead,
  UpstreamRow,
} from "../metadata/metadata-store.ts";
import type { RunMetricRow } from "../metadata/metric.ts";
import { readStatement } from "../metadata/run-signature.ts";
import { readManifest } from "../metadata/stored-columns.ts";
import { elapsedMs } from "../util/elapsed.ts";

/**
 * The whole record of a run as plain JSON: what `flow show --json` prints and what the last event of a run carries.
 * Lists are in a fixed order, so that two records of one run compare equal as text.
 */
export async function runRecord(metadata: MetadataReader, run: RunRow): Promise<RunRecord> {
  const [edges, reads, values, visible, counts, children, metrics, requests, signatures] = await Promise.all([
    metadata.upstreams(run.sequence),
    metadata.reads(run.sequence),
    metadata.runValues(run.sequence),
    run.endTask === undefined ? [] : metadata.visibleArtifacts(run.endTask),
    metadata.taskCounts(run.sequence),
    childrenOf(metadata, run),
    metadata.runMetrics(run.sequence),
    metadata.tagRequests(run.sequence),
    metadata.signatures(run.sequence),
  ]);
  const upstreams: UpstreamRecord[] = [];
  for (const edge of [...edges, ...furtherUp(edges, reads)])
    upstreams.push(await upstreamRecord(metadata, edge, reads, run));
  const pack = run.packageDigest === undefined ? undefined : await packageEntry(metadata, run);
  const byStatus: Record<string, number> = {};
  let attempts = 0;
  let cached = 0;
  for (const row of counts) {
    cached += row.cached;
    byStatus[row.status] = (byStatus[row.status] ?? 0) + row.count;
    attempts += row.attempts;
  }

  return {
    schema: 1,
    id: run.id,
    run: runName(run),
    flow: { project: run.flow.project, name: run.flow.name },
    status: run.status,
    createdAt: run.createdAt.toISOString(),
    ...(run.startedAt === undefined ? {} : { startedAt: run.startedAt.toISOString() }),
    ...(run.finishedAt === undefined
      ? {}
      : {
          finishedAt: run.finishedAt.toISOString(),
          durationMs: elapsedMs(run.startedAt ?? run.createdAt, run.finishedAt),
        }),
    tags: run.tags,
    ...(requests.length === 0
      ? {}
      : { tagRequests: await Promise.all(requests.map((request) => requestRecord(metadata, run, request))) }),
    ...(signatures.length === 0 ? {} : { signatures: signatures.map(signatureRecord) }),
    systemTags: run.systemTags,
    parameters: run.parameters,
    secretParameters: run.secretParameters,
    upstreams,
    artifacts: [
      ...visible.map((row): ArtifactRecord => artifactRecord("artifact", row)),
      ...values.map((row): ArtifactRecord => artifactRecord(row.kind, row)),
    ].sort(byName),
    ...(metrics.length === 0 ? {} : { metrics: metrics.map(metricRecord) }),
    tasks: {
      total: Object.values(byStatus).reduce((sum, count) => sum + count, 0),
      byStatus,
      attempts,
      ...(cached === 0 ? {} : { cached }),
    },
    ...(run.failure === undefined ? {} : { failure: run.failure }),
    execution: executionRecord(run),
    ...(run.origin === undefined ? {} : { origin: await pointer(metadata, run.origin) }),
    ...(run.parent === undefined ? {} : { parent: await pointer(metadata, run.parent) }),
    ...(run.imported === undefined ? {} : { imported: importRecord(run.imported) }),
    ...(children === undefined ? {} : { children }),
    environment: run.environment,
    ...(pack === undefined ? {} : { codePackage: pack }),
  };
}

/**
 * Runs further up that tasks read through an upstream (`this.model.upstreams.source.data`): no edges of this run, but what
 * was read from them belongs into its record. They follow the pinned run, as `sameAs` does.
 */
function furtherUp(edges: readonly UpstreamRow[], reads: readonly UpstreamRead[]): readonly PinnedUpstream[] {
  const found = new Map<string, PinnedUpstream>();
  for (const read of reads) {
    const path = read.upstream === undefined ? [] : parseUpstreamPath(read.upstream);
    const first = edges.find((edge) => edge.name === path[0]);
    if (read.upstream === undefined || path.length < 2 || first === undefined) continue;
    found.set(read.upstream, {
      name: read.upstream,
      selector: { kind: "sameAs", path },
      producer: read.producer,
      candidateCount: 1,
      candidates: [],
      resolvedAt: first.resolvedAt,
    });
  }
  return [...found.values()].sort(byName);
}

/** Who says to have signed it: whether that is so, `flow signatures` says with a public key. */
function signatureRecord({ keyId, statement }: RunSignature): SignatureRecord {
  const said = readStatement(statement);
  return { keyId, ...(said === undefined ? {} : { at: said.at, actor: said.actor, host: said.host }) };
}

/** An upstream edge, or one that is derived; then its flow is that of its run. */
type PinnedUpstream = Omit<UpstreamRow, "run" | "flow"> & { readonly flow?: UpstreamRow["flow"] };

async function upstreamRecord(
  metadata: MetadataReader,
  edge: PinnedUpstream,
  reads: readonly UpstreamRead[],
  { imported }: RunRow,
): Promise<UpstreamRecord> {
  const producer = edge.producer === undefined ? undefined : await metadata.runById(edge.producer);
  const deleted =
    producer !== undefined || edge.producer === undefined ? undefined : await metadata.deletedRun(edge.producer);
  const named = producer ?? deleted;
  const identity = edge.flow ?? named?.flow ?? { name: "" };
  const flow = "project" in identity ? `${identity.project}/${identity.name}` : identity.name;
  const there = producer === undefined ? imported?.references.find(({ id }) => id === edge.producer)?.run : undefined;
  // Many tasks of a foreach read the same artifact: it is named once, and a second digest under one name would show.
  const distinct = new Map<string, UpstreamRecord["reads"][number]>();
  for (const read of reads) {
    if (read.upstream === edge.name)
      distinct.set(`${read.artifact} ${read.codec} ${read.digest}`, {
        name: read.artifact,
        codec: read.codec,
        digest: read.digest,
      });
  }
  return {
    name: edge.name,
    flow,
    selector: edge.selector,
    ...(named === undefined ? {} : { run: runName(named) }),
    ...(edge.producer === undefined ? {} : { runId: edge.producer }),
    ...(deleted === undefined ? {} : { deleted: deletedRecord(deleted) }),
    ...(there === undefined ? {} : { runThere: there }),
    candidateCount: edge.candidateCount,
    candidates: edge.flow === undefined && named !== undefined ? [runName(named)] : edge.candidates,
    resolvedAt: edge.resolvedAt.toISOString(),
    reads: [...distinct.values()].sort(byName),
  };
}

function importRecord({ store, run, at, actor, host }: NonNullable<RunRow["imported"]>): ImportRecord {
  return { store, run, at: at.toISOString(), actor, host };
}

async function requestRecord(
  metadata: MetadataReader,
  run: RunRow,
  { tag, status, actor, at, reason, why }: TagRequest,
): Promise<TagRequestRecord> {
  const from = status === "moved" ? await takenFrom(metadata, run, tag) : undefined;
  return {
    tag,
    status,
    actor,
    at: at.toISOString(),
    ...(reason === undefined ? {} : { reason }),
    ...(why === undefined ? {} : { why }),
    ...(from === undefined ? {} : { from }),
  };
}

/** The run that held a tag until this one got it, in the move that its request became. */
async function takenFrom(metadata: MetadataReader, run: RunRow, tag: string): Promise<string | undefined> {
  const events = await metadata.tagEvents({ run: run.id, tag });
  const from = events.find(({ verb, action }) => verb === "add" && action === "request")?.from;
  if (from === undefined) return undefined;
  const row = (await metadata.runById(from)) ?? (await metadata.deletedRun(from));
  return row === undefined ? from : runName(row);
}

function executionRecord({ execution }: RunRow): ExecutionRecord {
  const { number, runner, startedAt, heartbeatAt } = execution;
  return {
    number,
    host: runner.host,
    pid: runner.pid,
    startedAt: startedAt.toISOString(),
    heartbeatAt: heartbeatAt.toISOString(),
  };
}

/** A number as JSON has it: NaN and infinite ones as texts. */
export function jsonNumber(value: number): MetricRecord["value"] {
  return Number.isFinite(value) ? value : (String(value) as "NaN" | "Infinity" | "-Infinity");
}

function metricRecord({ name, value, step }: RunMetricRow): MetricRecord {
  return { name, value: jsonNumber(value), ...(step === undefined ? {} : { step }) };
}

const MOST_CHILDREN = 100;

async function childrenOf(metadata: MetadataReader, run: RunRow): Promise<RunRecord["children"]> {
  const rows = await metadata.childRuns(run.sequence, MOST_CHILDREN);
  if (rows.length === 0) return undefined;
  const count = rows.length < MOST_CHILDREN ? rows.length : await metadata.childRunCount(run.sequence);
  const runs = rows.map(({ id, status, parent, ...row }) => {
    const { step, path } = parent!;
    return { run: runName(row), runId: id, status, step, path };
  });
  return { count, runs };
}

/** A link to another run: its id, its alias where this store knows it, and the facts that come with the link. */
async function pointer<T extends { readonly run: RunId }>(
  metadata: MetadataReader,
  { run: runId, ...facts }: T,
): Promise<Omit<T, "run"> & { readonly run?: string; readonly runId: string; readonly deleted?: DeletedRecord }> {
  const row = await metadata.runById(runId);
  if (row !== undefined) return { run: runName(row), runId, ...facts };
  const deleted = await metadata.deletedRun(runId);
  if (deleted === undefined) return { runId, ...facts };
  return { run: runName(deleted), runId, deleted: deletedRecord(deleted), ...facts };
}

function deletedRecord({ deletedAt, actor, host, via, reason }: DeletedRun): DeletedRecord {
  return { at: deletedAt.toISOString(), actor, host, via, ...(reason === undefined ? {} : { reason }) };
}

function artifactRecord(
  kind: ArtifactRecord["kind"],
  { name, codec, digest, sizeBytes, gone }: ArtifactRow,
): ArtifactRecord {
  const record = { name, kind, codec, digest, sizeBytes };
  return gone === undefined ? record : { ...record, gone: { reason: gone.reason, at: gone.at.toISOString() } };
}

function byName(left: { readonly name: string }, right: { readonly name: string }): number {
  return left.name < right.name ? -1 : left.name > right.name ? 1 : 0;
}

/** The entry file of the run's code package; reading one needs a store that keeps packages, which a bare reader may not. */
async function packageEntry(
  metadata: MetadataReader,
  run: RunRow,
): Promise<{ readonly digest: string; readonly entry: string } | undefined> {
  if (run.packageDigest === undefined) return undefined;
  const pack = await metadata.package(run.packageDigest);
  if (pack === undefined) return undefined;
  const manifest = readManifest<{ readonly entry?: string }>(pack.manifest);
  return { digest: run.packageDigest, entry: manifest.entry ?? "" };
}
