/** Records that are not those which were written: what is read by them would be something else, under the same name. */
import { type Problem, problemsError } from "../errors/flow-error.ts";
import type { MetadataReader, RunRow, TaskSequence } from "../metadata/metadata-store.ts";
import { runName } from "./run-name.ts";

type Records = Pick<MetadataReader, "recordFaults">;

/**
 * What is wrong with the records by which artifacts of a run are found; empty when nothing is.
 *
 * @param task the task whose artifacts are meant; absent for what the run was given
 */
export async function changedRecords(metadata: Records, run: RunRow, task?: TaskSequence): Promise<readonly Problem[]> {
  const faults = [
    ...(await metadata.recordFaults(run.sequence, "run")),
    ...(task === undefined ? [] : await metadata.recordFaults(run.sequence, task)),
  ];
  return faults.map((message) => changedRecord(run, message));
}

/** @throws FlowError FLOW_METADATA_CHANGED_RECORDS, with all that is wrong */
export async function refuseChangedRecords(
  metadata: Records,
  run: RunRow,
  task: TaskSequence | undefined,
  doing: string,
): Promise<void> {
  refuseChanged(await changedRecords(metadata, run, task), doing);
}

export function refuseChanged(problems: readonly Problem[], doing: string): void {
  if (problems.length > 0) throw problemsError(`${doing}: records are not those that were written`, problems);
}

export function changedRecord(run: RunRow, message: string, otherwise = "run the flow again"): Problem {
  return {
    code: "FLOW_METADATA_CHANGED_RECORDS",
    message,
    hint: `See with flow validate ${runName(run)} what was changed; put the store back from a copy, or ${otherwise}`,
  };
}
