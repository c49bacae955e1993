import { checkOptions, type OptionKinds } from "../errors/check-options.ts";
import { currentCallFlow, isInTask } from "../flow/current.ts";
import type { Flow } from "../flow/flow.ts";
import type { FlowCall } from "../flow/flow-call.ts";
import type { FlowClass, Run, Running, RunOptions } from "../flow/public-types.ts";
import { RunningFlow, unlessRefused } from "./running.ts";

/**
 * Runs a flow from code: in a test, a script, a server, or in a step of another flow.
 *
 * Awaiting it gives the finished run; iterating over it gives its events. The store is the one of the process's folder
 * (or MILLRACE_STORE). No signal handlers are taken over: pass `signal` to cancel.
 *
 * Inside a step the task's own runner runs it, in the store of the task's run. The task gives its slot back while it waits;
 * when it is tried again, it gets the run that it has started before. What it has not awaited when it ends is cancelled.
 *
 * @param flow the class, where it was loaded from a file of its own; or the path or URL of a flow file:
 *   `run<Train>("./train.ts")` with `import type`
 * @throws FlowError (when awaited) FLOW_RUN_FAILED with the step's error as its cause, FLOW_RUN_CANCELLED, FLOW_STORAGE_ of the
 *   store that did not take the values of the run, and everything that refuses a run before it begins; inside a step FLOW_RUNNER_TOO_DEEP and FLOW_ARTIFACT_UNSERIALISABLE too
 * @example
 * ```ts
 * const trained = await run<Train>("./train.ts", { params: { configuration: "config" }, tags: ["test:v1"] });
 * console.log(await trained.data.score);
 * ```
 */
export function run<T extends Flow>(flow: FlowClass<T> | URL | string, o: RunOptions<T> = {}): Running<T> {
  return unlessRefused(
    () => checkOptions("run()", o, RUN_OPTIONS),
    () => (isInTask() ? runInStep(flow, o) : runAlone(flow, o)),
  );
}

const RUN_OPTIONS: OptionKinds<RunOptions<Flow>> = {
  params: "object",
  tags: "texts",
  tagReason: "text",
  signal: "signal",
  reuseWorkers: "boolean",
  upstreams: "object",
};

function runAlone<T extends Flow>(flow: FlowClass<T> | URL | string, o: RunOptions<T>): RunningFlow<Run<T>> {
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

/** The call is made at once, with the values as they are now; what is wrong with it is told like any other failure. */
function runInStep<T extends Flow>(flow: FlowClass<T> | URL | string, o: RunOptions<T>): RunningFlow<Run<T>> {
  let call: FlowCall | undefined;
  let refusal: unknown;
  const { signal, ...options } = o;
  try {
    call = currentCallFlow()?.(flow, options as RunOptions<Flow>);
  } catch (error) {
    refusal = error;
  }
  let finished: () => Promise<Run<T>>;
  return new RunningFlow<Run<T>>(
    async (emit, signals) => {
      if (refusal !== undefined) throw refusal;
      const { runFromStep } = await import("./run-from-step.ts");
      finished = await runFromStep<T>(call, emit, signals);
    },
    () => finished(),
    signal,
    { onAwaited: () => call?.await(), onWatched: () => call?.watch() },
  );
}
