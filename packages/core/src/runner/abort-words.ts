/**
 * Tells a worker thread that a batch is aborted, and why, through shared memory: the thread is woken from whatever it
 * awaits, and no message has to be read while a step runs.
 */
const STATE = 0;
const LENGTH = 1;
const HEADER_BYTES = 8;
/** The longest reason that is told; bytes of UTF-8. */
const MAX_REASON_BYTES = 2_048;

const WAITING = 0;
const RAISED = 1;
const OVER = 2;

// A task may replace what stands on globalThis; this file goes on with what it found.
const { compareExchange, load, notify, store, waitAsync } = Atomics;

export class AbortWords {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(buffer = new SharedArrayBuffer(HEADER_BYTES + MAX_REASON_BYTES)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, 2);
  }

  /** Main thread: aborts; later calls have no effect. */
  raise(reason: string): void {
    if (load(this.#words, STATE) !== WAITING) return;
    const bytes = Buffer.from(this.buffer, HEADER_BYTES);
    store(this.#words, LENGTH, bytes.write(reason, "utf8"));
    store(this.#words, STATE, RAISED);
    notify(this.#words, STATE);
  }

  /**
   * Worker: calls back with the reason as soon as it is raised, at once when it was before.
   *
   * @returns ends the watch: a wait that nobody answers would stay in memory for ever
   */
  watch(onAbort: (reason: string) => void): () => void {
    const look = (): void => {
      if (load(this.#words, STATE) === RAISED) onAbort(this.#reason());
    };
    const waiting = waitAsync(this.#words, STATE, WAITING);
    if (waiting.async) void waiting.value.then(look);
    else look();
    return () => {
      if (compareExchange(this.#words, STATE, WAITING, OVER) === WAITING) notify(this.#words, STATE);
    };
  }

  #reason(): string {
    // Copied: TextDecoder takes no shared memory.
    return Buffer.from(new Uint8Array(this.buffer, HEADER_BYTES, load(this.#words, LENGTH))).toString("utf8");
  }
}
