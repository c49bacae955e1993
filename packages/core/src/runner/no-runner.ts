import { FlowError } from "../errors/flow-error.ts";

/** The error of a step that asks for a run where nobody can run it: alone, in a test or when it is run again. */
export function noRunner(): FlowError {
  return new FlowError("FLOW_RUNNER_SUB_FLOW", {
    message: "Cannot run a flow inside this step: its task has no runner that could do it",
    hint: "A step alone starts no other runs: run the whole flow, with runFlow() in a test or with flow run",
  });
}
