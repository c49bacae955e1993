import type { RunEvent } from "@millrace/core/internal";
import type { Paint } from "./output.ts";
import { harmlessLine } from "./text.ts";

type TaskOutput = Pick<Extract<RunEvent, { readonly kind: "task.output" }>, "task" | "stream" | "text">;

/** Longest line of one task that waits for its end; what is longer is printed in pieces. */
const MAX_WAITING = 64 * 1024;

/**
 * Joins pieces of task output to whole lines, so that two tasks never share one, and prints each behind its task's name.
 */
export function createOutputLines(options: { readonly paint: Paint; readonly print: (line: string) => void }): {
  add(event: TaskOutput): void;
  finish(task?: string): void;
} {
  const waiting = new Map<string, Map<string, string>>();
  const print = (task: string, stream: string, line: string): void => {
    const bar = stream === "stderr" ? options.paint.yellow("│") : options.paint.dim("│");
    options.print(
      `${options.paint.dim(task)} ${bar} ${harmlessLine(line, { colours: options.paint.isColorSupported })}`,
    );
  };
  return {
    add({ task, stream, text }) {
      const streams = waiting.get(task) ?? new Map<string, string>();
      const lines = ((streams.get(stream) ?? "") + text).split("\n");
      let rest = lines.pop()!;
      for (const line of lines) print(task, stream, line.endsWith("\r") ? line.slice(0, -1) : line);
      if (rest.length > MAX_WAITING) {
        print(task, stream, rest);
        rest = "";
      }
      streams.set(stream, rest);
      waiting.set(task, streams);
    },
    finish(task) {
      for (const [name, streams] of task === undefined
        ? [...waiting]
        : [[task, waiting.get(task) ?? new Map<string, string>()] as const]) {
        for (const [stream, rest] of streams) if (rest !== "") print(name, stream, rest);
        waiting.delete(name);
      }
    },
  };
}
