import type { StepProgress } from "../../events/run-event.ts";
import type { TaskState } from "./task-state.ts";

/** What a progress display wants to know of a step, counted as it happens. */
export type StepCounts = { -readonly [Count in Exclude<keyof StepProgress, "step">]: number };

/** Counts for each step, all zero, in the order of the steps. */
export class ProgressCounts {
  readonly #steps: ReadonlyMap<string, StepCounts>;

  constructor(steps: readonly string[]) {
    this.#steps = new Map(
      steps.map((step) => [
        step,
        {
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
        },
      ]),
    );
  }

  of(step: string): StepCounts {
    return this.#steps.get(step)!;
  }

  /** A task of a step is now in another state; undefined where it is counted as not yet, or no longer, anywhere. */
  moved(step: string, from: TaskState | undefined, to: TaskState | undefined): void {
    const counts = this.of(step);
    if (from === "running" || from === "waiting") counts[from]--;
    if (to !== undefined && to !== "queued" && to !== "lost") counts[to]++;
  }

  get progress(): readonly StepProgress[] {
    return [...this.#steps].map(([step, counts]) => ({ step, ...counts }));
  }
}
