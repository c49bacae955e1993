/** The real command in a process of its own, for tests that look at a run from outside; and the same command in this process. */
import { realpathSync } from "node:fs";
import { type Called, type CallOptions, flow, memoryOutput } from "../cli/kit.ts";

export interface CommandResult extends Called {
  /** stdout as objects, one a line: for `--json`. */
  readonly lines: readonly any[];
}

/** Runs `flow …` with the Node of this process and keeps both streams, exit code and parsed lines. */
export async function runCommand(words: readonly string[], options: CallOptions = {}): Promise<CommandResult> {
  return withLines(await flow(words, options));
}

/**
 * The same command without a process of its own, at a third of the cost or less: for what is beside what the test is about. All of it runs
 * but the few lines that hand it the process, so it has neither signals nor stdin, and warnings of Node are not in its stderr. This
 * process stands in its folder meanwhile, so calls at one time are made from one folder.
 */
export async function commandHere(
  words: readonly string[],
  options: Pick<CallOptions, "cwd" | "env"> = {},
): Promise<CommandResult> {
  const { callFlow } = await import("../../packages/cli/src/dispatch.ts");
  const { NO_COLOR: _no, FORCE_COLOR: _force, MILLRACE_STORE: _store, ...environment } = process.env;
  const [stdout, stderr] = [memoryOutput(), memoryOutput()];
  const refused = (): never => {
    throw new Error(`flow ${words.join(" ")} needs a process of its own`);
  };
  const cwd = realpathSync.native(options.cwd ?? process.cwd());
  const goBack = standIn(cwd);
  try {
    const code = await callFlow({
      cwd,
      environment: { ...environment, ...options.env },
      words,
      stdout,
      stderr,
      stdin: refused,
      now: Date.now,
      signals: { take: () => () => {}, watchExit: () => () => {}, exit: refused },
    });
    return withLines({ code, signal: null, stdout: stdout.text(), stderr: stderr.text() });
  } finally {
    goBack();
  }
}

const standing = { home: "", calls: 0 };

function standIn(folder: string): () => void {
  if (standing.calls === 0) {
    standing.home = process.cwd();
    process.chdir(folder);
  } else if (process.cwd() !== folder)
    throw new Error(`Another call stands in ${process.cwd()}, and cannot be joined from ${folder}`);
  standing.calls++;
  return () => {
    if (--standing.calls === 0) process.chdir(standing.home);
  };
}

function withLines(called: Called): CommandResult {
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
