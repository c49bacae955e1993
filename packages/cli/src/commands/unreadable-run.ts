import type { RunRow } from "@millrace/core/internal";
import type { Core } from "../core.ts";

/** A run whose record cannot be read; its name and its number in the store are known all the same. */
export interface UnreadableRun {
  readonly sequence: RunRow["sequence"];
  readonly runId: string;
  readonly name: string;
}

/** The run that an error says cannot be read; undefined for all other errors. */
export function unreadableRun(core: Core, error: unknown): UnreadableRun | undefined {
  if (!core.isFlowError(error, "FLOW_METADATA_CORRUPT")) return undefined;
  const { sequence, runId, run } = error.context;
  if (typeof sequence !== "number") return undefined;
  return { sequence: sequence as RunRow["sequence"], runId: String(runId), name: String(run) };
}
