import type { TaskSequence } from "../../metadata/metadata-store.ts";
import type { LastWords } from "../last-words.ts";
import { LiveOutput } from "../live-output.ts";
import type { WorkerMessage } from "../protocol.ts";
import type { SecretMask } from "../secret-mask.ts";
import type { OutputSink, SinkOutput } from "./output-capture.ts";

/** Sends what tasks of a thread print as messages; what is not sent yet the main thread finds in `lastWords`, if it looks. */
export class MessageOutput implements OutputSink {
  readonly #send: (message: WorkerMessage) => void;
  readonly #lastWords: LastWords | undefined;

  constructor(send: (message: WorkerMessage) => void, lastWords?: LastWords) {
    this.#send = send;
    this.#lastWords = lastWords;
  }

  open(task: TaskSequence, attempt: number, mask: SecretMask): SinkOutput {
    const live = new LiveOutput({
      task,
      attempt,
      mask,
      lastWords: this.#lastWords,
      send: (chunk) => this.#send({ kind: "output", chunk }),
    });
    return {
      write: (stream, piece) => live.write(stream, piece),
      flush: () => live.flush(),
      close: () => ({ logs: live.close(), liveChunks: live.liveChunks }),
    };
  }
}
