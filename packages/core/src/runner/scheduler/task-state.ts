/**
 * The life of one attempt of a task, as one table. A retry is a new attempt: it begins as waiting, every other one as
 * queued.
 *
 *                 delay is over            dispatch              commit
 *        waiting ──────────────▶ queued ───────────▶ running ─┬─────────▶ succeeded
 *           │                     │  ▲                 │  │   ├─────────▶ caught      its step catches: the run goes on
 *           │                     │  └── worker lost ──┘  │   ├─────────▶ skipped     a decorator stood in for the step
 *           │                     │                       │   └─────────▶ failed      or a new attempt waits
 *           └────── cancel ───────┴──────── cancel ───────┤
 *                                    ▼                    └─────────────▶ lost        its runner ended
 *                                cancelled
 *
 * What follows an attempt that succeeded, was caught or was skipped becomes ready; nothing follows the others.
 */
import { FlowError } from "../../errors/flow-error.ts";

export type TaskState =
  | "waiting"
  | "queued"
  | "running"
  | "succeeded"
  | "failed"
  | "caught"
  | "cancelled"
  | "lost"
  | "skipped";

/** States after which the run goes on behind the task. */
export type SuccessState = "succeeded" | "caught" | "skipped";

const TRANSITIONS: Readonly<Record<TaskState, readonly TaskState[]>> = {
  waiting: ["queued", "cancelled"],
  queued: ["running", "cancelled"],
  // To lost no scheduler moves a task: it ends with its runner, and readers of the records tell.
  running: ["succeeded", "failed", "caught", "cancelled", "skipped", "queued", "lost"],
  succeeded: [],
  failed: [],
  caught: [],
  cancelled: [],
  lost: [],
  skipped: [],
};

/** The new state, or FLOW_INTERNAL when the table does not allow the move. */
export function moveTask(from: TaskState, to: TaskState): TaskState {
  if (!TRANSITIONS[from].includes(to)) {
    throw new FlowError("FLOW_INTERNAL", { message: `A task cannot go from ${from} to ${to}` });
  }
  return to;
}

/** Whether the run goes on behind a task in this state. */
export function isSuccess(state: TaskState): state is SuccessState {
  return state === "succeeded" || state === "caught" || state === "skipped";
}
