import { FlowError, type SerializedError, serializeError } from "../errors/flow-error.ts";
import type { TaskFailure } from "../flow/public-types.ts";
import { formatDuration } from "../util/duration.ts";

/** A failure as a retry's condition and a catch's field see it. */
export function failureOf(error: SerializedError, attempts: number): TaskFailure {
  return {
    code: error.code,
    message: error.message,
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    attempts,
  };
}

/** What an attempt failed with that took longer than it may. */
export function timeoutError(step: string, timeoutMs: number): SerializedError {
  const { stack: _, ...error } = serializeError(
    new FlowError("FLOW_RUNNER_TIMEOUT", {
      message: `Step "${step}" took longer than its timeout of ${formatDuration(timeoutMs)}`,
      hint: "Give it more time, or look at this.signal and end the work",
      context: { step, timeoutMs },
    }),
  );
  return error; // Without a stack: this very place would be shown as if something had gone wrong here.
}
