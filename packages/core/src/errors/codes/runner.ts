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
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
