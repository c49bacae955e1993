/**
 * What is known of a run's steps while it goes on: counts and times, from the events alone. Both the live block and the
 * plain lines read it. `run.progress` gives counts as they are; events of single tasks move them between two of those.
 */
import type { RunEvent } from "@millrace/core/internal";

/** One step as the progress display shows it. */
export interface StepState {
  readonly step: string;
  total: number;
  running: number;
  succeeded: number;
  failed: number;
  cancelled: number;
  /** Milliseconds since the epoch; undefined until its first task started. */
  startedAt: number | undefined;
  /** The last time that a task of it ended. */
  endedAt: number | undefined;
}

export interface StepBoard {
  readonly steps: ReadonlyMap<string, StepState>;
  apply(event: RunEvent): void;
}

/** A board without steps; they come in the order in which the run names them. */
export function createStepBoard(): StepBoard {
  const steps = new Map<string, StepState>();
  const stateOf = (step: string): StepState => {
    let state = steps.get(step);
    if (state === undefined) {
      state = {
        step,
        total: 0,
        running: 0,
        succeeded: 0,
        failed: 0,
        cancelled: 0,
        startedAt: undefined,
        endedAt: undefined,
      };
      steps.set(step, state);
    }
    return state;
  };
  const end = (event: RunEvent & { readonly step: string }, field: "succeeded" | "failed" | "cancelled"): void => {
    const state = stateOf(event.step);
    state[field]++;
    if (state.running > 0) state.running--;
    state.endedAt = event.at.getTime();
    state.total = Math.max(state.total, endedTasks(state) + state.running);
  };
  return {
    steps,
    apply(event) {
      switch (event.kind) {
        case "run.progress":
          for (const progress of event.steps) {
            const state = stateOf(progress.step);
            const endedBefore = endedTasks(state);
            Object.assign(state, progress);
            if (state.running + endedTasks(state) > 0) state.startedAt ??= event.at.getTime();
            if (endedTasks(state) !== endedBefore) state.endedAt = event.at.getTime();
          }
          break;
        case "task.started": {
          const state = stateOf(event.step);
          state.running++;
          state.startedAt ??= event.at.getTime();
          state.total = Math.max(state.total, endedTasks(state) + state.running);
          break;
        }
        case "task.succeeded":
          end(event, "succeeded");
          break;
        case "task.failed":
          end(event, "failed");
          break;
        case "task.cancelled":
          end(event, "cancelled");
          break;
        default:
          break;
      }
    },
  };
}

/** Tasks of a step that came to an end, whichever. */
export function endedTasks(state: StepState): number {
  return state.succeeded + state.failed + state.cancelled;
}

/**
 * `4 tasks done, 1 failed, 2 not started`. A step that never began counts as one task, unless the run succeeded: then it
 * is an arm that was not chosen.
 */
export function summary(board: StepBoard, hasSucceeded: boolean): string {
  let done = 0;
  let failed = 0;
  let cancelled = 0;
  let waiting = 0;
  for (const state of board.steps.values()) {
    done += state.succeeded;
    failed += state.failed;
    cancelled += state.cancelled;
    if (!hasSucceeded) waiting += state.total === 0 ? 1 : Math.max(0, state.total - endedTasks(state));
  }
  return [
    `${done} ${done === 1 ? "task" : "tasks"} done`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(cancelled > 0 ? [`${cancelled} cancelled`] : []),
    ...(waiting > 0 ? [`${waiting} not started`] : []),
  ].join(", ");
}
