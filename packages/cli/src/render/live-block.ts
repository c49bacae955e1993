import type { RunEvent } from "@millrace/core/internal";
import { createCancelledTasks } from "./cancelled-tasks.ts";
import type { Paint } from "./output.ts";
import { freshLine, type Progress, type ProgressOptions, REDRAW_MS } from "./progress.ts";
import { resumedText } from "./run-lines.ts";
import { createStepBoard, endedTasks, type StepState } from "./step-board.ts";
import { createTaskNews, type TaskNews } from "./task-news.ts";
import { count, displayWidth, pad, truncate } from "./text.ts";

const BAR_WIDTH = 12;
/** Characters of task output that wait for a redraw at most. */
const MAX_WAITING = 64 * 1024;

/** Lines that tasks have not ended yet, such as progress bars, that stand below the steps: those that changed last. */
const MAX_UNFINISHED = 4;

/**
 * One line per step and the running time, redrawn in place, below them the lines that tasks are writing; other lines
 * scroll by above it.
 *
 * @param unfinished gives so many lines of tasks as they stand
 */
export function createLiveBlock(
  { output, now, formatDuration }: ProgressOptions,
  unfinished: (limit: number) => readonly string[] = () => [],
): Progress {
  const board = createStepBoard();
  const newsOf = createTaskNews(formatDuration);
  const cancelled = createCancelledTasks();
  let run = "";
  let startedAt = now();
  let drawn: readonly string[] = [];
  let drawnAt = Number.NEGATIVE_INFINITY;
  let isEnded = false;
  let isOver = false; // nothing more will start: what did not run is shown as that
  let waiting = ""; // lines of tasks: a thousand a second must not mean a thousand redraws

  // A terminal that was made narrower has wrapped what stands there.
  const drawnRows = (): number =>
    drawn.reduce((rows, line) => rows + Math.max(1, Math.ceil(displayWidth(line) / output.columns())), 0);
  // Ctrl-C is echoed as "^C" and leaves the cursor behind it: every frame begins in the first column.
  const erase = (): string => (drawn.length === 0 ? freshLine(output) : `\r\x1b[${drawnRows()}A\x1b[0J`);
  const draw = (): void => {
    const lines = isEnded || run === "" ? [] : blockLines();
    // The cursor is never hidden: a process that is killed could not show it again.
    if (drawn.length > 0 || waiting !== "" || lines.length > 0)
      output.write(waiting + lines.map((line) => `${line}\n`).join(""), erase());
    drawn = lines;
    drawnAt = now();
    waiting = "";
  };
  const isDue = (): boolean => now() - drawnAt >= REDRAW_MS || waiting.length > MAX_WAITING;
  const blockLines = (): readonly string[] => {
    const width = output.columns() - 1; // the last column stays free: some terminals wrap when it is written
    const states = [...board.steps.values()];
    const open = isOver ? [] : unfinished(Math.min(MAX_UNFINISHED, Math.floor(output.rows() / 4)));
    const { shown, hidden } = visibleSteps(states, Math.max(3, output.rows() - 3 - open.length));
    const nameWidth = shown.reduce((widest, state) => Math.max(widest, displayWidth(state.step)), 0);
    const head = `${output.paint.bold(run)}  ${output.paint.dim(formatDuration(now() - startedAt))}`;
    const more = hidden === 0 ? [] : [output.paint.dim(`  … ${hidden} more steps`)];
    return [
      head,
      ...shown.map((state) => stepLine(state, nameWidth, { now: now(), isOver }, output.paint, formatDuration)),
      ...more,
      ...open.map((line) => `  ${line}`),
    ].map((line) => truncate(line, width));
  };

  const note = (line: string): void => {
    // Printing scrolls the block: both go out in one write, so that nothing flickers.
    waiting += `${line}\n`;
    if (isEnded || isDue()) draw();
  };

  return {
    apply(event: RunEvent) {
      board.apply(event);
      cancelled.apply(event);
      if (event.kind === "run.created" || event.kind === "run.resumed") {
        run = event.run;
        startedAt = event.at.getTime();
        if (event.kind === "run.resumed") note(resumedLine(event, output.paint));
        draw();
        return;
      }
      // The first failure is shown whole when the run is over; the counts say how many there are.
      if ("task" in event && event.kind !== "task.failed")
        for (const news of newsOf(event)) note(newsLine(event.task, news, output.paint));
      if (event.kind === "run.finished")
        for (const { what, more } of cancelled.take())
          note(`${output.paint.yellow("■")} ${output.paint.bold(what)} cancelled: ${more}`);
      if (isDue()) draw();
    },
    tick() {
      if (!isEnded && isDue()) draw();
    },
    note,
    end() {
      if (isEnded) return;
      isOver = true;
      draw();
      // The last state of the block stays on the screen; the lines below it say how the run ended.
      drawn = [];
      isEnded = true;
    },
  };
}

/** `↻ Train/17/train/7 retry: attempt 2 of 4 in 2 s` */
function newsLine(task: string, { state, more }: TaskNews, paint: Paint): string {
  if (state === "runs" || state === "ran") return paint.dim(`${task} ${state} ${more}`);
  const mark = state === "failed" || state === "lost" ? paint.red("✗") : paint.yellow(state === "retry" ? "↻" : "■");
  return `${mark} ${paint.bold(task)} ${state}: ${more}`;
}

function resumedLine(event: Extract<RunEvent, { readonly kind: "run.resumed" }>, paint: Paint): string {
  return paint.dim(`${resumedText(event)}: ${count(event.adopted, "finished task")} taken over`);
}

/** Steps that fit the screen: all, or those at work, then the last done, then the first to come, in their own order. */
export function visibleSteps(
  states: readonly StepState[],
  limit: number,
): { readonly shown: readonly StepState[]; readonly hidden: number } {
  if (states.length <= limit) return { shown: states, hidden: 0 };
  const rank = (state: StepState): number =>
    state.running + state.waiting > 0 ? 0 : state.failed > 0 ? 1 : state.startedAt === undefined ? 3 : 2;
  const chosen = new Set(
    [...states]
      .sort(
        (left, right) =>
          rank(left) - rank(right) || (rank(left) === 2 ? (right.endedAt ?? 0) - (left.endedAt ?? 0) : 0),
      )
      .slice(0, limit),
  );
  return { shown: states.filter((state) => chosen.has(state)), hidden: states.length - limit };
}

/** `● evaluate  ████████░░░░  40/100  2 running  1 failed  4.1 s` */
export function stepLine(
  state: StepState,
  nameWidth: number,
  { now, isOver }: { readonly now: number; readonly isOver: boolean },
  paint: Paint,
  formatDuration: (ms: number) => string,
): string {
  const ended = endedTasks(state);
  const isDone = state.total > 0 && ended >= state.total && state.running === 0 && state.waiting === 0;
  const isUntouched = ended === 0 && state.running === 0 && state.waiting === 0;
  const mark = isOver && isUntouched ? paint.dim("·") : stepMark(state, isDone, isOver, paint);
  const parts = [
    `  ${mark} ${pad(state.total === 0 || (isOver && isUntouched) ? paint.dim(state.step) : state.step, nameWidth)}`,
  ];
  if (state.total > 1) {
    const filled = Math.floor((BAR_WIDTH * ended) / state.total);
    parts.push(
      `${paint.green("█".repeat(filled))}${paint.dim("░".repeat(BAR_WIDTH - filled))}`,
      `${ended}/${state.total}`,
    );
  }
  if (state.total > 1 && state.running > 0) parts.push(`${state.running} running`);
  if (state.waiting > 0) parts.push(paint.yellow(`${state.waiting} waiting to retry`));
  if (state.failed > 0) parts.push(paint.red(`${state.failed} failed`));
  if (state.caught > 0) parts.push(paint.yellow(`${state.caught} caught`));
  if (state.skipped > 0) parts.push(paint.yellow(`${state.skipped} skipped`));
  if (state.cancelled > 0) parts.push(paint.yellow(`${state.cancelled} cancelled`));
  if (state.adopted > 0) parts.push(paint.dim(state.total > 1 ? `${state.adopted} taken over` : "taken over"));
  if (state.cached > 0) parts.push(paint.dim(state.total > 1 ? `${state.cached} from the cache` : "from the cache"));
  if (isOver && isUntouched) parts.push(paint.dim("not run"));
  if (state.startedAt !== undefined)
    parts.push(paint.dim(formatDuration((isDone ? (state.endedAt ?? now) : now) - state.startedAt)));
  return parts.join("  ");
}

function stepMark(state: StepState, isDone: boolean, isOver: boolean, paint: Paint): string {
  if (state.failed > 0) return paint.red("✗");
  if (state.total === 0) return paint.dim("·");
  if (state.cancelled > 0 || (isOver && !isDone)) return paint.yellow("■");
  if (!isDone) return paint.cyan("●");
  return state.caught > 0 ? paint.yellow("✓") : paint.green("✓");
}
