import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";

/** How often a process is looked at: filling memory takes about as long for every 100 MB. */
const LOOK_MS = 50;

/**
 * Looks at how much memory a process holds while it runs a batch: all of it, not just the heap that V8 bounds by itself.
 * It is looked at from outside, since a step that fills memory leaves its own event loop no turn.
 */
export class MemoryWatch {
  readonly #pid: number;
  readonly #limitMb: number;
  readonly #onOver: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** Whether the process held more than it may. */
  isOver = false;

  constructor(pid: number, limitMb: number, onOver: () => void) {
    this.#pid = pid;
    this.#limitMb = limitMb;
    this.#onOver = onOver;
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    const heldMb = await residentMb(this.#pid);
    if (heldMb === undefined || heldMb <= this.#limitMb || this.isOver) return;
    this.isOver = true;
    this.#onOver();
  }
}

/** Memory that a process holds, in MB; undefined when it is gone or the system does not say. */
async function residentMb(pid: number): Promise<number | undefined> {
  if (process.platform === "linux") {
    try {
      const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
    } catch {
      return undefined; // It has just ended.
    }
  }
  return new Promise((resolve) => {
    execFile("ps", ["-o", "rss=", "-p", String(pid)], (error, stdout) =>
      resolve(error === null ? Number(stdout) / 1024 : undefined),
    );
  });
}
