import type { CodeEntry } from "../code-table.ts";

export const metadataCodes = {
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
