import type { Problem } from "../errors/flow-error.ts";
import { assertNever } from "../util/assert-never.ts";
import type { WorkerMessage } from "./protocol.ts";

type Warning = Extract<WorkerMessage, { kind: "stray-error" | "polluted" | "stuck" }>;

/** What a worker's trouble that fails no task is told as. */
export function workerWarning(message: Warning): Problem {
  switch (message.kind) {
    case "stray-error":
      return {
        code: "FLOW_RUNNER_STRAY_ERROR",
        message: `A worker ended outside of any task: ${message.error.name}: ${message.error.message}`,
        hint: "Look for a timer, a callback or a module that throws, and await what a step starts",
      };
    case "stuck":
      return {
        code: "FLOW_RUNNER_STUCK",
        message: `The thread of step "${message.step}" does not end when it is told to; it is left running until the program ends`,
        hint: 'Give the step isolate: "process": a process can be ended wherever it is',
      };
    case "polluted":
      return {
        code: "FLOW_RUNNER_POLLUTED",
        message: message.isReplaced
          ? `Step "${message.step}" left its worker changed (${message.what}), so another worker takes its place each time`
          : `Step "${message.step}" goes on leaving its workers changed (${message.what}); they are not replaced any more`,
        hint: "Keep what a step needs in this, in its own variables or in `environment`, and close what it opens",
      };
    default:
      return assertNever(message);
  }
}
