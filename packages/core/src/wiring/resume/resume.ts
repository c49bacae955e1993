import { checkOptions, type OptionKinds } from "../../errors/check-options.ts";
import { FlowError } from "../../errors/flow-error.ts";
import type { Flow } from "../../flow/flow.ts";
import type { ResumeOptions, Run, Running } from "../../flow/public-types.ts";
import { showOption } from "../../util/show-option.ts";
import { RunningFlow, unlessRefused } from "../running.ts";

/**
 * Goes on with a run that failed, was cancelled or was lost, or runs a part of any run again. What is finished is kept.
 *
 * Without any change the same run goes on; changed code, `params`, `upstreams` or `from` make a new run that begins with
 * what the old one has finished. Await it and iterate over it as over `run()`.
 *
 * @param run the run itself, `"Train/17"`, a run id, or `"Train"` for the newest one; left out (`undefined`), the newest
 *   run that stopped without success
 * @throws FlowError (when awaited) FLOW_RUN_FAILED, FLOW_RUN_CANCELLED, FLOW_STORAGE_ as `run`, FLOW_RESUME_VALUE_READ when finished tasks read a
 *   parameter that is to change, other FLOW_RESUME_ codes, and FLOW_METADATA_RUN_ALIVE when another process executes the run
 * @example
 * ```ts
 * const trained = await resume<Train>("Train/17", { from: "fit", params: { rate: 0.1 } });
 * ```
 */
export function resume<T extends Flow>(run: string | Run<T> | undefined, o: ResumeOptions<T> = {}): Running<T> {
  let finished: () => Promise<Run<T>>;
  return unlessRefused(
    () => {
      checkOptions("resume()", o, RESUME_OPTIONS);
      if (run !== undefined && typeof run !== "string" && typeof run?.id !== "string") throw noRun(run);
    },
    () =>
      new RunningFlow<Run<T>>(
        async (emit, signals) => {
          const { resumeFromCode } = await import("./resume-from-code.ts");
          finished = await resumeFromCode(run, o, emit, signals);
        },
        () => finished(),
        o.signal,
      ),
  );
}

const RESUME_OPTIONS: OptionKinds<ResumeOptions<Flow>> = {
  params: "object",
  tags: "texts",
  tagReason: "text",
  signal: "signal",
  upstreams: "object",
  from: "text",
  changed: "boolean",
  sameCode: "boolean",
};

function noRun(given: unknown): FlowError {
  return new FlowError("FLOW_CLIENT_BAD_SELECTOR", {
    message: `Cannot resume ${showOption(given)}: it is no run`,
    hint: 'Give a run, or write which one: "Train/17", an id, "Train"',
  });
}
