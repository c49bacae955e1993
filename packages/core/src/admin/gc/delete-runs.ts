import { type Problem, problemsError } from "../../errors/flow-error.ts";
import type { DeletedBy, DeletionStore, KeepReason, KeptRun } from "../../metadata/deletion-store.ts";
import type { RunSequence } from "../../metadata/metadata-store.ts";
import { assertNever } from "../../util/assert-never.ts";
import { shellWord } from "../../util/shell-word.ts";

export interface DeleteRunsOptions {
  /** Whether runs that are lost may go, which could be resumed. Default false. */
  readonly withLost?: boolean;
  /** Say what would be done, and change nothing. */
  readonly dryRun?: boolean;
  readonly by: DeletedBy;
}

/**
 * Deletes runs by name: all of them, or none when something keeps one. Their values go with a later collection.
 *
 * @throws FlowError FLOW_GC_RUN_KEPT with every reason of every run
 */
export async function deleteRuns(
  records: DeletionStore,
  runs: readonly RunSequence[],
  { withLost = false, dryRun = false, by }: DeleteRunsOptions,
): Promise<{ readonly runs: number; readonly tasks: number }> {
  const choice = await records.choose({ kind: "runs", runs, withLost, protects: () => true });
  if (choice.kept.length > 0) throw keptError(choice.kept);
  if (dryRun) return { runs: choice.going.size, tasks: choice.tasks };
  const deleted = await records.deleteRuns(choice, by, () => {});
  if (deleted.left > 0) {
    // Something came up between the choice and the deletion: by now it is said by a new choice.
    const again = await records.choose({ kind: "runs", runs, withLost, protects: () => true });
    if (again.kept.length > 0) throw keptError(again.kept);
  }
  return { runs: deleted.runs, tasks: deleted.tasks };
}

function keptError(kept: readonly KeptRun[]): Error {
  const problems = kept.flatMap(({ run, because }) => because.map((reason) => problemOf(run, reason)));
  return problemsError(kept.length === 1 ? `Cannot delete ${kept[0]!.run}` : "Cannot delete these runs", problems);
}

function problemOf(run: string, reason: KeepReason): Problem {
  return { code: "FLOW_GC_RUN_KEPT", message: `${run} ${describeReason(reason)}`, hint: hintFor(run, reason) };
}

/** Why a run is kept, as the end of a sentence that begins with it. */
export function describeReason(reason: KeepReason): string {
  switch (reason.kind) {
    case "tag":
      return `holds the tag "${reason.tag}"${reason.policy === undefined ? "" : `, which the policy "${reason.policy}" protects`}`;
    case "unfinished":
      return reason.status === "lost" ? "is lost, and may be resumed" : `is ${reason.status}`;
    case "read":
      return `is read by ${reason.by}`;
    case "parent":
      return `was started by a step of ${reason.run}`;
    case "child":
      return `has started ${reason.run} in a step`;
    case "unfit":
      return `has records that do not fit: ${reason.why}`;
    default:
      return assertNever(reason);
  }
}

function hintFor(run: string, reason: KeepReason): string {
  switch (reason.kind) {
    case "tag":
      return `Take the tag away with flow tag remove ${run} ${shellWord(reason.tag)}`;
    case "unfinished":
      return reason.status === "lost"
        ? `Resume it with flow resume ${run}, or delete it with flow runs delete ${run} --lost`
        : "Wait until it has ended";
    case "read":
      return `Delete both with flow runs delete ${run} ${reason.by}`;
    case "parent":
    case "child":
      return `Delete both with flow runs delete ${run} ${reason.run}`;
    case "unfit":
      return "Type flow store verify";
    default:
      return assertNever(reason);
  }
}
