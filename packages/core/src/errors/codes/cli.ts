import type { CodeEntry } from "../code-table.ts";

export const cliCodes = {
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
