import type { CodeEntry } from "../code-table.ts";

export const storageCodes = {
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
