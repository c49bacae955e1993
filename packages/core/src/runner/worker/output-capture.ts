/**
 * Catches what user code writes to stdout and stderr and says which attempt of which task wrote it; where that goes is
 * for a sink to know. Callbacks of a task belong to it, also while another one runs. A write that reaches the file
 * descriptor directly (`fs.writeSync(1)`, native code) is not seen here.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { LogChunk, TaskSequence } from "../../metadata/metadata-store.ts";
import type { SecretMask } from "../secret-mask.ts";
import { listenToOutput } from "./output-patch.ts";

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

/** Who writes: a task of a capture. */
interface Writing {
  readonly capture: OutputCapture;
  readonly output: SinkOutput;
}

/** Of all captures that had this thread for themselves, one after another. */
const aloneTasks = new AsyncLocalStorage<Writing>();

export class OutputCapture {
  readonly #tasks: AsyncLocalStorage<Writing>;
  readonly #open = new Set<SinkOutput>();
  readonly #sink: OutputSink;
  readonly #release: () => void;
  #running: SinkOutput | undefined;

  /**
   * @param options.isAlone whether all that happens in this thread while a task runs is the task's, also what is called
   *   from outside of it, such as a listener of its signal
   */
  constructor(sink: OutputSink, { isAlone = false }: { readonly isAlone?: boolean } = {}) {
    this.#sink = sink;
    this.#tasks = isAlone ? aloneTasks : new AsyncLocalStorage();
    if (captures.size === 0) process.on("exit", flushAll);
    captures.add(this);
    this.#release = listenToOutput((stream) => {
      const writing = this.#tasks.getStore();
      if (writing !== undefined && writing.capture !== this) return () => {}; // Of a run that is over: nobody's, and least of all this one's.
      const output = writing?.output ?? (isAlone ? this.#running : undefined);
      return output === undefined ? undefined : (piece) => output.write(stream, piece);
    });
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
      const value = await this.#tasks.run({ capture: this, output }, body);
      return { value, ...output.close() };
    } finally {
      this.#open.delete(output);
      this.#running = undefined;
    }
  }

  /** Sends what tasks have written and what was kept back to be sent with more. */
  flush(): void {
    for (const output of this.#open) output.flush();
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
