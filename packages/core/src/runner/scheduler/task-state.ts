/**
 * The life of a task inside the scheduler, as one table.
 *
 *                    dispatch              commit
 *        queued ───────────────▶ running ─────────▶ succeeded
 *          │  ▲                    │  │
 *          │  └──── worker lost ───┘  └────────────▶ failed
 *          └───────────── cancel ─────────────────▶ cancelled ◀── cancel (running)
 */
import { FlowError } from "../../errors/flow-error.ts";

export type TaskState = "queued" | "running" | "succeeded" | "failed" | "cancelled";

const TRANSITIONS: Readonly<Record<TaskState, readonly TaskState[]>> = {
  queued: ["running", "cancelled"],
  running: ["succeeded", "failed", "cancelled", "queued"],
  succeeded: [],
  failed: [],
  cancelled: [],
};

/** The new state, or FLOW_INTERNAL when the table does not allow the move. */
export function moveTask(from: TaskState, to: TaskState): TaskState {
  if (!TRANSITIONS[from].includes(to)) {
    throw new FlowError("FLOW_INTERNAL", { message: `A task cannot go from ${from} to ${to}` });
  }
  return to;
}
