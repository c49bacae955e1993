import type { RunEvent } from "@millrace/core/internal";
import type { Paint } from "./output.ts";
import { freshLine, type Progress, type ProgressOptions, REDRAW_MS } from "./progress.ts";
import { createStepBoard, endedTasks, type StepState } from "./step-board.ts";
import { displayWidth, pad, truncate } from "./text.ts";

const BAR_WIDTH = 12;
/** Characters of task output that wait for a redraw at most. */
const MAX_WAITING = 64 * 1024;

/** One line per step and the running time, redrawn in place; other lines scroll by above it. */
export function createLiveBlock({ output, now, formatDuration }: ProgressOptions): Progress {
  const board = createStepBoard();
  let run = "";
  let startedAt = now();
  let drawnLines = 0;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let isEnded = false;
  let isOver = false; // nothing more will start: what did not run is shown as that
  let waiting = ""; // lines of tasks: a thousand a second must not mean a thousand redraws

  // Ctrl-C is echoed as "^C" and leaves the cursor behind it: every frame begins in the first column.
  const erase = (): string => (drawnLines === 0 ? freshLine(output) : `\r\x1b[${drawnLines}A\x1b[0J`);
  const draw = (): void => {
    const lines = isEnded || run === "" ? [] : blockLines();
    // The cursor is never hidden: a process that is killed could not show it again.
    if (drawnLines > 0 || waiting !== "" || lines.length > 0)
      output.write(erase() + waiting + lines.map((line) => `${line}\n`).join(""));
    drawnLines = lines.length;
    drawnAt = now();
    waiting = "";
  };
  const isDue = (): boolean => now() - drawnAt >= REDRAW_MS || waiting.length > MAX_WAITING;
  const blockLines = (): readonly string[] => {
    const width = output.columns() - 1; // the last column stays free: some terminals wrap when it is written
    const states = [...board.steps.values()];
    const { shown, hidden } = visibleSteps(states, Math.max(3, output.rows() - 3));
    const nameWidth = shown.reduce((widest, state) => Math.max(widest, displayWidth(state.step)), 0);
    const head = `${output.paint.bold(run)}  ${output.paint.dim(formatDuration(now() - startedAt))}`;
    const more = hidden === 0 ? [] : [output.paint.dim(`  … ${hidden} more steps`)];
    return [
      head,
      ...shown.map((state) => stepLine(state, nameWidth, { now: now(), isOver }, output.paint, formatDuration)),
      ...more,
    ].map((line) => truncate(line, width));
  };

  return {
    apply(event: RunEvent) {
      board.apply(event);
      if (event.kind === "run.created") {
        run = event.run;
        startedAt = event.at.getTime();
        draw();
      } else if (isDue()) {
        draw();
      }
    },
    tick() {
      if (!isEnded && isDue()) draw();
    },
    note(line) {
      // Printing scrolls the block: both go out in one write, so that nothing flickers.
      waiting += `${line}\n`;
      if (isEnded || isDue()) draw();
    },
    end() {
      if (isEnded) return;
      isOver = true;
      draw();
      // The last state of the block stays on the screen; the lines below it say how the run ended.
      drawnLines = 0;
      isEnded = true;
    },
  };
}

/** Steps that fit the screen: all, or those at work, then the last done, then the first to come, in their own order. */
export function visibleSteps(
  states: readonly StepState[],
  limit: number,
): { readonly shown: readonly StepState[]; readonly hidden: number } {
  if (states.length <= limit) return { shown: states, hidden: 0 };
  const rank = (state: StepState): number =>
    state.running > 0 ? 0 : state.failed > 0 ? 1 : state.startedAt === undefined ? 3 : 2;
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
  const isDone = state.total > 0 && ended >= state.total && state.running === 0;
  const isUntouched = ended === 0 && state.running === 0;
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
  if (state.failed > 0) parts.push(paint.red(`${state.failed} failed`));
  if (state.cancelled > 0) parts.push(paint.yellow(`${state.cancelled} cancelled`));
  if (isOver && isUntouched) parts.push(paint.dim("not run"));
  if (state.startedAt !== undefined)
    parts.push(paint.dim(formatDuration((isDone ? (state.endedAt ?? now) : now) - state.startedAt)));
  return parts.join("  ");
}

function stepMark(state: StepState, isDone: boolean, isOver: boolean, paint: Paint): string {
  if (state.failed > 0) return paint.red("✗");
  if (state.total === 0) return paint.dim("·");
  if (state.cancelled > 0 || (isOver && !isDone)) return paint.yellow("■");
  return isDone ? paint.green("✓") : paint.cyan("●");
}
