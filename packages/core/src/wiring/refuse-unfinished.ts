import { deserializeError, FlowError, type SerializedError } from "../errors/flow-error.ts";
import { runName } from "../lineage/run-name.ts";
import type { RunRow } from "../metadata/metadata-store.ts";

/** @throws FlowError FLOW_RUN_FAILED, FLOW_RUN_CANCELLED for a run that has not succeeded */
export function refuseUnfinished(row: RunRow, signal: AbortSignal): void {
  if (row.status === "succeeded") return;
  const context = {
    run: runName(row),
    runId: row.id,
    ...(row.failure?.task === undefined ? {} : { task: row.failure.task }),
  };
  if (row.status === "cancelled")
    throw new FlowError("FLOW_RUN_CANCELLED", {
      message: `${runName(row)} was cancelled`,
      context,
      cause: signal.reason,
    });
  const cause = row.failure === undefined ? undefined : deserializeError(row.failure.error);
  throw new FlowError("FLOW_RUN_FAILED", {
    message: `${runName(row)} failed${row.failure === undefined ? "" : `: ${innermost(row.failure)}`}`,
    hint: `Look at it with flow logs ${row.failure?.task ?? runName(row)}`,
    context,
    cause,
  });
}

/** Of runs inside runs that have failed one after the other: the task where it began, and what was wrong there. */
function innermost({ task, error }: { readonly task?: string; readonly error: SerializedError }): string {
  const { cause, context } = error;
  if (error.code === "FLOW_RUN_FAILED" && cause !== undefined) {
    const inner = context?.task;
    return innermost({ ...(typeof inner === "string" ? { task: inner } : {}), error: cause });
  }
  return `${task ?? "the run"}: ${error.message}`;
}
