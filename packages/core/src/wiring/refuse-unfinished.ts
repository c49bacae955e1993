import { deserializeError, FlowError } from "../errors/flow-error.ts";
import { isStoreFault } from "../errors/told-error.ts";
import { runName } from "../lineage/run-name.ts";
import type { RunRow } from "../metadata/metadata-store.ts";

/** @throws FlowError FLOW_RUN_FAILED, FLOW_RUN_CANCELLED for a run that has not succeeded; FLOW_STORAGE_ where its store did not take its values */
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
  const { failure } = row;
  if (failure === undefined)
    throw new FlowError("FLOW_RUN_FAILED", { message: `${runName(row)} failed`, hint: lookAt(row), context });
  const cause = deserializeError(failure.error);
  const message = `${runName(row)} failed: ${failureText(failure)}`;
  // No task failed: what the store did not take is told with its own code, so that who tries again for it still does.
  if (failure.task === undefined && isStoreFault(cause)) {
    const { code, hint = lookAt(row), context: facts } = cause;
    throw new FlowError(code, { message, hint, context: { ...facts, ...context }, cause: cause.cause });
  }
  throw new FlowError("FLOW_RUN_FAILED", { message, hint: lookAt(row), context, cause });
}

/**
 * Of runs inside runs that have failed one after the other: the task where it began, and what was wrong there. A run that
 * failed in no task, because its store did not take its values, says just what was wrong.
 */
export function failureText({ task, error }: NonNullable<RunRow["failure"]>): string {
  const { cause, context } = error;
  if (error.code === "FLOW_RUN_FAILED" && cause !== undefined) {
    const inner = context?.task;
    return failureText({ ...(typeof inner === "string" ? { task: inner } : {}), error: cause });
  }
  return task === undefined ? error.message : `${task}: ${error.message}`;
}

function lookAt(row: RunRow): string {
  const task = row.failure?.task;
  return `Look at it with ${task === undefined ? `flow show ${runName(row)}` : `flow logs ${task}`}`;
}
