import { FlowError } from "../errors/flow-error.ts";

/** The error of a step that asks for a run where nobody can run it: in a test in memory, or when it is run again alone. */
export function noRunner(): FlowError {
  return new FlowError("FLOW_RUNNER_SUB_FLOW", {
    message: "Cannot run a flow inside this step: its task has no runner that could do it",
    hint: "Use run() or flow run: a step alone and a flow in memory start no other runs",
  });
}
