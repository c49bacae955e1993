/**
 * The real command on a real terminal: `script` of util-linux gives it one. Where there is none (another system, a small
 * container), the tests that need it are skipped, and that is said.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { BINARY } from "./kit.ts";

export interface TerminalOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly columns?: number;
  readonly rows?: number;
  /** Called with all that the terminal was sent so far; `type` presses keys, `kill` sends a signal to the command. */
  readonly onOutput?: (text: string, act: { type(keys: string): void; kill(signal: NodeJS.Signals): void }) => void;
}

export interface TerminalResult {
  readonly code: number | null;
  /** All that the terminal was sent, with its line ends as the terminal gets them. */
  readonly text: string;
  /** Whether the settings of the terminal are those from before. */
  readonly isRestored: boolean;
}

const isThere =
  process.platform === "linux" &&
  /util-linux/.test(spawnSync("script", ["--version"], { encoding: "utf8" }).stdout ?? "");
if (!isThere) console.warn("SKIPPED: no `script` of util-linux, so nothing is tried on a terminal");

/** A test that needs a terminal. */
export const terminalTest = test.skipIf(!isThere);

/** The key of Ctrl-C. */
export const CTRL_C = "\x03";

/** Calls the command in a terminal of its own, to its end. */
export function flowOnTerminal(words: readonly string[], options: TerminalOptions): Promise<TerminalResult> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-terminal-"));
  const command = ["exec", process.execPath, BINARY, ...words]
    .map(quoted)
    .join(" ")
    .replace(/^'exec'/, "exec");
  const program = [
    `stty cols ${options.columns ?? 80} rows ${options.rows ?? 24}`,
    `stty -g > ${folder}/before`,
    `trap : INT`, // the shell itself goes on after Ctrl-C
    `sh -c 'echo $$ > ${folder}/pid; ${command.replaceAll("'", `'\\''`)}'`,
    "code=$?",
    `stty -g > ${folder}/after`,
    "exit $code",
  ].join("\n");
  return new Promise((resolve, reject) => {
    const { NO_COLOR: _no, FORCE_COLOR: _force, MILLRACE_STORE: _store, ...env } = process.env;
    const child = spawn("script", ["-qec", program, "/dev/null"], {
      cwd: options.cwd,
      env: { ...env, TERM: "xterm-256color", SHELL: "/bin/sh", ...options.env },
      stdio: ["pipe", "pipe", "inherit"],
    });
    let text = "";
    const act = {
      type: (keys: string) => void child.stdin.write(keys),
      kill: (signal: NodeJS.Signals) => void process.kill(Number(readFileSync(`${folder}/pid`, "utf8")), signal),
    };
    child.stdout.setEncoding("utf8").on("data", (more: string) => {
      text += more;
      options.onOutput?.(text, act);
    });
    child.on("error", reject);
    child.on("close", (code) => {
      const [before, after] = ["before", "after"].map((name) => readFileSync(`${folder}/${name}`, "utf8"));
      rmSync(folder, { recursive: true, force: true });
      resolve({ code, text, isRestored: before === after });
    });
  });
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
