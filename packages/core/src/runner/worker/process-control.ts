import type { CallId, CallMessage, CallReply, WorkerMessage } from "../protocol.ts";
import { holdOpen } from "./settle-watch.ts";
import { abortError, type WorkerControl } from "./worker-control.ts";

/** Control by messages: a process sees them whenever its event loop turns, and that is at the latest between batches. */
export class ProcessControl implements WorkerControl {
  readonly send: (message: WorkerMessage) => void;
  readonly #post: (message: WorkerMessage | CallMessage) => void;
  readonly #calls = new Map<CallId, (reply: CallReply) => void>();
  readonly #cancel = new AbortController();
  #onAbort: ((reason: string) => void) | undefined;
  /** Of a batch that is still being prepared. */
  #abortedEarly: string | undefined;

  constructor(post: (message: WorkerMessage | CallMessage) => void) {
    this.send = post;
    this.#post = post;
  }

  get cancelled(): AbortSignal {
    return this.#cancel.signal;
  }

  isCancelled(): boolean {
    return this.#cancel.signal.aborted;
  }

  watchAbort(_batch: unknown, onAbort: (reason: string) => void): () => void {
    this.#onAbort = onAbort;
    if (this.#abortedEarly !== undefined) onAbort(this.#abortedEarly);
    return () => {
      this.#onAbort = undefined;
    };
  }

  open(message: CallMessage, onReply: (reply: CallReply) => void): { close(): void } {
    // Answers come by the channel of all messages, which keeps nothing alive while a task runs.
    const release = holdOpen();
    this.#calls.set(message.call, onReply);
    this.#post(message);
    return {
      close: () => {
        this.#calls.delete(message.call);
        release();
      },
    };
  }

  /** The main thread answers a call. */
  reply(call: CallId, reply: CallReply): void {
    this.#calls.get(call)?.(reply);
  }

  /** The main thread cancels the run. */
  cancel(): void {
    this.#cancel.abort(abortError("The run was cancelled"));
  }

  /** The main thread aborts the batch that runs now. */
  abort(reason: string): void {
    if (this.#onAbort === undefined) this.#abortedEarly = reason;
    else this.#onAbort(reason);
  }

  /** A batch has come: what was asked of the one before is over. */
  begin(): void {
    this.#abortedEarly = undefined;
  }
}
