import { MessageChannel, type MessagePort } from "node:worker_threads";
import { AbortWords } from "../abort-words.ts";
import { CANCEL_WORD } from "../protocol.ts";
import type { ThreadBatch, ThreadMessage } from "../thread-executor.ts";
import { ArrayClient } from "./array-client.ts";
import { abortError, type WorkerControl } from "./worker-control.ts";

// A task may replace what stands on globalThis; this file goes on with what it found.
const { load, waitAsync } = Atomics;

/** Control by shared memory: a thread sees it between two tasks even when its event loop never turns. */
export function threadControl(
  control: Int32Array,
  post: (message: ThreadMessage, transfer: readonly MessagePort[]) => void,
): WorkerControl {
  let cancel = new AbortController();
  const onCancel = (): void => cancel.abort(abortError("The run was cancelled"));
  const waiting = waitAsync(control, CANCEL_WORD, 0);
  if (waiting.async) void waiting.value.then(onCancel);
  else onCancel();
  return {
    get cancelled() {
      return cancel.signal;
    },
    beginRun() {
      cancel = new AbortController();
    },
    isCancelled: () => load(control, CANCEL_WORD) !== 0,
    watchAbort(batch, onAbort) {
      const words = (batch as ThreadBatch).abortWords;
      return words === undefined ? () => {} : new AbortWords(words).watch(onAbort);
    },
    send: (message) => post(message, []),
    arrays: new ArrayClient((line) => post({ kind: "arrays", ...line }, [line.port])),
    open(message, onReply) {
      // Answers come by a port of the call's own. While it listens, it keeps the event loop alive for whoever awaits one.
      const { port1: own, port2: port } = new MessageChannel();
      own.on("message", onReply);
      post({ ...message, port }, [port]);
      return { close: () => own.close() };
    },
  };
}
