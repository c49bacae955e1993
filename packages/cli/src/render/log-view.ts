/**
 * How `flow logs` prints what tasks wrote. One task goes to a file or pipe as it was written; on a terminal, and of
 * several tasks, whole lines are printed, so that nobody's output runs into another's. What is still being written is
 * shown at the bottom of a terminal until it ends.
 */
import type { LogEntry } from "@millrace/core/internal";
import type { Output } from "./output.ts";
import { createOutputLines } from "./output-lines.ts";
import { freshLine } from "./progress.ts";
import { truncate } from "./text.ts";

export interface LogView {
  add(entry: LogEntry): void;
  /** From now on tasks may write at once. */
  live(): void;
  /** Nothing comes for a while: shows the line that has not ended yet. */
  idle(): void;
  end(): void;
}

export interface LogViewOptions {
  readonly isOneTask: boolean;
  /** Whether the one task has several attempts already: then the first is marked too. */
  readonly isRetried: boolean;
  readonly hasTimes: boolean;
}

/** The bytes, whatever stdout is: no names, no marks, nothing made harmless. */
export function createRawView(output: Output): LogView {
  return { add: (entry) => output.write(Buffer.from(entry.text)), live: () => {}, idle: () => {}, end: () => {} };
}

/** One JSON object for each piece. */
export function createJsonView(output: Output): LogView {
  return { add: (entry) => output.write(`${JSON.stringify(entry)}\n`), live: () => {}, idle: () => {}, end: () => {} };
}

/** For people: in the form that fits the stream and the number of tasks. */
export function createLogView(output: Output, options: LogViewOptions): LogView {
  return options.isOneTask && !options.hasTimes && !output.isTerminal
    ? createWrittenView(output, options)
    : createLineView(output, options);
}

/** One task, as it was written; where it has several attempts, a line before each says so. */
function createWrittenView(output: Output, options: LogViewOptions): LogView {
  let last: LogEntry | undefined;
  let endsLine = true;
  return {
    add(entry) {
      const mark = markBetween(last, entry, options);
      if (mark !== undefined) output.write(`${endsLine ? "" : "\n"}${output.paint.dim(mark)}\n`);
      last = entry;
      output.write(entry.text);
      if (entry.text !== "") endsLine = entry.text.endsWith("\n");
    },
    live: () => {},
    idle: () => {},
    end: () => {},
  };
}

function createLineView(output: Output, options: LogViewOptions): LogView {
  const { isOneTask, hasTimes } = options;
  let isShowing = false; // an unfinished line stands at the bottom
  const erase = (): void => {
    if (isShowing) output.write("", freshLine(output));
    isShowing = false;
  };
  const lines = createOutputLines({
    paint: output.paint,
    print: (line) => output.write(`${line}\n`),
    isAsWritten: !output.isTerminal,
    hasTimes,
    isOneTask,
  });
  let last: LogEntry | undefined;
  let isLive = false;
  return {
    add(entry) {
      erase();
      const isSame = last?.task === entry.task && last.attempt === entry.attempt;
      // Stored output comes task by task: the next one begins on a line of its own. Live output comes from many at once.
      if (!isSame && last !== undefined && (isOneTask || !isLive)) lines.finish(last.task);
      const mark = isOneTask ? markBetween(last, entry, options) : undefined;
      if (mark !== undefined) output.write(`${output.paint.dim(mark)}\n`);
      last = entry;
      lines.add(entry);
    },
    live() {
      isLive = true;
    },
    idle() {
      if (!output.isTerminal) return;
      const [line] = lines.unfinished(1);
      erase();
      if (line === undefined) return;
      output.write(truncate(line, output.columns() - 1), freshLine(output));
      isShowing = true;
    },
    end() {
      erase();
      lines.finish();
    },
  };
}

/** Said between the outputs of two attempts of the one task, and before the first of several. */
function markBetween(last: LogEntry | undefined, entry: LogEntry, { isRetried }: LogViewOptions): string | undefined {
  const isNew = last === undefined ? isRetried : last.attempt !== entry.attempt || last.task !== entry.task;
  return isNew ? `── attempt ${entry.attempt} ──` : undefined;
}
