import type { CodeEntry } from "../code-table.ts";

export const flowCodes = {
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
