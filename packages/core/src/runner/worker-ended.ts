import { FlowError, type SerializedError, serializeError } from "../errors/flow-error.ts";

/** What a task failed with whose worker ended before it reported. */
export function workerEnded(step: string, lost: unknown): SerializedError {
  const why = lost instanceof Error ? lost.message : String(lost);
  const { stack: _, ...error } = serializeError(
    new FlowError("FLOW_RUNNER_WORKER_ENDED", {
      message: `Step "${step}" ended its worker before it finished: ${why}`,
      hint: "Look for process.exit(), an error thrown in a timer or callback, or memory running out",
      context: { step },
      cause: thrownByUser(lost),
    }),
  );
  return error; // Without a stack: this very place would be shown as if something had gone wrong here.
}

/** What the user's own code threw outside of the step, if that is what ended the worker: the pool's words have no such frame. */
function thrownByUser(lost: unknown): unknown {
  const cause = lost instanceof Error ? lost.cause : undefined;
  if (!(cause instanceof Error)) return undefined;
  return (cause.stack ?? "").split("\n").some((line) => /^\s+at /.test(line) && !/node:|node_modules/.test(line))
    ? cause
    : undefined;
}
