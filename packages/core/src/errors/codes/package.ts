import type { CodeEntry } from "../code-table.ts";

export const packageCodes = {
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
