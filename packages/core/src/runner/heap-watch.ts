import type { Worker } from "node:worker_threads";

/** How often the heap of a busy thread is looked at, when it may soon hold too much. */
const LOOK_MS = 50;
/** The longest time between two looks: a thread that sleeps costs next to nothing. */
const LONGEST_LOOK_MS = 2_000;
/** What a heap grows by at most, in bytes a millisecond: three times the 1.2 GB a second that filling one was seen to reach. */
const GROWTH_PER_MS = 4_000_000;
/**
 * What V8 may go beyond the limit before it ends by itself, in MB. At its own limit V8 has 16 MB left for the thread to
 * notice that it is to stop, and ends the whole process when one allocation needs more; so that limit is set higher, and
 * the one that was asked for is watched from outside.
 */
const LEEWAY_MB = 512;

/** Whether a thread can be asked for its heap while its code runs: from Node 22.16 on. */
function canWatch(worker: Worker): worker is Worker & { getHeapStatistics(): Promise<{ used_heap_size: number }> } {
  return "getHeapStatistics" in worker;
}

/** The heap limit that a thread is started with, in MB. */
export function threadHeapMb(limitMb: number): number {
  return Number(process.versions.node.split(".")[0]) >= 24 ? limitMb + LEEWAY_MB : limitMb;
}

/** Looks at a thread's heap while it runs a batch. Typed arrays and Buffers lie outside of it. */
export class HeapWatch {
  readonly #worker: Worker;
  readonly #limitBytes: number;
  readonly #onOver: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;
  #isAsking = false;
  /** Whether the heap held more than it may. */
  isOver = false;

  constructor(worker: Worker, limitMb: number, onOver: () => void) {
    this.#worker = worker;
    this.#limitBytes = limitMb * 1024 * 1024;
    this.#onOver = onOver;
  }

  start(): void {
    this.#isRunning = true;
    this.#lookAfter(LOOK_MS);
  }

  stop(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  #lookAfter(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), delayMs).unref();
  }

  async #look(): Promise<void> {
    const worker = this.#worker;
    if (this.#isAsking || this.isOver || !canWatch(worker)) return;
    this.#isAsking = true;
    // A thread that has just ended, or not begun yet, has no heap to tell of.
    const heap = await worker.getHeapStatistics().catch(() => undefined);
    this.#isAsking = false;
    const leftBytes = this.#limitBytes - (heap?.used_heap_size ?? 0);
    if (leftBytes >= 0) {
      // It cannot be full before: so the fuller it is, the more often it is looked at.
      if (this.#isRunning) this.#lookAfter(Math.min(Math.max(leftBytes / GROWTH_PER_MS, LOOK_MS), LONGEST_LOOK_MS));
      return;
    }
    this.isOver = true;
    this.#onOver();
  }
}
