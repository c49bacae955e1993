/** The real command in a process of its own, for tests that look at a run from outside. */
import { type Called, type CallOptions, flow } from "../cli/kit.ts";

export interface CommandResult extends Called {
  /** stdout as objects, one a line: for `--json`. */
  readonly lines: readonly any[];
}

/** Runs `flow …` with the Node of this process and keeps both streams, exit code and parsed lines. */
export async function runCommand(words: readonly string[], options: CallOptions = {}): Promise<CommandResult> {
  const called = await flow(words, options);
  return {
    ...called,
    get lines() {
      return called.stdout
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line));
    },
  };
}
