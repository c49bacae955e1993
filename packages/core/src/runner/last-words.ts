/**
 * What a thread has written but not sent yet, in memory that the main thread sees too. A thread that is ended says nothing
 * any more, and what it wrote last is what is looked for.
 */
import type { LogChunk, TaskSequence } from "../metadata/metadata-store.ts";
import { cutNote } from "./kept-text.ts";

type Stream = LogChunk["stream"];

export type ChunkCounts = Readonly<Record<Stream, number>>;

const STREAMS: readonly Stream[] = ["stdout", "stderr"];
/** Task number, attempt, dropped bytes and sent chunks of both streams; then, as Int32, the bytes in use. */
const FACTS = 6;
const DROPPED = 2;
const SENT = 4;
const HEADER_BYTES = FACTS * 8 + 8;
/** Stream (1 byte) and length (4 bytes) before each text. */
const RECORD_BYTES = 5;
const SIZE_BYTES = 256 * 1024;

export class LastWords {
  readonly buffer: SharedArrayBuffer;
  readonly #facts: Float64Array;
  readonly #used: Int32Array;
  readonly #texts: Buffer;

  constructor(buffer = new SharedArrayBuffer(SIZE_BYTES)) {
    this.buffer = buffer;
    this.#facts = new Float64Array(buffer, 0, FACTS);
    this.#used = new Int32Array(buffer, FACTS * 8, 1);
    this.#texts = Buffer.from(buffer, HEADER_BYTES);
  }

  /** Worker: what is added from now on belongs to this attempt; all that was added before has been sent. */
  begin(task: TaskSequence, attempt: number): void {
    this.#used[0] = 0;
    this.#facts.set([task, attempt, 0, 0, 0, 0]);
  }

  /** Worker: keeps a text until `sent`. Gives false when there is no room: it is to be sent now. */
  add(stream: Stream, text: string): boolean {
    const from = this.#used[0]! + RECORD_BYTES;
    // Three bytes are the most that a character of a JavaScript text can take.
    if (from + text.length * 3 > this.#texts.length) return false;
    const length = this.#texts.write(text, from, "utf8");
    this.#texts[from - RECORD_BYTES] = STREAMS.indexOf(stream);
    this.#texts.writeUInt32LE(length, from - RECORD_BYTES + 1);
    Atomics.store(this.#used, 0, from + length);
    return true;
  }

  /** Worker: says how much of a stream is not kept. */
  dropped(stream: Stream, bytes: number): void {
    this.#facts[DROPPED + STREAMS.indexOf(stream)] = bytes;
  }

  /**
   * Worker: all that was added has been sent.
   *
   * @param chunks of each stream that were sent so far
   */
  sent(chunks: ChunkCounts): void {
    // In this order: a thread that is ended between the two has nothing left to say, rather than something twice.
    Atomics.store(this.#used, 0, 0);
    for (const [index, stream] of STREAMS.entries()) this.#facts[SENT + index] = chunks[stream];
  }

  /** Worker: the attempt has reported, so that nothing is left to say. */
  end(): void {
    this.#used[0] = 0;
    this.#facts.fill(0);
  }

  /**
   * Main thread, when the worker is gone: what it did not send.
   *
   * @param received chunks of an attempt that came: the thread may have been ended before it could note that it sent them
   */
  take(received: (task: TaskSequence, attempt: number) => ChunkCounts): readonly LogChunk[] {
    const [task, attempt] = this.#facts as unknown as readonly [TaskSequence, number];
    if (attempt === 0) return [];
    const counts = received(task, attempt);
    const texts: Record<Stream, string> = { stdout: "", stderr: "" };
    const end = Atomics.load(this.#used, 0);
    for (let at = 0; at < end; ) {
      const length = this.#texts.readUInt32LE(at + 1);
      const from = at + RECORD_BYTES;
      texts[STREAMS[this.#texts[at]!]!] += this.#texts.toString("utf8", from, from + length);
      at = from + length;
    }
    const at = new Date();
    const chunks = STREAMS.map((stream, index): LogChunk => {
      const kept = counts[stream] > this.#facts[SENT + index]! ? "" : texts[stream];
      const text = kept + cutNote(stream, this.#facts[DROPPED + index]!);
      return { task, attempt, stream, at, text };
    });
    this.end();
    return chunks.filter((chunk) => chunk.text !== "");
  }
}
