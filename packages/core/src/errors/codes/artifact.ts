import type { CodeEntry } from "../code-table.ts";

export const artifactCodes = {
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
