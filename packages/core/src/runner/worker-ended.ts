import type { ErrorCode } from "../errors/code-table.ts";
import { FlowError, type SerializedError, serializeError } from "../errors/flow-error.ts";
import { assertNever } from "../util/assert-never.ts";
import { ExecutorLostError, type LostReason } from "./executor.ts";

const UNCAUGHT = "Nobody caught it: await the promise that it came from, or catch it in the callback or timer";

/**
 * What a task failed with whose worker ended before it reported.
 *
 * @param describeError  an error as plain data, its stack the lines of the user's own code. Default: with all lines
 */
export function workerEnded(
  step: string,
  lost: unknown,
  describeError: (thrown: unknown) => SerializedError = serializeError,
): SerializedError {
  const why: LostReason = lost instanceof ExecutorLostError ? lost.why : { kind: "other" };
  const { code, text, hint } = describe(why, lost);
  const ended = new FlowError(code, { message: `Step "${step}" ${text}`, hint, context: { step, why } });
  const { stack: _, ...error } = serializeError(ended); // This very place would be shown as if something had gone wrong here.
  const cause = lost instanceof Error && lost.cause instanceof Error ? describeError(lost.cause) : undefined;
  if (cause === undefined || !hasFrames(cause)) return error;
  const isUncaught = why.kind === "other";
  return { ...error, ...(isUncaught ? { hint: UNCAUGHT } : {}), cause };
}

function describe(
  why: LostReason,
  lost: unknown,
): { readonly code: ErrorCode; readonly text: string; readonly hint: string } {
  switch (why.kind) {
    case "exited":
      return {
        code: "FLOW_RUNNER_WORKER_ENDED",
        text: `ended its worker before it finished: it exited with code ${why.code}`,
        hint: "Look for process.exit() in the step and in what it calls, and let the step return or throw",
      };
    case "signal":
      return {
        code: "FLOW_RUNNER_WORKER_CRASHED",
        text: `lost its process before it finished: ${why.signal} ended it`,
        hint:
          why.signal === "SIGKILL"
            ? "Look into the system's log: a machine that runs out of memory ends processes in this way"
            : "Look at the last lines of the task's log, and for native code that fails",
      };
    case "out-of-memory":
      return {
        code: "FLOW_RUNNER_OUT_OF_MEMORY",
        text: `ran out of memory${why.limitMb === undefined ? "" : `: ${why.isolate === "thread" ? "the heap's" : "its"} limit is ${why.limitMb} MB`}`,
        hint:
          why.isolate === "thread"
            ? "Hold less at a time, or raise what a heap may hold with NODE_OPTIONS=--max-old-space-size=MB"
            : "Give the step more with resources: { memory }, or hold less at a time",
      };
    case "ended":
    case "other": {
      const said = lost instanceof Error ? lost.message : String(lost);
      return {
        code: "FLOW_RUNNER_WORKER_ENDED",
        text: `ended its worker before it finished: ${said}`,
        // The worker itself could not begin: the step has nothing to do with it.
        hint: /\bE[MN]FILE\b/.test(said)
          ? "Raise the limit of open files (ulimit -n)"
          : "Look for process.exit(), an error thrown in a timer or callback, or memory running out",
      };
    }
    default:
      return assertNever(why);
  }
}

/** Whether it is what the user's own code threw, outside of the step: what threads and processes say of their end has no such frame. */
function hasFrames({ stack = "" }: SerializedError): boolean {
  return stack.split("\n").some((line) => /^\s+at /.test(line));
}
