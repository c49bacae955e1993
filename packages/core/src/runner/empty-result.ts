import type { Batch, TaskResult } from "./protocol.ts";

/** The result of a task that left nothing behind: it never ran, or nobody knows what it did. */
export function emptyResult(
  task: Pick<Batch["tasks"][number], "sequence" | "attempt">,
  outcome: Extract<TaskResult["outcome"], { kind: "failed" | "cancelled" }>,
  startedAt: Date,
  endedAt: Date = startedAt,
): TaskResult {
  const durationMs = Math.max(0, endedAt.getTime() - startedAt.getTime());
  const nothing = { durationMs, blobs: [], reads: [], logs: [], liveChunks: 0 };
  return { sequence: task.sequence, attempt: task.attempt, startedAt, outcome, ...nothing };
}
