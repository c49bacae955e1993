/**
 * Runs batches in worker threads. Each worker is a piscina of one thread: so it is known which thread runs which batch,
 * and one thread can be replaced while the others go on. Atomics mode is off: a worker that waits for its next message
 * must still serve timers and sockets of user code.
 */
import { getHeapStatistics } from "node:v8";
import type { MessagePort } from "node:worker_threads";
import type { Piscina } from "piscina";
import { deserializeError, serializeError } from "../errors/flow-error.ts";
import type { LogChunk, TaskSequence } from "../metadata/metadata-store.ts";
import { Ending } from "../util/ending.ts";
import { within } from "../util/within.ts";
import { AbortWords } from "./abort-words.ts";
import type { ArrayLine, ArrayMemory } from "./array-memory.ts";
import { ExecutorLostError, type LostReason } from "./executor.ts";
import { HeapWatch, threadHeapMb } from "./heap-watch.ts";
import { type ChunkCounts, LastWords } from "./last-words.ts";
import { CANCEL_WORD, type CallMessage, type HeardMessage, type Placement, type WorkerMessage } from "./protocol.ts";
import { SecretMask } from "./secret-mask.ts";
import { noteStuckWorker } from "./stuck-workers.ts";
import {
  type BatchReport,
  END_WAIT_MS,
  type HostEvents,
  type OpenHost,
  type WorkerBatch,
  type WorkerHost,
} from "./worker-host.ts";

export interface ThreadOptions {
  /** The worker's entry file. */
  readonly file: string;
  /** Structured-cloneable data that the entry file reads from `workerData`, beside the control words. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Environment of the program; threads that need no other share a copy of it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether that is another one than this process has. */
  readonly isOwnEnvironment?: boolean;
  /** What the heap of a thread may hold, in MB. Default: as much as this thread's own, which is Node's to say. */
  readonly heapMb?: number;
  /** Large arrays that all threads of the run share. */
  readonly arrays: ArrayMemory;
}

/** What the worker's entry file finds in `workerData`. */
export interface ThreadWorkerData {
  readonly control: SharedArrayBuffer;
  readonly lastWords: SharedArrayBuffer;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a thread sends beside its answers; a call brings the port that it is answered by. */
export type ThreadMessage =
  | WorkerMessage
  | (CallMessage & { readonly port: MessagePort })
  /** The thread wants to share large arrays with others. */
  | ({ readonly kind: "arrays" } & ArrayLine);

/** A batch as a thread gets it; without one, the thread has only to be there. */
export type ThreadBatch = (WorkerBatch & { readonly abortWords?: SharedArrayBuffer }) | undefined;

/** How long what a thread says last is waited for: its messages are all here when it is gone. */
const LAST_WORDS_WAIT_MS = 1_000;

type ThreadPool = Piscina<ThreadBatch, BatchReport | undefined>;

/**
 * The young generation of a thread's heap; without a bound it grows with the machine's memory. 100,000 small tasks took
 * 680 MB in all without it and 415 MB with it, at the same speed.
 */
const YOUNG_MB = 48;

/** Makes what opens threads of one placement. */
export async function threadHosts(options: ThreadOptions, placement?: Placement): Promise<OpenHost> {
  // Importing piscina takes longer than all else that a command does at start, so only runs pay for it.
  const { Piscina } = await import("piscina");
  const control = new SharedArrayBuffer(4);
  const limitMb = options.heapMb ?? Math.floor(getHeapStatistics().heap_size_limit / 1024 / 1024);
  const env = environmentOf(options, placement);
  const poolOptions = {
    filename: options.file,
    // The one thread is asked for by a first, empty message. With a minimum, piscina would start another by itself when it
    // ends, and would not when it ends early.
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
    concurrentTasksPerWorker: 1,
    atomics: "disabled",
    recordTiming: false,
    resourceLimits: {
      maxYoungGenerationSizeMb: YOUNG_MB,
      maxOldGenerationSizeMb: threadHeapMb(limitMb),
    },
    ...(env === undefined ? {} : { env }),
  } as const;
  const secrets = Object.values(placement?.secrets ?? {});
  const { arrays } = options;
  return (events) => {
    const lastWords = new LastWords();
    const workerData: ThreadWorkerData = { control, lastWords: lastWords.buffer, data: options.data };
    const pool: ThreadPool = new Piscina({ ...poolOptions, workerData });
    return new ThreadHost({ pool, control: new Int32Array(control), lastWords, limitMb, secrets, arrays, events });
  };
}

/** The variables of threads whose steps have some of their own. */
function environmentOf(
  { environment, isOwnEnvironment = false }: ThreadOptions,
  placement: Placement | undefined,
): NodeJS.ProcessEnv | undefined {
  if (!isOwnEnvironment && placement?.environment === undefined && placement?.secrets === undefined) return undefined;
  return { ...environment, ...placement?.environment, ...placement?.secrets };
}

interface ThreadHostOptions {
  readonly pool: ThreadPool;
  readonly control: Int32Array;
  readonly lastWords: LastWords;
  readonly limitMb: number;
  readonly secrets: readonly string[];
  readonly arrays: ArrayMemory;
  readonly events: HostEvents;
}

class ThreadHost implements WorkerHost {
  readonly #options: ThreadHostOptions;
  readonly #pool: ThreadPool;
  readonly #heap: HeapWatch;
  #mask: SecretMask;
  readonly #gone = new Ending();
  readonly #heard = new HeardChunks();
  #abortWords: AbortWords | undefined;
  #isRunning = false;
  /** Of the batch that runs or ran last. */
  #step = "";
  #isOver = false;
  #closed: Promise<void> | undefined;

  constructor(options: ThreadHostOptions) {
    const { pool, events } = options;
    this.#options = options;
    this.#pool = pool;
    this.#mask = new SecretMask(options.secrets);
    this.#heap = new HeapWatch(
      () => pool.threads[0],
      options.limitMb,
      () => void this.close(),
    );
    pool.on("message", (message: ThreadMessage) => {
      if (message.kind === "arrays") return options.arrays.serve(message);
      if (message.kind === "output") this.#heard.add(message.chunk);
      return events.message(withReply(message));
    });
    // Without a batch to reject, piscina can only say that its thread has died: a late timer threw, or it could not start.
    pool.on("error", (error: Error) => this.#died(error));
    pool.on("workerDestroy", () => setImmediate(() => this.#died(new Error("the worker thread ended"))));
    pool.run(undefined).catch((error: unknown) => this.#died(error));
  }

  async run(batch: WorkerBatch): Promise<BatchReport> {
    this.#isRunning = true;
    this.#step = batch.step.name;
    this.#heap.start();
    this.#mask = new SecretMask([...this.#options.secrets, ...Object.values(batch.run.secrets)]);
    this.#abortWords = batch.isWatched === true ? new AbortWords() : undefined;
    const message: ThreadBatch =
      this.#abortWords === undefined ? batch : { ...batch, abortWords: this.#abortWords.buffer };
    try {
      const report = await this.#gone.before(this.#pool.run(message));
      return report!;
    } catch (cause) {
      this.#isOver = true;
      const lost = this.#lost(cause);
      await this.#tellLastWords();
      throw lost;
    } finally {
      this.#isRunning = false;
      this.#heap.stop();
      this.#abortWords = undefined;
    }
  }

  abort(reason: string): void {
    this.#abortWords?.raise(reason);
  }

  cancel(): void {
    Atomics.store(this.#options.control, CANCEL_WORD, 1);
    Atomics.notify(this.#options.control, CANCEL_WORD);
  }

  close(): Promise<void> {
    this.#isOver = true;
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #tellLastWords(): Promise<void> {
    const { lastWords, events } = this.#options;
    await within(LAST_WORDS_WAIT_MS, this.close());
    for (const chunk of lastWords.take((...attempt) => this.#heard.of(...attempt)))
      events.message({ kind: "output", chunk });
  }

  /** Terminates the thread, rejects what it runs, and waits until it is gone; but not for ever. */
  async #end(): Promise<void> {
    if (await within(END_WAIT_MS, this.#pool.destroy())) return;
    noteStuckWorker();
    this.#options.events.message({ kind: "stuck", step: this.#step });
  }

  #died(cause: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#gone.come(cause);
    if (!this.#isRunning) this.#options.events.died(this.#lost(cause));
  }

  #lost(cause: unknown): ExecutorLostError {
    if (cause instanceof ExecutorLostError) return cause;
    const message = this.#mask.text(cause instanceof Error ? cause.message : String(cause));
    const { limitMb } = this.#options;
    const why = this.#heap.isOver ? outOfMemory(limitMb) : reasonOf(cause, limitMb);
    return new ExecutorLostError(message, why, { cause: masked(cause, this.#mask) });
  }
}

/** Chunks of the newest attempt that came as messages. */
class HeardChunks {
  #newest: { readonly task: TaskSequence; readonly attempt: number; stdout: number; stderr: number } | undefined;

  add({ task, attempt, stream }: LogChunk): void {
    if (this.#newest?.task !== task || this.#newest.attempt !== attempt)
      this.#newest = { task, attempt, stdout: 0, stderr: 0 };
    this.#newest[stream]++;
  }

  of(task: TaskSequence, attempt: number): ChunkCounts {
    return this.#newest?.task === task && this.#newest.attempt === attempt ? this.#newest : { stdout: 0, stderr: 0 };
  }
}

function withReply(message: Exclude<ThreadMessage, { kind: "arrays" }>): HeardMessage {
  if (message.kind !== "call") return message;
  const { port, ...call } = message;
  return { ...call, reply: (reply) => port.postMessage(reply) };
}

/** An error that came from a thread is told like any other: nobody has masked it there. */
function masked(cause: unknown, mask: SecretMask): unknown {
  return cause instanceof Error ? deserializeError(mask.error(serializeError(cause))) : cause;
}

function reasonOf(cause: unknown, limitMb: number): LostReason {
  const { code, message } =
    cause instanceof Error ? (cause as NodeJS.ErrnoException) : ({} as { code?: string; message?: string });
  if (code === "ERR_WORKER_OUT_OF_MEMORY") return outOfMemory(limitMb);
  const exited = /^worker exited with code: (-?\d+)$/.exec(message ?? "");
  return exited === null ? { kind: "other" } : { kind: "exited", code: Number(exited[1]) };
}

function outOfMemory(limitMb: number): LostReason {
  return { kind: "out-of-memory", isolate: "thread", limitMb };
}
