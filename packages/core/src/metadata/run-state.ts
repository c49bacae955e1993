/**
 * The life of a run, as one table. What a run is, its current execution is too; an execution that another one has replaced
 * stays what it was, or "lost".
 *
 *        createRun                finishRun
 *     ───────────────▶ running ─┬──────────▶ succeeded            for ever
 *                       ▲  │ ▲  ├──────────▶ failed ─────┐
 *                       │  │ │  └──────────▶ cancelled ──┤
 *                       │  ▼ └────── beginExecution ─────┘
 *                       │ lost   as readers see it whose runner is gone; nobody writes it
 *                       └──┘     beginExecution
 *
 * "queued" is for runs that wait for a runner: the embedded store has none.
 */
import type { RunStatus } from "../events/run-record.ts";

const TRANSITIONS: Readonly<Record<RunStatus, readonly RunStatus[]>> = {
  queued: ["running", "cancelled"],
  running: ["succeeded", "failed", "cancelled", "lost"],
  succeeded: [],
  failed: ["running"],
  cancelled: ["running"],
  lost: ["running"],
};

/** Whether a run may go from one status to another. */
export function canMoveRun(from: RunStatus, to: RunStatus): boolean {
  return TRANSITIONS[from].includes(to);
}

/** Whether a run has ended, however it did: it may still be continued, unless it succeeded. */
export function isOver(status: RunStatus): boolean {
  return status !== "queued" && status !== "running";
}
