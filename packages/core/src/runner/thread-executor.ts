/**
 * Runs batches in worker threads through piscina. The pool starts with the executor and its threads stay until the run
 * ends, so that a code package is loaded once in each. Atomics mode is off: a worker that waits for its next message must
 * still serve timers and sockets of user code.
 */
import type { Piscina } from "piscina";
import { type Executor, ExecutorLostError } from "./executor.ts";
import { type Batch, CANCEL_WORD, type TaskResult, type WorkerMessage } from "./protocol.ts";

export interface ThreadExecutorOptions {
  /** The worker's entry file. */
  readonly file: string;
  /** Structured-cloneable data that the entry file reads from `workerData`, beside the control words. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly slots: number;
}

/** What the worker's entry file finds in `workerData`. */
export interface ThreadWorkerData {
  readonly control: SharedArrayBuffer;
  readonly data: Readonly<Record<string, unknown>>;
}

export async function openThreadExecutor(options: ThreadExecutorOptions): Promise<Executor> {
  // Importing piscina takes longer than all else that a command does at start, so only runs pay for it.
  const { Piscina } = await import("piscina");
  const control = new SharedArrayBuffer(4);
  const workerData: ThreadWorkerData = { control, data: options.data };
  const pool = new Piscina({
    filename: options.file,
    workerData,
    minThreads: options.slots,
    maxThreads: options.slots,
    idleTimeout: Number.POSITIVE_INFINITY,
    concurrentTasksPerWorker: 1,
    atomics: "disabled",
    recordTiming: false,
  });
  return new ThreadExecutor(pool, new Int32Array(control), options.slots);
}

class ThreadExecutor implements Executor {
  readonly slots: number;
  readonly #pool: Piscina<Batch, readonly TaskResult[]>;
  readonly #control: Int32Array;
  #isClosed = false;

  constructor(pool: Piscina<Batch, readonly TaskResult[]>, control: Int32Array, slots: number) {
    this.slots = slots;
    this.#pool = pool;
    this.#control = control;
    // A thread that dies while it has no batch (a stray timer that throws) is replaced by piscina; a thread that dies
    // with one rejects the batch. Without a listener the event itself would end the process.
    pool.on("error", () => {});
  }

  async submit(batch: Batch): Promise<readonly TaskResult[]> {
    try {
      return await this.#pool.run(batch);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new ExecutorLostError(this.#isClosed ? "the workers were ended" : message, { cause });
    }
  }

  onMessage(listener: (message: WorkerMessage) => void): void {
    this.#pool.on("message", listener);
  }

  cancel(): void {
    Atomics.store(this.#control, CANCEL_WORD, 1);
    Atomics.notify(this.#control, CANCEL_WORD);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#pool.destroy();
  }
}
