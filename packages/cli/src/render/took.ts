import type { RunRecord } from "@millrace/core/internal";

/**
 * How long a run took that is over: `9.1 s`; of one that was resumed, its last execution: `9.1 s (3 h 10 m since it was begun)`.
 * Undefined while it is not over.
 */
export function tookText(
  { durationMs, finishedAt, execution }: Pick<RunRecord, "durationMs" | "finishedAt" | "execution">,
  formatDuration: (ms: number) => string,
): string | undefined {
  if (durationMs === undefined || finishedAt === undefined) return undefined;
  if (execution.number === 1) return formatDuration(durationMs);
  const lastMs = new Date(finishedAt).getTime() - new Date(execution.startedAt).getTime();
  return `${formatDuration(lastMs)} (${formatDuration(durationMs)} since it was begun)`;
}
