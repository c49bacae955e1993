/**
 * From a flow and a request to a run: the only place where all rooms meet. In order: check the graph, load the package,
 * resolve fields and upstreams, create the run with everything that is pinned, drive it, finish it. All that can be
 * refused is refused before the run is created; from then on the run's record says what happened.
 */
import { availableParallelism } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { EncodedArtifact, NewBlob } from "../artifact/artifact.ts";
import type { ArtifactStore } from "../artifact/artifact-store.ts";
import { encodeValue } from "../artifact/value-codec.ts";
import { runRecord } from "../client/run-record.ts";
import { type Environment, resolveConfig } from "../config/config.ts";
import { readEnvironmentRecord } from "../config/environment-record.ts";
import { readProcessIdentity } from "../config/process-identity.ts";
import { FlowError, isFlowError, type Problem, problemsError, serializeError } from "../errors/flow-error.ts";
import type { RunEvent } from "../events/run-event.ts";
import { constantsOf } from "../flow/bind-flow.ts";
import type { Flow } from "../flow/flow.ts";
import { lateTagsOf } from "../flow/late-tags.ts";
import type { FlowClass } from "../flow/public-types.ts";
import { type FieldSources, type ResolvedField, resolveFields } from "../flow/resolve-fields.ts";
import { checkGraph } from "../graph/check-graph.ts";
import { newRunId } from "../ids/run-id.ts";
import { normalTags, tagProblems } from "../lineage/check-tags.ts";
import { describeSelector } from "../lineage/describe-selector.ts";
import { type ResolvedUpstream, resolveUpstreams, type UpstreamRequest } from "../lineage/resolve-upstreams.ts";
import { runName } from "../lineage/run-name.ts";
import type { MetadataStore, NewRunValue, RunRow } from "../metadata/metadata-store.ts";
import { displayPath } from "../package/display-path.ts";
import type { FlowPackage, PackagedFlow } from "../package/flow-package.ts";
import { loadPackage } from "../package/load-package.ts";

import { driveRun, type RunDriverOptions, type RunEnd } from "../runner/run-driver.ts";
import { openThreadExecutor } from "../runner/thread-executor.ts";
import type { OpenStores } from "./open-stores.ts";
import type { PlannedStores } from "./plan-stores.ts";
import type { RunSignals } from "./running.ts";
import { type Heartbeat, startHeartbeat } from "./start-heartbeat.ts";
import { storePackage } from "./store-package.ts";
import type { TaskWorkerData } from "./worker-data.ts";

export interface StartRunRequest {
  readonly package: FlowPackage;
  readonly flow: PackagedFlow;
  /** Opened when nothing but the store itself can refuse the run any more. */
  readonly stores: Pick<PlannedStores, "location" | "open">;
  /** Flags of parameters, configs and files, as given. */
  readonly fields: Pick<FieldSources, "flags" | "paramsFile" | "values">;
  readonly tags: readonly string[];
  /** By name of the upstream. */
  readonly upstreams: Readonly<Record<string, UpstreamRequest>>;
  /** Workers at most; default the number of processors, at least 2. */
  readonly maxWorkers?: number;
  /** Whether an upstream that several runs match is an error. */
  readonly strict?: boolean;
  readonly cwd: string;
  readonly environment: Environment;
  /** Recorded with the run; secrets are left out. */
  readonly command: readonly string[];
  readonly readFile: (path: string) => Promise<Uint8Array>;
}

/**
 * Runs a flow.
 *
 * @returns the finished run; a failed or cancelled run is a result, not an error
 * @throws FlowError for everything that is refused before the run exists, and when the store fails
 */
export async function startRun(
  request: StartRunRequest,
  emit: (event: RunEvent) => void,
  signals: RunSignals,
): Promise<RunRow> {
  const { flow } = request;
  const config = resolveConfig({ cwd: request.cwd, environment: request.environment });
  const secretFlags = flow.definition.params.filter((param) => param.secret).map((param) => param.flag);
  const environment = readEnvironmentRecord({
    config,
    environment: request.environment,
    command: request.command,
    secretFlags,
    gitFolder: request.package.root,
  });
  environment.catch(() => {}); // Awaited below, unless the run is refused before.
  const graph = checkGraph(flow.definition);
  const tags = normalTags(request.tags);
  const slots = request.maxWorkers ?? Math.max(2, availableParallelism());
  const executor = openThreadExecutor({ file: workerFile(), data: { ...workerData(request) }, slots });
  executor.catch(() => {});
  let heartbeat: Heartbeat | undefined;
  try {
    const flowClass = (await loadPackage(request.package))[flow.exportName] as FlowClass<Flow>;
    const fields = await resolveFields(flowClass, {
      ...request.fields,
      environment: request.environment,
      readFile: request.readFile,
    });
    const problems = [...fields.problems, ...tagProblems(tags)];
    if (problems.length > 0) {
      const file = displayPath(path.join(request.package.root, request.package.manifest.entry));
      const hint = `Type flow run ${file} --help to see what each parameter takes`;
      throw problemsError(`Cannot run ${flow.definition.name}`, problems, fields.problems.length > 0 ? { hint } : {});
    }
    const encoded = encodeRunValues(flowClass, fields.fields);
    refuseCancelled(signals.stop, flow.definition.name);
    const stores = await request.stores.open();
    const { metadata } = stores;
    const { upstreams, warnings } = await resolveUpstreams({
      metadata,
      definitions: flow.definition.upstreams,
      requests: request.upstreams,
      lateTags: lateTagsOf(flowClass, fields.fields),
      now: new Date(),
      strict: request.strict ?? false,
      project: flow.definition.project,
    });
    refuseCancelled(signals.stop, flow.definition.name);
    const workers = await executor;
    const pack = storePackage(request.package, stores.artifacts);
    await metadata.putPackage(pack);
    const { values, blobs } = storeRunValues(encoded, stores.artifacts);
    const row = await metadata.createRun({
      id: newRunId(),
      flow: { project: flow.definition.project, name: flow.definition.name },
      formerly: flow.definition.formerly,
      createdAt: new Date(),
      tags,
      systemTags: [],
      parameters: Object.fromEntries(
        fields.fields
          .filter((field) => !field.secret && field.kind === "parameter")
          .map((field) => [field.name, field.encoded]),
      ),
      secretParameters: fields.fields.filter((field) => field.secret).map((field) => field.name),
      values,
      blobs,
      packageDigest: pack.digest,
      environment: await environment,
      upstreams,
      actor: config.actor,
      host: config.host,
      execution: {
        runner: readProcessIdentity(),
        command: (await environment).command,
        options: { maxWorkers: slots, strict: request.strict ?? false },
      },
    });
    const execution = row.execution.number;
    heartbeat = startHeartbeat({ databaseFile: request.stores.location.databaseFile, run: row.sequence, execution });
    announce(row, stores, upstreams, warnings, emit);
    const end = await driveOrFail(metadata, row, {
      graph,
      run: {
        id: row.id,
        sequence: row.sequence,
        name: runName(row),
        flow: row.flow.name,
        project: row.flow.project,
        tags: row.tags,
        createdAt: row.createdAt,
        secrets: Object.fromEntries(
          fields.fields.filter((field) => field.secret).map((field) => [field.name, field.value]),
        ),
      },
      execution,
      metadata,
      executor: workers,
      emit,
      signal: signals.stop,
      endNow: signals.endNow,
    });
    const finished = await metadata.finishRun({ ...end, execution, finishedAt: new Date() });
    if (!stores.isInPlace()) throw storeGone(stores.folder, runName(row));
    const durationMs = finished.finishedAt!.getTime() - finished.createdAt.getTime();
    emit({
      kind: "run.finished",
      at: finished.finishedAt!,
      status: end.status,
      durationMs,
      record: await runRecord(metadata, finished),
    });
    return finished;
  } finally {
    await heartbeat?.stop();
    await executor.then(
      (opened) => opened.close(),
      () => {},
    );
  }
}

/** SQLite writes on in a file that somebody has deleted: without this, a run would end well and be nowhere. */
function storeGone(folder: string, run: string): FlowError {
  return new FlowError("FLOW_CLIENT_STORE_GONE", {
    message: `Cannot keep ${run}: the store in "${folder}" was deleted or replaced while it ran`,
    hint: "Restore the store from a copy, or run again",
    context: { folder, run },
  });
}

/** Drives the run; when Millrace or its store fails on the way, the run is recorded as failed where that is still possible. */
async function driveOrFail(metadata: MetadataStore, row: RunRow, options: RunDriverOptions): Promise<RunEnd> {
  try {
    return await driveRun(options);
  } catch (error) {
    const failure = { error: serializeError(error) };
    const finish = { run: row.sequence, execution: options.execution, finishedAt: new Date() };
    await metadata.finishRun({ ...finish, status: "failed", failure }).catch(() => {}); // The first error is the one to tell.
    throw error;
  }
}

function workerData(request: StartRunRequest): TaskWorkerData {
  const { folder, root, manifest } = request.package;
  return {
    package: { folder, root, manifest },
    exportName: request.flow.exportName,
    store: request.stores.location,
    cwd: request.cwd,
  };
}

/** The worker's entry lies beside the chunk that this code was built into, or in the folder above it. */
function workerFile(): string {
  return fileURLToPath(import.meta.resolve("@millrace/core/worker"));
}

/** A run was cancelled before anything was written of it. */
function refuseCancelled(signal: AbortSignal, flow: string): void {
  if (!signal.aborted) return;
  throw new FlowError("FLOW_RUN_CANCELLED", { message: `${flow} was cancelled before it began`, cause: signal.reason });
}

type EncodedRunValue = Pick<NewRunValue, "name" | "kind"> & { readonly encoded: EncodedArtifact };

/** Parameters, configs, files and constants, encoded once: every task sees them. Secrets are never among them. */
function encodeRunValues(flowClass: FlowClass<Flow>, fields: readonly ResolvedField[]): readonly EncodedRunValue[] {
  const values: EncodedRunValue[] = [];
  const problems: Problem[] = [];
  const encode = (name: string, kind: NewRunValue["kind"], value: unknown): void => {
    try {
      values.push({ name, kind, encoded: encodeValue(value, { path: `this.${name}` }) });
    } catch (error) {
      if (!isFlowError(error)) throw error;
      problems.push({
        code: error.code,
        message: error.message,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      });
    }
  };
  for (const field of fields) if (!field.secret) encode(field.name, field.kind, field.value);
  for (const [name, value] of Object.entries(constantsOf(flowClass))) encode(name, "constant", value);
  if (problems.length > 0) throw problemsError("Cannot keep the values of the run", problems);
  return values;
}

function storeRunValues(
  encoded: readonly EncodedRunValue[],
  artifacts: ArtifactStore,
): { readonly values: readonly NewRunValue[]; readonly blobs: readonly NewBlob[] } {
  const blobs = new Map<string, NewBlob>();
  const values = encoded.map(({ name, kind, encoded: value }): NewRunValue => {
    if (!blobs.has(value.digest)) blobs.set(value.digest, artifacts.storeSync(value));
    return { name, kind, codec: value.codec, digest: value.digest, sizeBytes: value.sizeBytes };
  });
  return { values, blobs: [...blobs.values()] };
}

function announce(
  row: RunRow,
  stores: OpenStores,
  upstreams: readonly ResolvedUpstream[],
  warnings: readonly Problem[],
  emit: (event: RunEvent) => void,
): void {
  const at = row.createdAt;
  emit({
    kind: "run.created",
    at,
    run: runName(row),
    runId: row.id,
    flow: `${row.flow.project}/${row.flow.name}`,
    tags: row.tags,
    store: stores.folder,
    storeIsNew: stores.isNew,
  });
  for (const upstream of upstreams) {
    if (upstream.run === undefined) continue;
    emit({
      kind: "run.upstream",
      at,
      name: upstream.name,
      selector: describeSelector(upstream.selector),
      run: runName(upstream.run),
      runId: upstream.run.id,
      candidates: upstream.candidates,
    });
  }
  for (const { code, message, hint } of warnings)
    emit({ kind: "run.warning", at, code, message, ...(hint === undefined ? {} : { hint }) });
}
