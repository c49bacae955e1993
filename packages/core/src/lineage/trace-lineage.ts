/**
 * Following lineage through the records: breadth first, one question to the store for each distance. A run that is reached
 * on several ways is one node, and circles end by themselves. How far it goes has a bound in both directions, and what is
 * left out is counted.
 */
import { FlowError } from "../errors/flow-error.ts";
import type { Lineage, LineageLink, LineageOptions, LineageRead, LineageRun } from "../events/lineage.ts";
import type { DeletedRecord } from "../events/run-record.ts";
import type { RunId } from "../ids/run-id.ts";
import type { LineageLinkRow, LineageReadRow, LineageRuns } from "../metadata/lineage-rows.ts";
import type { DeletedRun, MetadataReader, RunRow } from "../metadata/metadata-store.ts";
import { showOption } from "../util/show-option.ts";
import { runName } from "./run-name.ts";

/** Far enough for train, predict, report and what they stand on; a terminal shows it at once. */
export const LINEAGE_DEPTH = 5;
export const LINEAGE_LIMIT = 1_000;

/** Runs of one question: its rows are held in memory. */
const BATCH = 500;

/** What of the first run counts, when less than all of it is asked about. */
export interface FirstLinks {
  readonly artifact?: string;
  keepsRead?(read: LineageReadRow): boolean;
  keepsLink?(link: LineageLinkRow, hasReads: boolean): boolean;
}

/**
 * What a run was made from, or what was made from it.
 *
 * @throws FlowError FLOW_CLIENT_BAD_QUERY for a depth or limit that is none
 */
export async function traceLineage(
  metadata: MetadataReader,
  root: RunRow,
  options: LineageOptions = {},
  first: FirstLinks = {},
): Promise<Lineage> {
  const { direction = "up", depth = LINEAGE_DEPTH, limit = LINEAGE_LIMIT } = options;
  if (direction !== "up" && direction !== "down")
    throw new FlowError("FLOW_CLIENT_BAD_QUERY", {
      message: `Cannot follow lineage with the direction ${showOption(direction)}`,
      hint: "Give up or down",
    });
  checkNumber("depth", depth, 0);
  checkNumber("limit", limit, 1);
  const depths = new Map<RunId, number>([[root.id, 0]]);
  const behind = new Map<RunId, Set<RunId>>();
  const links = new Map<string, MutableLink>();
  let frontier: readonly RunId[] = [root.id];
  for (let distance = 0; frontier.length > 0; distance++) {
    const next: RunId[] = [];
    for (let start = 0; start < frontier.length; start += BATCH) {
      const runs = frontier.slice(start, start + BATCH);
      const artifact = distance === 0 ? first.artifact : undefined;
      const rows = await metadata.lineage({ runs, direction, ...(artifact === undefined ? {} : { artifact }) });
      for (const link of linksOf(rows, distance === 0 ? first : {})) {
        const [near, far] = direction === "up" ? [link.to, link.from] : [link.from, link.to];
        if (near === far) continue;
        if (!depths.has(far) && (distance === depth || depths.size >= limit)) {
          const left = behind.get(near) ?? new Set();
          behind.set(near, left.add(far));
          continue;
        }
        if (!depths.has(far)) {
          depths.set(far, distance + 1);
          next.push(far);
        }
        addLink(links, link);
      }
    }
    if (distance === depth) break;
    frontier = next;
  }
  const runs = await describeRuns(metadata, root, depths, behind);
  return {
    schema: 1,
    direction,
    root: root.id,
    depth,
    limit,
    isWhole: behind.size === 0,
    runs,
    links: [...links.values()].map(({ reads, ...link }) => ({ ...link, reads: [...reads].sort(byArtifact) })),
  };
}

type FoundLink = Omit<LineageLink, "from" | "to"> & { readonly from: RunId; readonly to: RunId };
type MutableLink = Omit<FoundLink, "reads"> & { readonly reads: LineageRead[] };

/** Links with what was read along them; a read that belongs to no link is one of its own. */
function* linksOf(
  { links, reads }: { readonly links: readonly LineageLinkRow[]; readonly reads: readonly LineageReadRow[] },
  { keepsRead, keepsLink }: FirstLinks,
): Generator<FoundLink> {
  const kept = keepsRead === undefined ? reads : reads.filter((read) => keepsRead(read));
  const byLink = Map.groupBy(kept, (read) => keyOf({ ...read, kind: "upstream", name: read.upstream }));
  for (const row of links) {
    const found = row.kind === "upstream" ? (byLink.get(keyOf(row)) ?? []) : [];
    if (keepsLink !== undefined && !keepsLink(row, found.length > 0)) continue;
    if (row.kind === "upstream") byLink.delete(keyOf(row));
    const { from, to, kind } = row;
    yield {
      from,
      to,
      kind,
      ...(row.kind === "upstream" ? { name: row.name, selector: row.selector } : {}),
      ...(row.kind === "call" || row.kind === "start"
        ? { task: row.path === "" ? row.step : `${row.step}/${row.path}` }
        : {}),
      ...(row.kind === "cache" ? { tasks: row.tasks } : {}),
      reads: found.map(toRead),
    };
  }
  for (const group of byLink.values()) {
    const { from, to, upstream } = group[0]!;
    yield {
      from,
      to,
      kind: "read",
      ...(upstream === undefined ? {} : { name: upstream }),
      reads: group.map(toRead),
    };
  }
}

function keyOf({
  from,
  to,
  kind,
  name,
}: {
  from: string;
  to: string;
  kind: string;
  name?: string | undefined;
}): string {
  return `${from} ${to} ${kind} ${name ?? ""}`;
}

/** One call of several that led to the same run is enough: a retried task finds the run that it started. */
function addLink(links: Map<string, MutableLink>, { reads, ...link }: FoundLink): void {
  const key = keyOf(link);
  if (!links.has(key)) links.set(key, { ...link, reads: [...reads] });
}

function toRead({ artifact, codec, digest, tasks, steps, task }: LineageReadRow): LineageRead {
  return { artifact, codec, digest, tasks, steps, task };
}

async function describeRuns(
  metadata: MetadataReader,
  root: RunRow,
  depths: ReadonlyMap<RunId, number>,
  behind: ReadonlyMap<RunId, ReadonlySet<RunId>>,
): Promise<readonly LineageRun[]> {
  const ids = [...depths.keys()];
  const described = new Map<RunId, Omit<LineageRun, "depth" | "more">>();
  const namesThere = new Map((root.imported?.references ?? []).map(({ id, run }) => [id, run]));
  for (let start = 0; start < ids.length; start += BATCH) {
    const { runs, deleted, values } = await metadata.lineageRuns(ids.slice(start, start + BATCH));
    const given = Map.groupBy(values, ({ run }) => run);
    for (const run of runs) {
      for (const { id, run: name } of run.imported?.references ?? []) namesThere.set(id, name);
      described.set(run.id, describeRun(run, given.get(run.id) ?? []));
    }
    for (const run of deleted) described.set(run.id, describeDeletedRun(run));
  }
  return ids.map((id) => {
    const more = behind.get(id)?.size;
    const there = namesThere.get(id);
    return {
      ...(described.get(id) ?? { id, isHere: false, ...(there === undefined ? {} : { run: there }) }),
      depth: depths.get(id)!,
      ...(more === undefined ? {} : { more }),
    };
  });
}

function describeRun(run: RunRow, values: LineageRuns["values"]): Omit<LineageRun, "depth"> {
  return {
    id: run.id,
    run: runName(run),
    flow: `${run.flow.project}/${run.flow.name}`,
    isHere: true,
    status: run.status,
    createdAt: run.createdAt.toISOString(),
    ...(run.finishedAt === undefined ? {} : { finishedAt: run.finishedAt.toISOString() }),
    tags: run.tags,
    ...(run.packageDigest === undefined ? {} : { codePackage: run.packageDigest }),
    parameters: run.parameters,
    ...(run.secretParameters.length === 0 ? {} : { secretParameters: run.secretParameters }),
    data: values.map(({ name, kind, codec, digest, sizeBytes }) => ({ name, kind, codec, digest, sizeBytes })),
  };
}

function describeDeletedRun(run: DeletedRun): Omit<LineageRun, "depth"> {
  const { deletedAt, actor, host, via, reason } = run;
  const deleted: DeletedRecord = {
    at: deletedAt.toISOString(),
    actor,
    host,
    via,
    ...(reason === undefined ? {} : { reason }),
  };
  return {
    id: run.id,
    run: runName(run),
    flow: `${run.flow.project}/${run.flow.name}`,
    isHere: false,
    status: run.status,
    createdAt: run.createdAt.toISOString(),
    deleted,
  };
}

function byArtifact(left: LineageRead, right: LineageRead): number {
  if (left.artifact !== right.artifact) return left.artifact < right.artifact ? -1 : 1;
  return left.digest < right.digest ? -1 : left.digest > right.digest ? 1 : 0;
}

function checkNumber(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new FlowError("FLOW_CLIENT_BAD_QUERY", {
    message: `Cannot follow lineage with the ${name} ${value}`,
    hint: `Give a whole number from ${least}`,
  });
}
