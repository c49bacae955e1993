/**
 * Runs batches in worker threads, each with a port of its own for batches and their reports: so it is known which thread runs
 * which batch, and one thread can be replaced while the others go on. Nothing waits by Atomics: a worker that waits for its
 * next message must still serve timers and sockets of user code.
 */
import { getHeapStatistics } from "node:v8";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { deserializeError, serializeError } from "../errors/flow-error.ts";
import type { LogChunk, TaskSequence } from "../metadata/metadata-store.ts";
import { Ending } from "../util/ending.ts";
import { within } from "../util/within.ts";
import { AbortWords } from "./abort-words.ts";
import type { ArrayLine, ArrayMemory } from "./array-memory.ts";
import { ExecutorLostError, type LostReason } from "./executor.ts";
import { HeapWatch, threadHeapMb } from "./heap-watch.ts";
import { type ChunkCounts, LastWords } from "./last-words.ts";
import {
  CANCEL_WORD,
  type CallMessage,
  type HeardMessage,
  type Placement,
  type RunContext,
  type WorkerMessage,
} from "./protocol.ts";
import { SecretMask } from "./secret-mask.ts";
import { noteStuckWorker } from "./stuck-workers.ts";
import { packBatch, unpackReport, type WireBatch, type WireReport } from "./wire.ts";
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
  /** Folder in which Node keeps compiled code: a thread has none by itself. Default: nowhere. */
  readonly compileCache?: string | undefined;
  /** Environment of the program; threads that need no other share a copy of it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether that is another one than this process has. */
  readonly isOwnEnvironment?: boolean;
  /** What the heap of a thread may hold, in MB. Default: as much as this thread's own, which is Node's to say. */
  readonly heapMb?: number;
  /** Large arrays that all threads of the run share. */
  readonly arrays: ArrayMemory;
  /** Takes over what a thread hands over to reach a store behind a network. */
  readonly serveStorage?: (line: unknown) => void;
}

/** What the worker's entry file finds in `workerData`. */
export interface ThreadWorkerData {
  readonly control: SharedArrayBuffer;
  readonly lastWords: SharedArrayBuffer;
  /** Where batches come and reports go. */
  readonly port: MessagePort;
  readonly compileCache: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a thread sends beside its answers; a call brings the port that it is answered by. */
export type ThreadMessage =
  | WorkerMessage
  | (CallMessage & { readonly port: MessagePort })
  /** The thread wants to share large arrays with others. */
  | ({ readonly kind: "arrays" } & ArrayLine)
  /** The thread wants to talk to the one that talks to a store behind a network. */
  | StorageRequest;

/** What it hands over is none of the runner's business. */
export interface StorageRequest {
  readonly kind: "storage";
  readonly line: unknown;
}

/** A batch as a thread gets it. */
export type ThreadBatch = Omit<WireBatch<WorkerBatch & { readonly abortWords?: SharedArrayBuffer }>, "run"> & {
  /** Absent where it is that of the batch before. */
  readonly run?: RunContext;
};

/** Between two runs: what a thread is to do, see `WorkerHost`. */
export interface ThreadTurn {
  readonly turn: "rest" | "renew";
}

/**
 * What a thread answers to a batch or a turn; an error is one of ours. After a report that is unsure it looks at itself, and
 * tells what it found in another report: whoever asks for the look, by a batch without tasks, is to hear that one.
 */
export type ThreadAnswer =
  | { readonly report: WireReport }
  | { readonly isReady: boolean }
  | { readonly error: unknown };

/** How long a thread may take to rest and to load its flow anew; one that takes longer is not kept. */
const TURN_WAIT_MS = { rest: 200, renew: 2_000 };

/** How long what a thread says last is waited for: its messages are all here when it is gone. */
const LAST_WORDS_WAIT_MS = 1_000;

/**
 * The young generation of a thread's heap; without a bound it grows with the machine's memory. 100,000 small tasks took
 * 680 MB in all without it and 415 MB with it, at the same speed.
 */
const YOUNG_MB = 48;

/** Makes what opens threads of one placement. */
export function threadHosts(options: ThreadOptions, placement?: Placement): OpenHost {
  const control = new SharedArrayBuffer(4);
  const limitMb = options.heapMb ?? Math.floor(getHeapStatistics().heap_size_limit / 1024 / 1024);
  const env = environmentOf(options, placement);
  const secrets = Object.values(placement?.secrets ?? {});
  const { arrays, compileCache, serveStorage } = options;
  return (events) => {
    const lastWords = new LastWords();
    const { port1: port, port2 } = new MessageChannel();
    const data = { control, lastWords: lastWords.buffer, port: port2, compileCache, data: options.data };
    const worker = new Worker(options.file, {
      workerData: data satisfies ThreadWorkerData,
      transferList: [port2],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB, maxOldGenerationSizeMb: threadHeapMb(limitMb) },
      ...(env === undefined ? {} : { env }),
    });
    return new ThreadHost({
      worker,
      port,
      control: new Int32Array(control),
      lastWords,
      limitMb,
      secrets,
      arrays,
      events,
      ...(serveStorage === undefined ? {} : { serveStorage }),
    });
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

interface ThreadHostOptions extends Pick<ThreadOptions, "serveStorage"> {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly control: Int32Array;
  readonly lastWords: LastWords;
  readonly limitMb: number;
  readonly secrets: readonly string[];
  readonly arrays: ArrayMemory;
  readonly events: HostEvents;
}

class ThreadHost implements WorkerHost {
  readonly #options: ThreadHostOptions;
  readonly #heap: HeapWatch;
  #mask: SecretMask;
  /** That of the last batch. */
  #run: RunContext | undefined;
  readonly #gone = new Ending();
  readonly #heard = new HeardChunks();
  #abortWords: AbortWords | undefined;
  /** Takes the answer to what runs. */
  #answered: ((answer: ThreadAnswer) => void) | undefined;
  /** An answer that nobody has asked for yet. */
  #early: ThreadAnswer | undefined;
  #isBusy = false;
  /** Of the batch that runs or ran last. */
  #step = "";
  #isOver = false;
  #closed: Promise<void> | undefined;

  constructor(options: ThreadHostOptions) {
    const { worker, port, events } = options;
    this.#options = options;
    this.#mask = new SecretMask(options.secrets);
    this.#heap = new HeapWatch(worker, options.limitMb, () => void this.close());
    port.on("message", (answer: ThreadAnswer) => this.#hear(answer));
    worker.on("message", (message: ThreadMessage) => {
      if (message.kind === "arrays") return options.arrays.serve(message);
      if (message.kind === "storage") return options.serveStorage?.(message.line);
      if (message.kind === "output") this.#heard.add(message.chunk);
      return events.message(withReply(message));
    });
    worker.on("error", (error: Error) => this.#died(error));
    worker.on("exit", (code) => this.#died(new Error(`worker exited with code: ${code}`)));
    this.#keepAlive(false);
  }

  async run(batch: WorkerBatch): Promise<BatchReport> {
    this.#begin();
    this.#step = batch.step.name;
    this.#heap.start();
    this.#abortWords = batch.isWatched === true ? new AbortWords() : undefined;
    try {
      const isLook = batch.tasks.length === 0 && batch.hook === undefined;
      if (!this.#isOver && !isLook) this.#send(batch);
      const answered = await this.#gone.before(this.#answer());
      if ("report" in answered) return unpackReport(answered.report, batch.tasks);
      throw "error" in answered ? answered.error : new Error("it answered something else");
    } catch (cause) {
      this.#isOver = true;
      const lost = this.#lost(cause);
      await this.#tellLastWords();
      throw lost;
    } finally {
      this.#end();
      this.#heap.stop();
      this.#abortWords = undefined;
    }
  }

  /** What a thread is told of a run once, it knows for the batches that follow. */
  #send(batch: WorkerBatch): void {
    const { run, ...packed } = packBatch(batch);
    const isKnown = run === this.#run;
    if (!isKnown) this.#mask = new SecretMask([...this.#options.secrets, ...Object.values(run.secrets)]);
    const abortWords = this.#abortWords === undefined ? {} : { abortWords: this.#abortWords.buffer };
    const message: ThreadBatch = { ...packed, ...abortWords, ...(isKnown ? {} : { run }) };
    this.#options.port.postMessage(message);
    this.#run = run;
  }

  #begin(): void {
    this.#isBusy = true;
    this.#keepAlive(true);
  }

  #end(): void {
    this.#isBusy = false;
    this.#answered = undefined;
    this.#keepAlive(false);
  }

  #answer(): Promise<ThreadAnswer> {
    const { promise, resolve } = Promise.withResolvers<ThreadAnswer>();
    if (this.#early === undefined) this.#answered = resolve;
    else resolve(this.#early);
    this.#early = undefined;
    return promise;
  }

  #hear(answer: ThreadAnswer): void {
    const heard = this.#answered;
    this.#answered = undefined;
    if (heard === undefined) this.#early = answer;
    else heard(answer);
  }

  rest(): Promise<boolean> {
    return this.#take({ turn: "rest" });
  }

  renew(): Promise<boolean> {
    return this.#take({ turn: "renew" });
  }

  async #take(turn: ThreadTurn): Promise<boolean> {
    this.#begin();
    try {
      this.#options.port.postMessage(turn);
      const answer = this.#answer();
      const isThere = await within(TURN_WAIT_MS[turn.turn], this.#gone.before(answer));
      const answered = isThere ? await answer : undefined;
      return answered !== undefined && "isReady" in answered && answered.isReady;
    } catch {
      return false; // It has ended.
    } finally {
      this.#end();
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
    this.#closed ??= this.#terminate();
    return this.#closed;
  }

  async #tellLastWords(): Promise<void> {
    const { lastWords, events } = this.#options;
    await within(LAST_WORDS_WAIT_MS, this.close());
    for (const chunk of lastWords.take((...attempt) => this.#heard.of(...attempt)))
      events.message({ kind: "output", chunk });
  }

  /** A thread that has nothing to run does not keep the process alive. */
  #keepAlive(isKept: boolean): void {
    const { worker, port } = this.#options;
    for (const each of [worker, port]) isKept ? each.ref() : each.unref();
  }

  /** Terminates the thread, rejects what it runs, and waits until it is gone; but not for ever. */
  async #terminate(): Promise<void> {
    const { worker, port } = this.#options;
    this.#gone.come(new Error("the worker thread was ended"));
    const isGone = await within(END_WAIT_MS, worker.terminate());
    port.close();
    if (isGone) return;
    noteStuckWorker();
    this.#options.events.message({ kind: "stuck", step: this.#step });
  }

  #died(cause: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#gone.come(cause);
    if (!this.#isBusy) this.#options.events.died(this.#lost(cause));
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

function withReply(message: Exclude<ThreadMessage, { kind: "arrays" | "storage" }>): HeardMessage {
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
