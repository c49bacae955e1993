import type { CodeEntry } from "../code-table.ts";

export const graphCodes = {
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
