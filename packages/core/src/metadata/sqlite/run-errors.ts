/** What the store says when a write comes for a run that does not take it. */
import { FlowError } from "../../errors/flow-error.ts";
import type { DeletedRun } from "../deleted-run.ts";

export function noRun(sequence: number): FlowError {
  return new FlowError("FLOW_METADATA_NO_RUN", {
    message: `Cannot find run number ${sequence} of the store`,
    hint: "See with --store that the right store is used",
    context: { run: sequence },
  });
}

export function runFinal(id: string, status: string): FlowError {
  return new FlowError("FLOW_METADATA_RUN_FINAL", {
    message: `Cannot change the run ${id}: it is finished ("${status}")`,
    hint: "Start a new run",
    context: { run: id, status },
  });
}

export function fenced(id: string, execution: number, current: number): FlowError {
  return new FlowError("FLOW_METADATA_FENCED", {
    message: `Cannot write to the run ${id}: execution ${execution} was taken over by execution ${current}`,
    hint: "Look at how the run goes on with flow show",
    context: { run: id, execution, current },
  });
}

export function deletedRun(action: string, { id, flow, number, deletedAt, actor }: DeletedRun): FlowError {
  return new FlowError("FLOW_METADATA_RUN_DELETED", {
    message: `${action}: ${flow.name}/${number} was deleted on ${deletedAt.toISOString().slice(0, 10)} by ${actor}`,
    hint: "Run it again, and name another run to read from",
    context: { run: id },
  });
}
