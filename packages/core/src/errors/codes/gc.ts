import type { CodeEntry } from "../code-table.ts";

export const gcCodes = {
  FLOW_GC_RUNNING: {
    meaning: "Another collection of garbage, a repair or a copy goes on in this store",
    cause: "Another process runs flow store gc, flow store repair or flow store copy",
    remedy: "Wait until it has ended",
  },
  FLOW_GC_RUN_KEPT: {
    meaning: "A run that was to be deleted is kept by something that the message names",
    cause: "It holds a tag, another run reads from it, its parent or child run stays, or it has not ended",
    remedy: "Do what the hint says: take the tag away, or delete the other runs with it",
  },
  FLOW_GC_RUNS_UNDER_WAY: {
    meaning:
      "The records were to be written anew while runs are under way: these would wait, or lose what they recorded",
    cause: "flow store gc --vacuum or flow store rebuild --force beside a run",
    remedy: "Wait until the runs have ended; flow store gc also works without --vacuum",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
