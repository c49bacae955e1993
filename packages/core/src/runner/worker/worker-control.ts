import type { WorkerMessage } from "../protocol.ts";
import type { WorkerBatch } from "../worker-host.ts";
import type { ArrayClient } from "./array-client.ts";
import type { CallLine } from "./flow-calls.ts";

/** How a worker hears from the main thread while it runs a batch, and talks back. */
export interface WorkerControl extends CallLine {
  /** Aborted when the run is cancelled. */
  readonly cancelled: AbortSignal;
  /** The worker has another run now: nothing that listened for the one before is told of this one. */
  beginRun?(): void;
  /** Whether the run is cancelled; also true where a step that never pauses kept the signal from knowing. */
  isCancelled(): boolean;
  /**
   * Calls back with the reason when this batch is aborted.
   *
   * @returns ends the watch
   */
  watchAbort(batch: WorkerBatch, onAbort: (reason: string) => void): () => void;
  send(message: WorkerMessage): void;
  /** Large arrays that this worker shares with others; a process shares none. */
  readonly arrays?: ArrayClient;
}

/** What `this.signal` is aborted with: the words are the driver's, the name is the one that programs look for. */
export function abortError(reason: string): DOMException {
  return new DOMException(reason, "AbortError");
}
