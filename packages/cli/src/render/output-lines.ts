import type { RunEvent } from "@millrace/core/internal";
import { LineJoiner, type OutputLine } from "./line-joiner.ts";
import type { Paint } from "./output.ts";
import { harmlessLine } from "./text.ts";

type Stream = "stdout" | "stderr";
type TaskOutput = Pick<
  Extract<RunEvent, { readonly kind: "task.output" }>,
  "task" | "attempt" | "stream" | "text" | "at"
>;

export interface OutputLines {
  add(event: TaskOutput): void;
  /** Prints the unfinished lines of a task, or of all. */
  finish(task?: string): void;
  /** Unfinished lines as they stand now, behind their tasks, the one that changed last at the end. */
  unfinished(limit: number): readonly string[];
}

export interface OutputLinesOptions {
  readonly paint: Paint;
  /** Takes a line, or several with line ends between them: a write for each line costs more than making it. */
  readonly print: (lines: string) => void;
  /** Lines as they were written, with all states and control sequences; default: made fit for a terminal. */
  readonly isAsWritten?: boolean;
  /** Puts its time before each line. */
  readonly hasTimes?: boolean;
  /** Leaves the task away, where there is only one. */
  readonly isOneTask?: boolean;
}

/** Characters of an unfinished line that are looked at: no terminal is wider. */
const MAX_SHOWN = 4_096;

/**
 * Joins pieces of task output to whole lines, so that two tasks never share one, and prints each behind its task's name.
 * A later attempt is a task of its own here: `Train/17/fold/1#2`.
 */
export function createOutputLines(options: OutputLinesOptions): OutputLines {
  const { paint, isAsWritten = false } = options;
  const joiners = new Map<string, Map<string, { readonly joiner: LineJoiner; readonly head: string }>>();
  let ready: string[] = [];
  const flush = (): void => {
    if (ready.length > 0) options.print(ready.join("\n"));
    ready = [];
  };
  const show = (head: string, { text, at }: OutputLine): string => {
    const time = options.hasTimes === true ? `${paint.dim(at.toISOString())} ` : "";
    return `${time}${head}${isAsWritten ? text : harmlessLine(text, { colours: paint.isColorSupported })}`;
  };
  const joinerOf = ({ task, attempt, stream }: TaskOutput): LineJoiner => {
    const streams = joiners.get(task) ?? new Map();
    joiners.set(task, streams);
    const key = `${attempt} ${stream}`;
    const known = streams.get(key);
    if (known !== undefined) {
      // Behind the others: what changed last is the last.
      streams.delete(key);
      streams.set(key, known);
      joiners.delete(task);
      joiners.set(task, streams);
      return known.joiner;
    }
    const head = options.isOneTask === true ? "" : headOf(task, attempt, stream, paint);
    const joiner = new LineJoiner((line) => ready.push(show(head, line)), { isAsWritten });
    streams.set(key, { joiner, head });
    return joiner;
  };
  return {
    add(event) {
      joinerOf(event).add(event.text, event.at);
      flush();
    },
    finish(task) {
      for (const name of task === undefined ? [...joiners.keys()] : [task]) {
        for (const { joiner } of joiners.get(name)?.values() ?? []) joiner.finish();
        joiners.delete(name);
      }
      flush();
    },
    unfinished(limit) {
      const lines: string[] = [];
      for (const streams of [...joiners.values()].reverse()) {
        for (const { joiner, head } of [...streams.values()].reverse()) {
          if (lines.length >= limit) return lines.reverse();
          const text = joiner.unfinished;
          if (text === "") continue;
          lines.push(head + harmlessLine(text.slice(0, MAX_SHOWN), { colours: paint.isColorSupported }));
        }
      }
      return lines.reverse();
    },
  };
}

function headOf(task: string, attempt: number, stream: Stream, paint: Paint): string {
  const name = attempt > 1 ? `${task}#${attempt}` : task;
  return `${paint.dim(name)} ${stream === "stderr" ? paint.yellow("│") : paint.dim("│")} `;
}
