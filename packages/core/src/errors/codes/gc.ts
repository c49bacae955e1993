import type { CodeEntry } from "../code-table.ts";

export const gcCodes = {
  FLOW_GC_RUNNING: {
    meaning: "Another collection of garbage or a repair goes on in this store",
    cause: "Another process runs flow store gc or flow store repair",
    remedy: "Wait until it has ended",
  },
  FLOW_GC_RUN_KEPT: {
    meaning: "A run that was to be deleted is kept by something that the message names",
    cause: "It holds a tag, another run reads from it, its parent or child run stays, or it has not ended",
    remedy: "Do what the hint says: take the tag away, or delete the other runs with it",
  },
  FLOW_GC_RUNS_UNDER_WAY: {
    meaning: "The database was to be written anew while runs are under way, which would make them wait",
    cause: "flow store gc --vacuum beside a run",
    remedy: "Wait until the runs have ended, or leave --vacuum away",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
