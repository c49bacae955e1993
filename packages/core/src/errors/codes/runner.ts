import type { CodeEntry } from "../code-table.ts";

export const runnerCodes = {
  FLOW_STEP_FAILED: {
    meaning: "A step threw an error",
    cause: "The user's code",
    remedy: "Read the stack: its lines are those of the flow's source",
  },
  FLOW_RUN_FAILED: {
    meaning: "A run ended without success",
    cause: "A task failed",
    remedy: "Look at the first failure and its log, mend it, run again",
  },
  FLOW_RUN_CANCELLED: {
    meaning: "A run was cancelled before it ended",
    cause: "Ctrl-C, an abort signal or a call of cancel()",
    remedy: "Run it again",
  },
  FLOW_RUNNER_WORKER_ENDED: {
    meaning: "A worker ended before its task reported a result",
    cause: "The step called process.exit(), threw in a timer or callback, or ran out of memory",
    remedy: "Look at the task's log; let the step return or throw",
  },
  FLOW_RUNNER_TIMEOUT: {
    meaning: "An attempt took longer than the timeout of its step",
    cause: "The work is larger than was thought, waits for something, or never ends",
    remedy: "Give it more time, or end the work when this.signal is aborted; a retry begins anew",
  },
  FLOW_RUNNER_ARTIFACT_MISMATCH: {
    meaning:
      "An artifact of an upstream does not fit the schema that its flow declares in the code of the run that reads it",
    cause: "The upstream's run is older than the schema, or was made from other code",
    remedy: "Run the upstream's flow again, choose another of its runs, or let the schema take both",
  },
  FLOW_RUNNER_BAD_METRIC: {
    meaning: "A metric cannot be recorded",
    cause: "Its name, value or step is none, or the task has recorded as many as it may",
    remedy: "Give a name without blanks, a number and a whole step; record every nth value of a long series",
  },
  FLOW_RUNNER_SHARED_CHANGED: {
    meaning: "An array that tasks share was not what is stored any more when a step that shares it ended",
    cause: "The step, or another one that ran beside it, wrote into the array",
    remedy: "Change a copy (`.slice()`), or take the field out of `shared`; the shared memory was given up",
  },
  FLOW_RUNNER_NOT_SHAREABLE: {
    meaning: "A step shares a field whose value is no typed array and no Buffer",
    cause: "The step before it left another kind of value",
    remedy: "Keep a typed array there, or take the field out of `shared`",
  },
  FLOW_RUNNER_BAD_SHARED_MEMORY: {
    meaning: "MILLRACE_SHARED_MEMORY is no size",
    cause: "A number without a unit, or a misspelt one",
    remedy: "Write a number and a unit, such as 2GB or 512MiB",
  },
  FLOW_RUNNER_RETRY_CONDITION: {
    meaning: "A warning: the function that says whether a failure is worth another attempt threw",
    cause: "The user's code in retry: { when }",
    remedy: "Let it return true or false; the task was not tried again",
  },
  FLOW_RUNNER_NOT_CACHED: {
    meaning: "A warning: a step is to be cached, and what it did cannot stand for another task",
    cause: "It read what the step cache cannot compare: runs through the client, its own run's id, a secret",
    remedy: "Move that into another step, or take `cache` from this one; the run itself is whole",
  },
  FLOW_RUNNER_NO_SECRET: {
    meaning: "A secret that a step asks for is not there",
    cause: "The environment variable is not set, or the file cannot be read",
    remedy: "Set the variable or write the file, and run again: nothing has begun",
  },
  FLOW_RUNNER_HOOK_FAILED: {
    meaning: "A warning: onSuccess or onError of a flow failed after its run had ended",
    cause: "The user's code, or it took longer than a minute",
    remedy: "Mend the hook; how the run ended stands",
  },
  FLOW_RUNNER_TOO_MANY_ROUNDS: {
    meaning: "A loop asked for one more round than it may have",
    cause: "The choice that leads back never takes a way out",
    remedy: "Let the choose step leave the loop in time, or allow more rounds with --max-rounds",
  },
  FLOW_RUNNER_WORKER_CRASHED: {
    meaning: "The process of a task was ended by a signal before the task reported a result",
    cause: "Native code that fails, process.abort(), somebody's kill, or a machine without memory",
    remedy: "Look at the task's log and for the native package that the step calls",
  },
  FLOW_RUNNER_OUT_OF_MEMORY: {
    meaning: "A task needed more memory than it may have",
    cause: "It held too much at a time, or its limit is too low",
    remedy: "Raise resources.memory of the step, or work on parts",
  },
  FLOW_RUNNER_NO_ARTIFACT: {
    meaning: "A run has no artifact of the name that was asked for",
    cause: "A misspelt name, or a producer that never set the field",
    remedy: "Use one of the names that the hint lists",
  },
  FLOW_RUNNER_NO_PRODUCER: {
    meaning: "The run that an upstream names is not in this store",
    cause: "The store was changed, or is not the one that the run was recorded in",
    remedy: "Choose another run with --NAME-run, or the right store with --store",
  },
  FLOW_RUNNER_STEP_CHANGED: {
    meaning: "A step of a recorded run cannot be run again by itself",
    cause: "The step was renamed or became another kind of step since, or the record does not say what it began with",
    remedy: "Run the flow, and then the step of the new run",
  },
  FLOW_RUNNER_READ_ONLY: {
    meaning: "A stored value of another run or of a join's input was assigned to",
    cause: "Inputs and upstream data are kept as they are",
    remedy: "Assign to a field of the flow itself",
  },
  FLOW_RUNNER_NO_INPUT: {
    meaning: "A join asked for the input of a step that did not deliver, or that delivered several",
    cause: "A choice took another way, or the step is the body of a foreach",
    remedy: "Use inputs[0], inputs.map(…) or the field that the choice was made on",
  },
  FLOW_RUNNER_MERGE_CONFLICT: {
    meaning: "mergeArtifacts found fields in which the inputs differ",
    cause: "Two branches set the same field to different values",
    remedy: "Set the field in the join before the call, or exclude it",
  },
  FLOW_RUNNER_MERGE_MISSING: {
    meaning: "mergeArtifacts was told to include a field that no input has",
    cause: "A misspelt name, or a branch that never set it",
    remedy: "Take the name out of include or set the field before the join",
  },
  FLOW_RUNNER_MERGE_USAGE: {
    meaning: "mergeArtifacts was called in a way that has no meaning",
    cause: "It was called outside a join, or with include and exclude together",
    remedy: "Call this.mergeArtifacts(inputs, { exclude: […] }) in a join",
  },
  FLOW_RUNNER_NOT_ITERABLE: {
    meaning: "The field of a foreach cannot be iterated over",
    cause: "The step did not set it",
    remedy: "Assign an array or another iterable to it in that step or before",
  },
  FLOW_RUNNER_NO_CASE: {
    meaning: "The value that a choose step looked at has no case",
    cause: "The field was not set, or set to a value outside its type",
    remedy: "Set the field to one of the cases",
  },
  FLOW_RUNNER_SHORT_SECRET: {
    meaning: "A warning: a secret is too short to be masked in output and errors",
    cause: "It has fewer than 3 characters, and masking it would spoil every text",
    remedy: "Give a longer secret, or none",
  },
  FLOW_RUNNER_SUB_FLOW: {
    meaning: "A step asked for a run of a flow, and nobody is there who could run it",
    cause: "The step runs alone (runStep(), flow step), or a flow in memory (runFlow()) asks for one by its file",
    remedy: "Run the whole flow; in memory, give run() the class",
  },
  FLOW_RUNNER_TOO_DEEP: {
    meaning: "Steps have started runs inside runs to more levels than are allowed",
    cause: "A flow that starts itself, or two that start each other, without an end",
    remedy: "Let it stop at some depth; allow more levels with --max-depth",
  },
  FLOW_RUNNER_BAD_PARAMS_FILE: {
    meaning: "The file given with --params cannot be used",
    cause: "It is missing, unreadable or no JSON object",
    remedy: "Give a JSON file with an object that has one entry for each parameter",
  },
  FLOW_RUNNER_STRAY_ERROR: {
    meaning: "A warning: a worker ended because of an error that belongs to no running task",
    cause: "A timer or callback threw after its step had ended, or a worker could not start",
    remedy: "Await what a step starts, and look at the error that the warning names",
  },
  FLOW_RUNNER_POLLUTED: {
    meaning: "A warning: a step left its worker changed for the tasks that come after it",
    cause:
      "It changed its environment variables, a built-in object or a module's variable, or left a timer, server or listener behind",
    remedy: "Keep state in the step, in this or in environment; close what is opened",
  },
  FLOW_RUNNER_STUCK: {
    meaning: "A warning: a worker thread does not end when it is told to",
    cause: "It is inside a call that blocks, or in a loop that the JavaScript engine cannot interrupt",
    remedy: 'Run such steps in processes: isolate: "process"',
  },
  FLOW_RUNNER_NEVER_SETTLES: {
    meaning: "A step awaits something that can never happen",
    cause: "A promise that nothing is left to settle: no timer, no socket, no file operation is under way",
    remedy: "Look for a promise that is never resolved, such as a callback that is not called in every case",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
