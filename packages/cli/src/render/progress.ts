/**
 * What a person sees on stderr while a run goes on. Two displays over the same events: a live block on a terminal and
 * plain lines elsewhere. Both are bounded: the block is redrawn at most ten times a second and never higher than the
 * screen, and a foreach of 100,000 tasks gives one plain line a second. Nothing of the outcome is printed here.
 */
import type { RunEvent } from "@millrace/core/internal";
import { createLiveBlock } from "./live-block.ts";
import type { Output } from "./output.ts";
import { createOutputLines } from "./output-lines.ts";
import { createPlainLines } from "./plain-lines.ts";

/** A display of one run's progress. */
export interface Progress {
  apply(event: RunEvent): void;
  /** Lets time pass: redraws, or prints the counts that have waited. */
  tick(): void;
  /** Prints a line of the command itself above the block. */
  note(line: string): void;
  /** Removes the block and prints what has waited. */
  end(): void;
}

export interface ProgressOptions {
  readonly output: Output;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly formatDuration: (ms: number) => string;
}

/** Milliseconds between two redraws: ten a second are enough for the eye and cost nothing. */
export const REDRAW_MS = 100;

/** The display that fits the stream, with the output of tasks in between. */
export function createProgress(options: ProgressOptions): Progress {
  const lines = createOutputLines({ paint: options.output.paint, print: (line) => display.note(line) });
  const display: Progress = options.output.isTerminal
    ? createLiveBlock(options, (limit) => lines.unfinished(limit))
    : createPlainLines(options);
  return {
    apply(event) {
      if (event.kind === "task.output") {
        lines.add(event);
        return;
      }
      if (event.kind === "output.dropped") {
        display.note(
          options.output.paint.dim(
            `… ${event.characters} characters of output came too fast to be shown: flow logs has them`,
          ),
        );
        return;
      }
      // What ended the attempt is said behind the last that it wrote.
      if ("task" in event && event.kind !== "task.started") lines.finish(event.task);
      display.apply(event);
    },
    tick: () => display.tick(),
    note: (line) => display.note(line),
    end() {
      lines.finish();
      display.end();
    },
  };
}

/** Back to the start of the line, without what the terminal echoed there (`^C`); nothing where the output is no terminal. */
export function freshLine(output: Output): string {
  return output.isTerminal ? "\r\x1b[K" : "";
}

/** The display of `--quiet` and `--json`: nothing. */
export const silentProgress: Progress = { apply: () => {}, tick: () => {}, note: () => {}, end: () => {} };
