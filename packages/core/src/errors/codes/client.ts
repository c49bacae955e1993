import type { CodeEntry } from "../code-table.ts";

export const clientCodes = {
  FLOW_CLIENT_BAD_SELECTOR: {
    meaning: "A selector of a run, task or artifact cannot be read",
    cause: "A typing error in Flow/17, Flow@tag or Flow/17/step/0",
    remedy: "Write Flow, Flow/17, Flow@tag or Flow/17/step/path, optionally with .artifact behind it",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
