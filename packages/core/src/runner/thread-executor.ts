/**
 * Runs batches in worker threads. Each worker is a piscina of one thread: so it is known which thread runs which batch,
 * and one thread can be replaced while the others go on. Atomics mode is off: a worker that waits for its next message
 * must still serve timers and sockets of user code.
 */
import type { Piscina } from "piscina";
import { AbortWords } from "./abort-words.ts";
import { ExecutorLostError, type LostReason } from "./executor.ts";
import { CANCEL_WORD, type Placement, type WorkerMessage } from "./protocol.ts";
import type { BatchReport, HostEvents, OpenHost, WorkerBatch, WorkerHost } from "./worker-host.ts";

export interface ThreadOptions {
  /** The worker's entry file. */
  readonly file: string;
  /** Structured-cloneable data that the entry file reads from `workerData`, beside the control words. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Environment of the program; threads that need no other share a copy of it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What the worker's entry file finds in `workerData`. */
export interface ThreadWorkerData {
  readonly control: SharedArrayBuffer;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A batch as a thread gets it; without one, the thread has only to be there. */
export type ThreadBatch = (WorkerBatch & { readonly abortWords?: SharedArrayBuffer }) | undefined;

type ThreadPool = Piscina<ThreadBatch, BatchReport | undefined>;

/** Makes what opens threads of one placement. */
export async function threadHosts(options: ThreadOptions, placement?: Placement): Promise<OpenHost> {
  // Importing piscina takes longer than all else that a command does at start, so only runs pay for it.
  const { Piscina } = await import("piscina");
  const control = new SharedArrayBuffer(4);
  const workerData: ThreadWorkerData = { control, data: options.data };
  const limitMb = placement?.memoryMb;
  const env = environmentOf(options, placement);
  const poolOptions = {
    filename: options.file,
    workerData,
    // The one thread is asked for by a first, empty message. With a minimum, piscina would start another by itself when it
    // ends, and would not when it ends early.
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
    concurrentTasksPerWorker: 1,
    atomics: "disabled",
    recordTiming: false,
    ...(limitMb === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: limitMb } }),
    ...(env === undefined ? {} : { env }),
  } as const;
  return (events) => new ThreadHost(new Piscina(poolOptions), new Int32Array(control), limitMb, events);
}

/** The variables of threads whose steps have some of their own. */
function environmentOf(
  { environment }: ThreadOptions,
  placement: Placement | undefined,
): NodeJS.ProcessEnv | undefined {
  if (placement?.environment === undefined && placement?.secrets === undefined) return undefined;
  return { ...environment, ...placement.environment, ...placement.secrets };
}

class ThreadHost implements WorkerHost {
  readonly #pool: ThreadPool;
  readonly #control: Int32Array;
  readonly #limitMb: number | undefined;
  readonly #events: HostEvents;
  readonly #gone = Promise.withResolvers<never>();
  #abortWords: AbortWords | undefined;
  #isRunning = false;
  #isOver = false;
  #closed: Promise<void> | undefined;

  constructor(pool: ThreadPool, control: Int32Array, limitMb: number | undefined, events: HostEvents) {
    this.#pool = pool;
    this.#control = control;
    this.#limitMb = limitMb;
    this.#events = events;
    this.#gone.promise.catch(() => {}); // A batch that runs meanwhile is rejected by it; without one, `died` is told.
    pool.on("message", (message: WorkerMessage) => events.message(message));
    // Without a batch to reject, piscina can only say that its thread has died: a late timer threw, or it could not start.
    pool.on("error", (error: Error) => this.#died(error));
    pool.on("workerDestroy", () => setImmediate(() => this.#died(new Error("the worker thread ended"))));
    pool.run(undefined).catch((error: unknown) => this.#died(error));
  }

  async run(batch: WorkerBatch): Promise<BatchReport> {
    this.#isRunning = true;
    this.#abortWords = batch.isWatched === true ? new AbortWords() : undefined;
    const message: ThreadBatch =
      this.#abortWords === undefined ? batch : { ...batch, abortWords: this.#abortWords.buffer };
    try {
      const report = await Promise.race([this.#pool.run(message), this.#gone.promise]);
      return report!;
    } catch (cause) {
      this.#isOver = true;
      throw this.#lost(cause);
    } finally {
      this.#isRunning = false;
      this.#abortWords = undefined;
    }
  }

  abort(reason: string): void {
    this.#abortWords?.raise(reason);
  }

  cancel(): void {
    Atomics.store(this.#control, CANCEL_WORD, 1);
    Atomics.notify(this.#control, CANCEL_WORD);
  }

  close(): Promise<void> {
    this.#isOver = true;
    // Terminates the thread, rejects what it runs, and waits until it is gone.
    this.#closed ??= this.#pool.destroy();
    return this.#closed;
  }

  #died(cause: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#gone.reject(cause);
    if (!this.#isRunning) this.#events.died(this.#lost(cause));
  }

  #lost(cause: unknown): ExecutorLostError {
    if (cause instanceof ExecutorLostError) return cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    return new ExecutorLostError(message, reasonOf(cause, this.#limitMb), { cause });
  }
}

function reasonOf(cause: unknown, limitMb: number | undefined): LostReason {
  const { code, message } =
    cause instanceof Error ? (cause as NodeJS.ErrnoException) : ({} as { code?: string; message?: string });
  if (code === "ERR_WORKER_OUT_OF_MEMORY")
    return { kind: "out-of-memory", ...(limitMb === undefined ? {} : { limitMb }) };
  const exited = /^worker exited with code: (-?\d+)$/.exec(message ?? "");
  return exited === null ? { kind: "other" } : { kind: "exited", code: Number(exited[1]) };
}
