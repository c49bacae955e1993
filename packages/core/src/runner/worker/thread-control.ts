import { AbortWords } from "../abort-words.ts";
import { CANCEL_WORD, type WorkerMessage } from "../protocol.ts";
import type { ThreadBatch } from "../thread-executor.ts";
import { abortError, type WorkerControl } from "./worker-control.ts";

// A task may replace what stands on globalThis; this file goes on with what it found.
const { load, waitAsync } = Atomics;

/** Control by shared memory: a thread sees it between two tasks even when its event loop never turns. */
export function threadControl(control: Int32Array, send: (message: WorkerMessage) => void): WorkerControl {
  const cancel = new AbortController();
  const onCancel = (): void => cancel.abort(abortError("The run was cancelled"));
  const waiting = waitAsync(control, CANCEL_WORD, 0);
  if (waiting.async) void waiting.value.then(onCancel);
  else onCancel();
  return {
    cancelled: cancel.signal,
    isCancelled: () => load(control, CANCEL_WORD) !== 0,
    watchAbort(batch, onAbort) {
      const words = (batch as NonNullable<ThreadBatch>).abortWords;
      return words === undefined ? () => {} : new AbortWords(words).watch(onAbort);
    },
    send,
  };
}
