/**
 * What is known of a run's steps while it goes on: counts and times, from the events alone. Both the live block and the
 * plain lines read it. `run.progress` gives counts as they are; events of single tasks move them between two of those.
 */
import type { RunEvent } from "@millrace/core/internal";
import { count } from "./text.ts";

/** One step as the progress display shows it. */
export interface StepState {
  readonly step: string;
  total: number;
  running: number;
  /** Waiting for their next attempt. */
  waiting: number;
  succeeded: number;
  failed: number;
  caught: number;
  skipped: number;
  cancelled: number;
  /** Of those that ended: taken over instead of run. */
  adopted: number;
  /** Of those that succeeded: their outcome came from the step cache. */
  cached: number;
  /** Milliseconds since the epoch; undefined until its first task started. */
  startedAt: number | undefined;
  /** The last time that a task of it ended. */
  endedAt: number | undefined;
}

type TaskEnd = "succeeded" | "failed" | "caught" | "skipped" | "cancelled";

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
        waiting: 0,
        succeeded: 0,
        failed: 0,
        caught: 0,
        skipped: 0,
        cancelled: 0,
        adopted: 0,
        cached: 0,
        startedAt: undefined,
        endedAt: undefined,
      };
      steps.set(step, state);
    }
    return state;
  };
  const leave = (state: StepState): void => {
    if (state.running > 0) state.running--;
  };
  const end = (event: RunEvent & { readonly step: string }, field: TaskEnd): void => {
    const state = stateOf(event.step);
    state[field]++;
    leave(state);
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
          if (event.attempt > 1 && state.waiting > 0) state.waiting--;
          state.startedAt ??= event.at.getTime();
          state.total = Math.max(state.total, endedTasks(state) + state.running);
          break;
        }
        case "task.retrying": {
          const state = stateOf(event.step);
          leave(state);
          state.waiting++;
          break;
        }
        case "task.succeeded":
          end(event, "succeeded");
          if (event.takenFrom !== undefined) stateOf(event.step).cached++;
          break;
        case "task.failed":
          end(event, "failed");
          break;
        case "task.caught":
          end(event, "caught");
          break;
        case "task.skipped":
          end(event, "skipped");
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
  return state.succeeded + state.failed + state.caught + state.skipped + state.cancelled;
}

/** How the run ended, as far as it changes what the counts mean. */
export interface SummaryOptions {
  readonly hasSucceeded: boolean;
  /** Whether tasks were cancelled because another one failed. */
  readonly hasCause: boolean;
}

/**
 * `4 tasks done, 1 failed, 7 cancelled because of it, 2 not started`. A step that never began counts as one task, unless
 * the run succeeded: then it is an arm that was not chosen.
 */
export function summary(board: StepBoard, { hasSucceeded, hasCause }: SummaryOptions): string {
  const sum = { succeeded: 0, failed: 0, caught: 0, skipped: 0, cancelled: 0, adopted: 0, cached: 0 };
  let waiting = 0;
  for (const state of board.steps.values()) {
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += state[key];
    if (!hasSucceeded) waiting += state.total === 0 ? 1 : Math.max(0, state.total - endedTasks(state));
  }
  const done = count(sum.succeeded, "task");
  const elsewhere = [
    ...(sum.adopted > 0 ? [`${sum.adopted} of them taken over`] : []),
    ...(sum.cached > 0 ? [`${sum.cached} of them from the cache`] : []),
  ];
  return [
    elsewhere.length === 0 ? `${done} done` : `${done} done (${elsewhere.join(", ")})`,
    ...(sum.failed > 0 ? [`${sum.failed} failed`] : []),
    ...(sum.caught > 0 ? [`${sum.caught} caught`] : []),
    ...(sum.skipped > 0 ? [`${sum.skipped} skipped`] : []),
    ...(sum.cancelled > 0 ? [`${sum.cancelled} cancelled${hasCause ? " because of it" : ""}`] : []),
    ...(waiting > 0 ? [`${waiting} not started`] : []),
  ].join(", ");
}
