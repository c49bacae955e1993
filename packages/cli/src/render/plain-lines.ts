import type { RunEvent } from "@millrace/core/internal";
import { createCancelledTasks } from "./cancelled-tasks.ts";
import type { Progress, ProgressOptions } from "./progress.ts";
import { resumedText } from "./run-lines.ts";
import { createStepBoard, endedTasks, type StepState } from "./step-board.ts";
import { createTaskNews } from "./task-news.ts";
import { clockTime, count } from "./text.ts";

/** A foreach with at most this many tasks is told task by task; a wider one by counts. */
const TOLD_SINGLY = 10;
/** Milliseconds between two lines of counts of one step. */
const COUNTS_MS = 1_000;

interface Told {
  lines: number;
  countsAt: number;
  ended: number;
}

/** One line for each thing that happens, without flooding a log file. */
export function createPlainLines({ output, now, formatDuration }: ProgressOptions): Progress {
  const board = createStepBoard();
  const told = new Map<string, Told>();
  const newsOf = createTaskNews(formatDuration);
  const cancelled = createCancelledTasks();
  let run = "";

  const line = (at: Date, what: string, state: string, more = ""): void => {
    output.write(`${clockTime(at)}  ${what}  ${state}${more === "" ? "" : `  ${more}`}\n`);
  };
  const toldOf = (step: string): Told => {
    let entry = told.get(step);
    if (entry === undefined) {
      entry = { lines: 0, countsAt: Number.NEGATIVE_INFINITY, ended: 0 };
      told.set(step, entry);
    }
    return entry;
  };
  const tellCounts = (state: StepState, isLast: boolean): void => {
    const entry = toldOf(state.step);
    const ended = endedTasks(state);
    if (entry.ended === ended || (!isLast && now() - entry.countsAt < COUNTS_MS)) return;
    entry.ended = ended;
    entry.countsAt = now();
    const parts = [
      ...(state.running > 0 ? [`${state.running} running`] : []),
      ...(state.waiting > 0 ? [`${state.waiting} waiting`] : []),
      ...(state.failed > 0 ? [`${state.failed} failed`] : []),
      ...(state.caught > 0 ? [`${state.caught} caught`] : []),
      ...(state.skipped > 0 ? [`${state.skipped} skipped`] : []),
      ...(state.cancelled > 0 ? [`${state.cancelled} cancelled`] : []),
      ...(state.adopted > 0 ? [`${state.adopted} taken over`] : []),
      ...(state.cached > 0 ? [`${state.cached} from the cache`] : []),
      ...(state.startedAt === undefined ? [] : [formatDuration(now() - state.startedAt)]),
    ];
    line(new Date(now()), `${run}/${state.step}`, `${ended} of ${state.total} done`, parts.join(", "));
  };
  const tellWide = (isLast: boolean): void => {
    for (const state of board.steps.values()) {
      const isWhole = state.total > 0 && endedTasks(state) >= state.total && state.running === 0;
      if (state.total > TOLD_SINGLY || (told.get(state.step)?.lines ?? 0) >= TOLD_SINGLY)
        tellCounts(state, isLast || isWhole);
    }
  };
  const tellCancelled = (): void => {
    for (const { what, more, at } of cancelled.take()) line(at, what, "cancelled", more);
  };
  /** Whether an event of this step is told by itself; counts itself. */
  const isSingle = (step: string, path: string): boolean => {
    if (path === "") return true;
    const entry = toldOf(step);
    if ((board.steps.get(step)?.total ?? 0) > TOLD_SINGLY) entry.lines = TOLD_SINGLY;
    return entry.lines < TOLD_SINGLY && ++entry.lines <= TOLD_SINGLY;
  };

  return {
    apply(event: RunEvent) {
      board.apply(event);
      cancelled.apply(event);
      switch (event.kind) {
        case "run.created":
          run = event.run;
          line(event.at, run, "started", event.tags.join(", "));
          break;
        case "run.resumed":
          run = event.run;
          line(event.at, resumedText(event), `${count(event.adopted, "finished task")} taken over`);
          break;
        case "task.succeeded":
          if (isSingle(event.step, event.path))
            line(
              event.at,
              event.task,
              "done",
              event.takenFrom === undefined ? formatDuration(event.durationMs) : `from the cache: ${event.takenFrom}`,
            );
          break;
        case "run.finished":
          tellCancelled();
          break;
        default:
          if ("task" in event) for (const { state, more } of newsOf(event)) line(event.at, event.task, state, more);
      }
      tellWide(false);
    },
    tick: () => tellWide(false),
    note: (text) => output.write(`${text}\n`),
    end() {
      tellCancelled();
      tellWide(true);
    },
  };
}
