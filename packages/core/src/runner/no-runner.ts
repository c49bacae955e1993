import { FlowError } from "../errors/flow-error.ts";

/** The error of a step that asks for a run where nobody can run it: one that a test calls, or that is run again alone. */
export function noRunner(): FlowError {
  return new FlowError("FLOW_RUNNER_SUB_FLOW", {
    message: "Cannot run a flow inside this step: its task has no runner that could do it",
    hint: "Run the whole flow: a step that is tried alone starts no runs",
  });
}
