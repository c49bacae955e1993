import type { Batch, TaskResult } from "./protocol.ts";

/** The result of a task that left nothing behind: it never ran, or nobody knows what it did. */
export function emptyResult(
  task: Pick<Batch["tasks"][number], "sequence" | "attempt">,
  outcome: Extract<TaskResult["outcome"], { kind: "failed" | "cancelled" }>,
  at: Date,
): TaskResult {
  const nothing = { durationMs: 0, blobs: [], reads: [], logs: [], liveChunks: 0 };
  return { sequence: task.sequence, attempt: task.attempt, startedAt: at, outcome, ...nothing };
}
