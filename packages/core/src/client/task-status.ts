import type { TaskRow } from "../metadata/metadata-store.ts";

/** Whether a task ended in a way that its successors build on: then what it leaves visible can be read. */
export function isComplete(task: TaskRow): boolean {
  return task.status === "succeeded" || task.status === "caught" || task.status === "skipped";
}
