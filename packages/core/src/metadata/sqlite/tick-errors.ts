import { FlowError } from "../../errors/flow-error.ts";
import type { FinishedTask } from "../metadata-store.ts";

export function noTask(sequence: number): FlowError {
  return new FlowError("FLOW_METADATA_NO_TASK", {
    message: `Cannot find task number ${sequence} of the store`,
    context: { task: sequence },
  });
}

export function otherRun(task: number, run: number, other: number): FlowError {
  return new FlowError("FLOW_METADATA_BAD_ARGUMENT", {
    message: `Cannot record task number ${task} in a tick of run number ${run}: it is a task of run number ${other}`,
    context: { task, run, other },
  });
}

export function taskFinal(task: FinishedTask, why: string): FlowError {
  return new FlowError("FLOW_METADATA_TASK_FINAL", {
    message: `Cannot finish task number ${task.sequence}: ${why}`,
    context: { task: task.sequence, status: task.status },
  });
}
