/** What the planner is told: of the run that stopped, from its records; of what it would go on with, as it was prepared. */
import { changedRecord, refuseChanged } from "../../lineage/changed-records.ts";
import { runName } from "../../lineage/run-name.ts";
import type { ResumeOrigin, ResumePlan, ResumeTarget, ValueFact } from "../../runner/resume/plan-resume.ts";
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
  return {
    name: runName(row),
    status: row.status,
    runner: { host: row.execution.runner.host, pid: row.execution.runner.pid },
    ...(row.packageDigest === undefined ? {} : { packageDigest: row.packageDigest }),
    flow: before,
    finished,
    values: new Map<string, ValueFact>(facts),
    upstreams,
  };
}

/**
 * Refuses to go on by records that are not those that were written: those of the run itself, and of the tasks that are kept.
 *
 * @throws FlowError FLOW_METADATA_CHANGED_RECORDS
 */
export async function checkKept({ metadata }: OpenStores, { row }: ResumeSubject, plan: ResumePlan): Promise<void> {
  const exceptSteps = plan.kind === "fork" ? plan.exceptSteps : [];
  const name = runName(row);
  const ofRun = await metadata.recordFaults(row.sequence, "run");
  const ofTasks = await metadata.recordFaults(row.sequence, { exceptSteps });
  refuseChanged(
    [
      ...ofRun.map((fault) => changedRecord(row, fault)),
      ...ofTasks.map((fault) => changedRecord(row, fault, `run that step again: flow resume ${name} --from STEP`)),
    ],
    `Cannot go on with ${name}`,
  );
}
