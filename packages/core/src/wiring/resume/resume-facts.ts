/** What the planner is told: of the run that stopped, from its records; of what it would go on with, as it was prepared. */
import { runName } from "../../lineage/run-name.ts";
import type { ResumeOrigin, ResumeTarget, ValueFact } from "../../runner/resume/plan-resume.ts";
import type { OpenStores } from "../open-stores.ts";
import type { PreparedRun } from "../prepare-run.ts";
import type { PinnedUpstreams } from "./pinned-upstreams.ts";
import type { ResumeSubject } from "./resume-package.ts";

export function targetOf({ package: pack }: ResumeSubject, prepared: PreparedRun, pins: PinnedUpstreams): ResumeTarget {
  const values = prepared.values.map(
    ({ name, kind, encoded: { codec, digest } }) => [name, { kind, codec, digest }] as const,
  );
  return {
    packageDigest: pack.digest,
    graph: prepared.graph,
    values: new Map<string, ValueFact>(values),
    upstreams: new Map(pins.upstreams.map(({ name, producer }) => [name, producer])),
  };
}

export async function originOf(
  { metadata }: OpenStores,
  { row, before }: ResumeSubject,
  target: ResumeTarget,
): Promise<ResumeOrigin> {
  const [finished, values, pins] = await Promise.all([
    metadata.finishedTasks(row.sequence),
    metadata.runValues(row.sequence),
    metadata.upstreams(row.sequence),
  ]);
  const isSame = row.packageDigest === target.packageDigest;
  const facts = values
    // Constants of the same code are what they were, also where an initialiser asks the clock.
    .filter(({ kind }) => !isSame || kind !== "constant")
    .map(({ name, kind, codec, digest }) => [name, { kind, codec, digest }] as const);
  const upstreams = new Map<string, string | undefined>(pins.map(({ name, producer }) => [name, producer]));
  const isMoved = [...upstreams].some(
    ([name, run]) => target.upstreams.has(name) && target.upstreams.get(name) !== run,
  );
  return {
    name: runName(row),
    status: row.status,
    runner: { host: row.execution.runner.host, pid: row.execution.runner.pid },
    ...(row.packageDigest === undefined ? {} : { packageDigest: row.packageDigest }),
    flow: before,
    finished,
    values: new Map<string, ValueFact>(facts),
    upstreams,
    upstreamReaders: isMoved ? await readersOf({ metadata }, row, finished) : new Map(),
  };
}

/** Steps by the upstream that their finished tasks read from; looked up only when an upstream leads elsewhere now. */
async function readersOf(
  { metadata }: Pick<OpenStores, "metadata">,
  row: ResumeSubject["row"],
  finished: ResumeOrigin["finished"],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const stepOf = new Map(finished.sequences.map((sequence, index) => [sequence, finished.steps[index]!]));
  const readers = new Map<string, Set<string>>();
  for (const { task, upstream } of await metadata.reads(row.sequence)) {
    const step = stepOf.get(task);
    if (step === undefined || upstream === undefined) continue;
    const field = upstream.split(".", 1)[0]!; // `model.upstreams.source` is reached through `model`.
    readers.set(field, (readers.get(field) ?? new Set()).add(step));
  }
  return readers;
}
