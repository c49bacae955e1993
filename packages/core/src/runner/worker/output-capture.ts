/**
 * Catches what user code writes to stdout and stderr and says which task wrote it. Chunks go out live, a flood of
 * them gathered, and the rest travels with the task's result. What a task writes beyond `limit`
 * characters of one stream is counted and cut, and the cut is marked.
 *
 * A write that reaches the file descriptor directly (`fs.writeSync(1)`, native code) is not seen here.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { LogChunk, TaskSequence } from "../../metadata/metadata-store.ts";
import { listenToOutput } from "./output-patch.ts";

type Stream = LogChunk["stream"];

const FLUSH_MS = 100;
const FLUSH_CHARACTERS = 32 * 1024;
/** Chunks that go out without waiting in each FLUSH_MS. */
const FLUSHES_AT_ONCE = 10;

/** Characters of one stream of one attempt that are kept: 10 MiB, as Metaflow keeps 10 MB. */
const DEFAULT_LIMIT = 10 * 1024 * 1024;

class TaskOutput {
  readonly task: TaskSequence;
  readonly attempt: number;
  readonly #send: (chunk: LogChunk) => void;
  readonly #limit: number;
  readonly #pending: Record<Stream, string[]> = { stdout: [], stderr: [] };
  readonly #pendingCharacters: Record<Stream, number> = { stdout: 0, stderr: 0 };
  readonly #seenCharacters: Record<Stream, number> = { stdout: 0, stderr: 0 };
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #windowStart = 0;
  #sentInWindow = 0;
  liveChunks = 0;

  constructor(task: TaskSequence, attempt: number, send: (chunk: LogChunk) => void, limit: number) {
    this.task = task;
    this.attempt = attempt;
    this.#send = send;
    this.#limit = limit;
  }

  write(stream: Stream, text: string): void {
    if (this.#isClosed) return;
    const seen = this.#seenCharacters[stream];
    this.#seenCharacters[stream] = seen + text.length;
    if (seen >= this.#limit) return;
    const kept = seen + text.length > this.#limit ? text.slice(0, this.#limit - seen) : text;
    this.#pending[stream].push(kept);
    this.#pendingCharacters[stream] += kept.length;
    if (this.#mayFlush(stream)) this.flushLive();
    else this.#timer ??= setTimeout(() => this.flushLive(), FLUSH_MS).unref();
  }

  /**
   * At once, as long as there are few: a step that computes without a pause never lets a timer run, and what it wrote
   * before it was killed is what is looked for. A flood is gathered.
   */
  #mayFlush(stream: Stream): boolean {
    const now = performance.now();
    if (now - this.#windowStart >= FLUSH_MS) {
      this.#windowStart = now;
      this.#sentInWindow = 0;
    }
    return this.#sentInWindow < FLUSHES_AT_ONCE || this.#pendingCharacters[stream] >= FLUSH_CHARACTERS;
  }

  close(): readonly LogChunk[] {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const stream of ["stdout", "stderr"] as const) {
      const cut = this.#seenCharacters[stream] - this.#limit;
      if (cut > 0) this.#pending[stream].push(`\n[cut: ${cut} more characters of ${stream} were not kept]\n`);
    }
    return this.#drain();
  }

  flushLive(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sentInWindow++;
    for (const chunk of this.#drain()) {
      this.liveChunks++;
      this.#send(chunk);
    }
  }

  #drain(): LogChunk[] {
    const chunks: LogChunk[] = [];
    for (const stream of ["stdout", "stderr"] as const) {
      const parts = this.#pending[stream];
      if (parts.length === 0) continue;
      chunks.push({ task: this.task, attempt: this.attempt, stream, at: new Date(), text: parts.join("") });
      this.#pending[stream] = [];
      this.#pendingCharacters[stream] = 0;
    }
    return chunks;
  }
}

export class OutputCapture {
  readonly #tasks = new AsyncLocalStorage<TaskOutput>();
  readonly #open = new Set<TaskOutput>();
  readonly #send: (chunk: LogChunk) => void;
  readonly #limit: number;
  readonly #release: () => void;

  constructor(send: (chunk: LogChunk) => void, limit: number = DEFAULT_LIMIT) {
    this.#send = send;
    this.#limit = limit;
    if (captures.size === 0) process.on("exit", flushAll);
    captures.add(this);
    this.#release = listenToOutput((stream) => {
      const output = this.#tasks.getStore();
      return output === undefined ? undefined : (text) => output.write(stream, text);
    });
  }

  /** Runs a task; what it writes, also from its callbacks, is attributed to it. */
  async during<T>(
    task: TaskSequence,
    attempt: number,
    body: () => Promise<T>,
  ): Promise<{ readonly value: T; readonly logs: readonly LogChunk[]; readonly liveChunks: number }> {
    const output = new TaskOutput(task, attempt, this.#send, this.#limit);
    this.#open.add(output);
    const value = await this.#tasks.run(output, body);
    this.#open.delete(output);
    return { value, logs: output.close(), liveChunks: output.liveChunks };
  }

  /** Sends what tasks have written and what was kept back to be sent with more. */
  flush(): void {
    for (const output of this.#open) output.flushLive();
  }

  /** Ends the capture: what is written from now on goes where it went before. */
  close(): void {
    this.#release();
    captures.delete(this);
    if (captures.size === 0) process.off("exit", flushAll);
  }
}

const captures = new Set<OutputCapture>();

/** The last words before a step ends its worker are the ones that are looked for. */
function flushAll(): void {
  for (const capture of captures) capture.flush();
}
