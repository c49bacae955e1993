/**
 * Runs batches in worker threads through piscina. The pool starts with the executor and its threads stay until the run
 * ends, so that a code package is loaded once in each. Atomics mode is off: a worker that waits for its next message must
 * still serve timers and sockets of user code.
 *
 * Piscina gives up starting threads when one fails before it is ready, and leaves what is queued unanswered. So this
 * executor watches for threads that die and rejects what nobody will run any more.
 */
import type { Piscina } from "piscina";
import { serializeError } from "../errors/flow-error.ts";
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

/** So many threads may die one after another without a single result before the executor gives up. */
const DEATHS_IN_A_ROW = 8;

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
  readonly #waiting = new Set<(error: Error) => void>();
  readonly #listeners: ((message: WorkerMessage) => void)[] = [];
  #isClosed = false;
  #broken: Error | undefined;
  #lastError: Error | undefined;
  #deaths = 0;

  constructor(pool: Piscina<Batch, readonly TaskResult[]>, control: Int32Array, slots: number) {
    this.slots = slots;
    this.#pool = pool;
    this.#control = control;
    pool.on("message", (message: WorkerMessage) => this.#tell(message));
    // Without a batch to reject, piscina can only say that a thread has died: a late timer threw, or it could not start.
    pool.on("error", (error: Error) => {
      this.#lastError = error;
      this.#tell({ kind: "stray-error", error: serializeError(error) });
      this.#threadDied();
    });
    pool.on("workerDestroy", () => this.#threadDied());
  }

  async submit(batch: Batch): Promise<readonly TaskResult[]> {
    if (this.#broken !== undefined || this.#isClosed) throw this.#lost(this.#broken);
    const given = Promise.withResolvers<never>();
    this.#waiting.add(given.reject);
    try {
      const results = await Promise.race([this.#pool.run(batch), given.promise]);
      this.#deaths = 0;
      return results;
    } catch (cause) {
      throw this.#lost(cause);
    } finally {
      this.#waiting.delete(given.reject);
    }
  }

  onMessage(listener: (message: WorkerMessage) => void): void {
    this.#listeners.push(listener);
  }

  cancel(): void {
    Atomics.store(this.#control, CANCEL_WORD, 1);
    Atomics.notify(this.#control, CANCEL_WORD);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#pool.destroy();
  }

  #tell(message: WorkerMessage): void {
    for (const listener of this.#listeners) listener(message);
  }

  /** Piscina replaces most threads that die; it is over when it does not, or when they die again and again. */
  #threadDied(): void {
    if (this.#isClosed || this.#broken !== undefined) return;
    this.#deaths++;
    setImmediate(() => {
      if (this.#isClosed || (this.#pool.threads.length > 0 && this.#deaths < DEATHS_IN_A_ROW)) return;
      this.#broken = this.#lastError ?? new Error("no worker thread stays alive");
      for (const reject of this.#waiting) reject(this.#broken);
    });
  }

  #lost(cause: unknown): ExecutorLostError {
    if (this.#isClosed) return new ExecutorLostError("the workers were ended", { cause });
    return new ExecutorLostError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
