import { serializeError } from "../../errors/flow-error.ts";
import {
  ANSWERED_WORD,
  BEAT_WORD,
  PROGRESS_WORD,
  type RemoteLine,
  type RemoteReply,
  type RemoteRequest,
} from "./messages.ts";
import type { RemoteService } from "./remote-service.ts";

const BEAT_MS = 1_000;

/**
 * Serves a thread until it ends, from inside of the I/O thread.
 *
 * @param service the opened store; while it is not open requests wait, and when it cannot be opened each is told why
 */
export function serveLine({ port, words }: RemoteLine, service: Promise<RemoteService>): void {
  const shared = new Int32Array(words);
  const beat = setInterval(() => Atomics.add(shared, BEAT_WORD, 1), BEAT_MS).unref();
  const progressed = (): void => void Atomics.add(shared, PROGRESS_WORD, 1);
  service.then((opened) => opened.watchers.add(progressed)).catch(() => {}); // Each request is told.
  port.on("message", (request: RemoteRequest) => void hear(request));
  port.on("close", () => {
    clearInterval(beat);
    service.then((opened) => opened.watchers.delete(progressed)).catch(() => {});
  });

  async function hear(request: RemoteRequest): Promise<void> {
    const { number } = request;
    if (number === undefined) {
      // A wish: whoever asks for the value itself is told what went wrong.
      await service.then((opened) => opened.perform(request)).catch(() => {});
      return;
    }
    let reply: RemoteReply;
    try {
      reply = { number, answer: await (await service).perform(request) };
    } catch (error) {
      reply = { number, error: serializeError(error) };
    }
    port.postMessage(reply);
    Atomics.add(shared, ANSWERED_WORD, 1);
    Atomics.notify(shared, ANSWERED_WORD);
  }
}
