import type { CodeEntry } from "../code-table.ts";

export const resumeCodes = {
  FLOW_RESUME_RUNNING: {
    meaning: "A run that is to be resumed is running, or a fork of it that does the same",
    cause: "Another process executes it; two may not execute one run, nor the same fork twice",
    remedy:
      "Follow the run that the message names with flow logs RUN --follow, wait until it has ended, or stop it first",
  },
  FLOW_RESUME_NO_RUN: {
    meaning: "There is no run to resume",
    cause: "No run of this store failed, was cancelled or was lost, or all that did were resumed with success",
    remedy: "Name a run: flow resume Train/17 --from STEP runs again from a step, also of a run that succeeded",
  },
  FLOW_RESUME_NOT_A_RUN: {
    meaning: "What is to be resumed is a step, a task or an artifact",
    cause: "A name such as Train/17/fit, where a run was wanted",
    remedy: "Name the run; --from STEP runs a step again, and all that comes after it",
  },
  FLOW_RESUME_CONTRADICTION: {
    meaning: "A resume was asked for things that exclude each other",
    cause: "--same-code keeps the code that the run had, and --changed runs again what is different in the code of now",
    remedy: "Leave out one of the two",
  },
  FLOW_RESUME_UNKNOWN_STEP: {
    meaning: "The step named by --from is no step of the flow",
    cause: "A misspelt name, or a step that was renamed or removed since",
    remedy: "Use one of the steps that the message names",
  },
  FLOW_RESUME_VALUE_READ: {
    meaning: "A parameter or upstream changed that finished tasks have read",
    cause: "Keeping these tasks would mix results of two sets of parameters in one run",
    remedy: "Run the readers again with --from and the step that the message names, or leave the value as it was",
  },
  FLOW_RESUME_NOTHING_TO_DO: {
    meaning: "A run that succeeded has nothing left to run",
    cause: "Resuming was asked without saying what is to run again",
    remedy: "Give --from STEP, or --changed after a change of code",
  },
  FLOW_RESUME_CODE_CHANGED: {
    meaning: "Finished tasks are kept whose step has other code now",
    cause: "The flow was edited since; without --changed the outcome of finished tasks stays",
    remedy: "Give --changed to run changed steps again, or --same-code to go on with the code that the run had",
  },
  FLOW_RESUME_KEPT_CODE: {
    meaning: "A run goes on with the code that its store kept, because its flow file is gone",
    cause: "The file was moved, renamed or deleted since",
    remedy: "Put the file back, or give --same-code when the kept code is what is to run",
  },
  FLOW_RESUME_IN_STEP: {
    meaning: "A step tries to resume a run",
    cause: "resume() was called inside a step",
    remedy: "Resume runs from a program or with flow resume; inside a step, start a flow with run()",
  },
  FLOW_RESUME_NO_PACKAGE: {
    meaning: "The run's store does not hold its code package",
    cause: "The run was imported without it, or it was written by a program that keeps none",
    remedy: "Run the flow anew, or resume where its sources are",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
