import type { Flow } from "../flow/flow.ts";
import type { FlowClass, Run, Running, RunOptions } from "../flow/public-types.ts";
import { RunningFlow } from "./running.ts";

/**
 * Runs a flow from code: in a test, a script, a server.
 *
 * Awaiting it gives the finished run; iterating over it gives its events. The store is the one of the process's folder
 * (or MILLRACE_STORE). No signal handlers are taken over: pass `signal` to cancel.
 *
 * @param flow the class, where it was loaded from a file of its own; or the path or URL of a flow file:
 *   `run<Train>("./train.ts")` with `import type`
 * @throws FlowError (when awaited) FLOW_RUN_FAILED with the step's error as its cause, FLOW_RUN_CANCELLED, and everything
 *   that refuses a run before it begins
 * @example
 * ```ts
 * const trained = await run<Train>("./train.ts", { params: { configuration: "config" }, tags: ["test:v1"] });
 * console.log(await trained.data.score);
 * ```
 */
export function run<T extends Flow>(flow: FlowClass<T> | URL | string, o: RunOptions<T> = {}): Running<T> {
  let finished: () => Promise<Run<T>>;
  return new RunningFlow<Run<T>>(
    async (emit, signals) => {
      // The runner and its libraries are loaded when a flow is run: importing core stays cheap for flows that never do.
      const { runFromCode } = await import("./run-from-code.ts");
      finished = await runFromCode(flow, o, emit, signals);
    },
    () => finished(),
    o.signal,
  );
}
