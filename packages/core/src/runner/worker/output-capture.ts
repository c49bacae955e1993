/**
 * Catches what user code writes to stdout and stderr and says which attempt of which task wrote it; where that goes is
 * for a sink to know. Callbacks of a task belong to it, also while another one runs. A write that reaches the file
 * descriptor directly (`fs.writeSync(1)`, native code) is not seen here.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { LogChunk, TaskSequence } from "../../metadata/metadata-store.ts";
import type { SecretMask } from "../secret-mask.ts";

type Stream = LogChunk["stream"];

/** Takes what tasks write. */
export interface OutputSink {
  /** @param mask what must not be seen in it */
  open(task: TaskSequence, attempt: number, mask: SecretMask): SinkOutput;
}

export interface SinkOutput {
  write(stream: Stream, piece: string | Uint8Array): void;
  /** Sends what waits, because this worker may not come back. */
  flush(): void;
  /** Ends the output; gives what was not sent, and the number of chunks that were. */
  close(): { readonly logs: readonly LogChunk[]; readonly liveChunks: number };
}

export class OutputCapture {
  readonly #tasks = new AsyncLocalStorage<SinkOutput>();
  readonly #open = new Set<SinkOutput>();
  readonly #sink: OutputSink;
  /** Of the task that runs: what is called from outside of it, such as a listener of its signal, belongs to it too. */
  #running: SinkOutput | undefined;

  constructor(sink: OutputSink) {
    this.#sink = sink;
    // The last words before a step ends its worker are the ones that are looked for.
    process.once("exit", () => {
      for (const output of this.#open) output.flush();
    });
    this.#patch("stdout");
    this.#patch("stderr");
  }

  /** Runs a task; what it writes, also from its callbacks, is attributed to it. */
  async during<T>(
    task: TaskSequence,
    attempt: number,
    mask: SecretMask,
    body: () => Promise<T>,
  ): Promise<{ readonly value: T; readonly logs: readonly LogChunk[]; readonly liveChunks: number }> {
    const output = this.#sink.open(task, attempt, mask);
    this.#open.add(output);
    this.#running = output;
    try {
      const value = await this.#tasks.run(output, body);
      return { value, ...output.close() };
    } finally {
      this.#open.delete(output);
      this.#running = undefined;
    }
  }

  #patch(stream: Stream): void {
    const original = process[stream].write.bind(process[stream]);
    const write = (chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
      const output = this.#tasks.getStore() ?? this.#running;
      if (output === undefined) return original(chunk as string, encoding as BufferEncoding, callback as () => void);
      const isEncoded = typeof chunk === "string" && typeof encoding === "string" && !/^utf-?8$/i.test(encoding);
      output.write(stream, isEncoded ? Buffer.from(chunk, encoding as BufferEncoding) : chunk);
      const done = typeof encoding === "function" ? encoding : callback;
      if (typeof done === "function") queueMicrotask(done as () => void);
      return true;
    };
    process[stream].write = write as typeof process.stdout.write;
  }
}
