/** What the tests of the command share: the real binary, an output that keeps what is written, a small terminal. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createPaint, type Output } from "../../packages/cli/src/render/output.ts";

export const BINARY = fileURLToPath(new URL("../../packages/cli/bin/flow.mjs", import.meta.url));

export interface Called {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CallOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments of Node itself. */
  readonly node?: readonly string[];
  /** Called with all of stdout and stderr so far, whenever some comes. */
  readonly onOutput?: (text: string, kill: Kill) => void;
  /** Takes stdout piece by piece; then it is not kept, however much it is. */
  readonly onChunk?: (text: string) => void;
}

/** Sends a signal; `closeOutput` goes away as a reader. */
export interface Kill {
  (signal: NodeJS.Signals): void;
  closeOutput(): void;
}

/** Calls the real binary and keeps both streams. */
export function flow(words: readonly string[], options: CallOptions = {}): Promise<Called> {
  return new Promise((resolve, reject) => {
    const { NO_COLOR: _no, FORCE_COLOR: _force, MILLRACE_STORE: _store, ...env } = process.env;
    const child = spawn(process.execPath, [...(options.node ?? []), BINARY, ...words], {
      cwd: options.cwd ?? tmpdir(),
      env: { ...env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const kill: Kill = Object.assign((signal: NodeJS.Signals) => void child.kill(signal), {
      closeOutput: () => void child.stdout.destroy(),
    });
    const streams = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        if (name === "stdout" && options.onChunk !== undefined) {
          options.onChunk(text);
          return;
        }
        streams[name] += text;
        options.onOutput?.(streams.stdout + streams.stderr, kill);
      });
    }
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, ...streams }));
  });
}

/** A folder for one test, gone when `using` ends. */
export function temporaryFolder(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), "millrace-cli-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** An output that keeps what is written; a terminal when it is given a size. */
export function memoryOutput(terminal?: {
  readonly columns: number;
  readonly rows: number;
}): Output & { text(): string; take(): string } {
  const decoder = new TextDecoder();
  let text = "";
  let taken = 0;
  return {
    write: (more, cursor = "") => {
      text += cursor + (typeof more === "string" ? more : decoder.decode(more, { stream: true }));
    },
    isOpen: () => true,
    drained: async () => {},
    isTerminal: terminal !== undefined,
    columns: () => terminal?.columns ?? Number.POSITIVE_INFINITY,
    rows: () => terminal?.rows ?? 24,
    paint: createPaint(false),
    text: () => text,
    take() {
      const fresh = text.slice(taken);
      taken = text.length;
      return fresh;
    },
  };
}

/** The lines that a terminal shows after these writes; knows what the live block uses (cursor up, erase, first column). */
export function screenOf(written: string): readonly string[] {
  const lines: string[] = [""];
  let row = 0;
  let column = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it reads what is written to a terminal.
  for (const part of written.split(/(\x1b\[\??\d*[A-Za-z]|\n|\r)/)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
    const up = /^\x1b\[(\d+)A$/.exec(part);
    const line = lines[row] ?? "";
    if (part === "\n") {
      row++;
      column = 0;
      lines[row] ??= "";
    } else if (part === "\r") column = 0;
    else if (up !== null) row -= Number(up[1]);
    else if (part === "\x1b[0J") lines.splice(row, lines.length, line.slice(0, column));
    else if (part === "\x1b[K") lines[row] = line.slice(0, column);
    else if (!part.startsWith("\x1b")) {
      lines[row] = line.slice(0, column) + part + line.slice(column + part.length);
      column += part.length;
    }
  }
  return lines;
}
