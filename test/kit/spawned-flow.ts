/**
 * The real command as a program that a test hurts: it leads a process group of its own, and it and all that it starts
 * carry a word in their environment, by which the system says who of them is still there.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { BINARY, type Called } from "../cli/kit.ts";

const MARK = "MILLRACE_TEST_MARK";
const PIPES_MS = 2_000;

export class SpawnedFlow {
  readonly ended: Promise<Called & { readonly durationMs: number }>;
  readonly #child: ChildProcess;
  readonly #mark = `${process.pid}-${randomBytes(8).toString("hex")}`;
  readonly #listeners = new Set<() => void>();
  #text = "";

  /** @param options.under a program that starts the command, with its arguments: a tracer, a limit, another user */
  constructor(
    words: readonly string[],
    options: { readonly cwd: string; readonly env?: Record<string, string>; readonly under?: readonly string[] },
  ) {
    const { NO_COLOR: _no, FORCE_COLOR: _force, MILLRACE_STORE: _store, ...env } = process.env;
    const begin = performance.now();
    const [program, ...parameters] = [...(options.under ?? []), process.execPath, BINARY, ...words];
    this.#child = spawn(program!, parameters, {
      cwd: options.cwd,
      env: { ...env, ...options.env, [MARK]: this.#mark },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const streams = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      this.#child[name]!.setEncoding("utf8").on("data", (text: string) => {
        streams[name] += text;
        this.#text += text;
        this.#look();
      });
    }
    this.ended = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("exit", (code, signal) => {
        const durationMs = performance.now() - begin;
        // What it left behind may hold its pipes open: then they are not read to their end.
        const read = Promise.race([once(this.#child, "close"), wait(PIPES_MS)]);
        void read.then(() => {
          resolve({ code, signal, ...streams, durationMs });
          this.#look();
        });
      });
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Resolves when all that was written so far fits, or when the process has ended. */
  heard(fits: (text: string) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!this.isOver && !fits(this.#text)) return;
        this.#listeners.delete(look);
        resolve();
      };
      this.#listeners.add(look);
      look();
    });
  }

  /** Resolves after a time, or when the process has ended. */
  async after(delayMs: number): Promise<void> {
    await Promise.race([wait(delayMs), this.ended]);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends the command and all that is in its group, as a terminal or a machine that goes down does. */
  killGroup(): void {
    if (this.isOver) return;
    process.kill(-this.pid, "SIGKILL");
  }

  /** Processes that it has started, by itself or through others, and that are there now. */
  descendants(): readonly number[] {
    return processesWith(this.#mark).filter((pid) => pid !== this.pid);
  }

  /** What is left of it and of all that it has started, after at most so long. */
  async leftAfter(limitMs: number): Promise<readonly number[]> {
    const end = performance.now() + limitMs;
    let left = processesWith(this.#mark);
    while (left.length > 0 && performance.now() < end) {
      await wait(20);
      left = processesWith(this.#mark);
    }
    return left;
  }

  #look(): void {
    for (const look of this.#listeners) look();
  }
}

/** Processes whose environment has a word, as Linux shows it; elsewhere none are seen. */
function processesWith(word: string): readonly number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`).includes(`${MARK}=${word}`);
      } catch {
        return false; // It ended meanwhile, or belongs to someone else.
      }
    });
}
