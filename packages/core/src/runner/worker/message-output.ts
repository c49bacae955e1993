import type { LogChunk, TaskSequence } from "../../metadata/metadata-store.ts";
import type { LastWords } from "../last-words.ts";
import { LiveOutput } from "../live-output.ts";
import type { WorkerMessage } from "../protocol.ts";
import type { SecretMask } from "../secret-mask.ts";
import type { OutputSink, SinkOutput } from "./output-capture.ts";

/** Sends what tasks of a thread print as messages; what is not sent yet the main thread finds in `lastWords`, if it looks. */
export class MessageOutput implements OutputSink {
  readonly send: (message: WorkerMessage) => void;
  readonly lastWords: LastWords | undefined;

  constructor(send: (message: WorkerMessage) => void, lastWords?: LastWords) {
    this.send = send;
    this.lastWords = lastWords;
  }

  open(task: TaskSequence, attempt: number, mask: SecretMask): SinkOutput {
    return new TaskOutput(this, task, attempt, mask);
  }
}

/** Most tasks print nothing, and most of them are short: nothing is set up before the first word. */
class TaskOutput implements SinkOutput {
  readonly #sink: MessageOutput;
  readonly #task: TaskSequence;
  readonly #attempt: number;
  readonly #mask: SecretMask;
  #live: LiveOutput | undefined;
  #isClosed = false;

  constructor(sink: MessageOutput, task: TaskSequence, attempt: number, mask: SecretMask) {
    this.#sink = sink;
    this.#task = task;
    this.#attempt = attempt;
    this.#mask = mask;
  }

  write(stream: LogChunk["stream"], piece: string | Uint8Array): void {
    if (this.#isClosed) return;
    this.#live ??= new LiveOutput({
      task: this.#task,
      attempt: this.#attempt,
      mask: this.#mask,
      lastWords: this.#sink.lastWords,
      send: (chunk) => this.#sink.send({ kind: "output", chunk }),
    });
    this.#live.write(stream, piece);
  }

  flush(): void {
    this.#live?.flush();
  }

  close(): { readonly logs: readonly LogChunk[]; readonly liveChunks: number } {
    this.#isClosed = true;
    return this.#live === undefined ? NO_OUTPUT : { logs: this.#live.close(), liveChunks: this.#live.liveChunks };
  }
}

const NO_OUTPUT = { logs: [], liveChunks: 0 } as const;
