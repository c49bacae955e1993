import type { LogChunk, TaskSequence } from "../metadata/metadata-store.ts";
import { KeptText } from "./kept-text.ts";
import type { LastWords } from "./last-words.ts";
import type { SecretMask } from "./secret-mask.ts";

type Stream = LogChunk["stream"];

const STREAMS: readonly Stream[] = ["stdout", "stderr"];
const FLUSH_MS = 100;
const FLUSH_CHARACTERS = 32 * 1024;
/** Chunks that go out without waiting in each FLUSH_MS. */
const FLUSHES_AT_ONCE = 10;

export interface LiveOutputOptions {
  readonly task: TaskSequence;
  readonly attempt: number;
  readonly mask: SecretMask;
  readonly send: (chunk: LogChunk) => void;
  /** Where what is not sent yet is kept for the case that this thread is ended. */
  readonly lastWords?: LastWords | undefined;
  readonly limitBytes?: number | undefined;
}

/** What one attempt of a task writes, sent while it runs: at once as long as there is little, a flood gathered. */
export class LiveOutput {
  readonly #options: LiveOutputOptions;
  readonly #kept: Readonly<Record<Stream, KeptText>>;
  readonly #pending: Record<Stream, string> = { stdout: "", stderr: "" };
  #timer: NodeJS.Timeout | undefined;
  #windowStart = 0;
  #sentInWindow = 0;
  #isClosed = false;
  readonly #sent: Record<Stream, number> = { stdout: 0, stderr: 0 };

  constructor(options: LiveOutputOptions) {
    this.#options = options;
    const { mask, limitBytes } = options;
    this.#kept = { stdout: new KeptText(mask, limitBytes), stderr: new KeptText(mask, limitBytes) };
    options.lastWords?.begin(options.task, options.attempt);
  }

  /** Chunks that were sent. */
  get liveChunks(): number {
    return this.#sent.stdout + this.#sent.stderr;
  }

  write(stream: Stream, piece: string | Uint8Array): void {
    if (this.#isClosed) return;
    const { lastWords } = this.#options;
    const kept = this.#kept[stream];
    const text = kept.push(piece);
    if (kept.droppedBytes > 0) lastWords?.dropped(stream, kept.droppedBytes);
    if (text === "") return;
    this.#pending[stream] += text;
    const isSafe = lastWords?.add(stream, text) ?? true;
    if (!isSafe || this.#mayFlush(stream)) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS).unref();
  }

  /** Sends all that waits. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sentInWindow++;
    for (const chunk of this.#take()) {
      this.#sent[chunk.stream]++;
      this.#options.send(chunk);
    }
    this.#options.lastWords?.sent(this.#sent);
  }

  /** Ends the output and gives what was not sent. */
  close(): readonly LogChunk[] {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const stream of STREAMS) this.#pending[stream] += this.#kept[stream].end(stream);
    const rest = this.#take();
    this.#options.lastWords?.end();
    return rest;
  }

  #mayFlush(stream: Stream): boolean {
    const now = performance.now();
    if (now - this.#windowStart >= FLUSH_MS) {
      this.#windowStart = now;
      this.#sentInWindow = 0;
    }
    return this.#sentInWindow < FLUSHES_AT_ONCE || this.#pending[stream].length >= FLUSH_CHARACTERS;
  }

  #take(): LogChunk[] {
    const { task, attempt } = this.#options;
    const at = new Date();
    const chunks: LogChunk[] = [];
    for (const stream of STREAMS) {
      const text = this.#pending[stream];
      // A line of many megabytes is kept as several rows: nobody has to hold it as a whole.
      for (let from = 0, end = 0; from < text.length; from = end) {
        end = from + 8 * FLUSH_CHARACTERS;
        if (isHighSurrogate(text.charCodeAt(end - 1))) end++; // A character is not torn in two.
        chunks.push({ task, attempt, stream, at, text: text.slice(from, end) });
      }
      this.#pending[stream] = "";
    }
    return chunks;
  }
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code < 0xdc00;
}
