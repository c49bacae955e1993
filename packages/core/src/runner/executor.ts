/**
 * The seam between deciding what runs and running it. Worker threads are the first executor; processes and clusters can
 * follow without a change to the driver or the scheduler.
 */
import type { Batch, TaskResult, WorkerMessage } from "./protocol.ts";

export interface Executor {
  /** How many batches run at the same time. */
  readonly slots: number;
  /**
   * Runs a batch and gives the results of its first tasks, in order: of all of them, unless the batch took so long that
   * whoever runs it gave the rest back untouched.
   *
   * @throws ExecutorLostError when whatever ran the batch ended without a result: its tasks may or may not have run
   */
  submit(batch: Batch): Promise<readonly TaskResult[]>;
  /** Told of everything that workers send beside results, in the order of each worker. */
  onMessage(listener: (message: WorkerMessage) => void): void;
  /** Asks all tasks to stop: `this.signal` is aborted, tasks of a batch that did not begin report "cancelled". */
  cancel(): void;
  /** Ends all workers at once. Batches still running are lost. */
  close(): Promise<void>;
}

/** A batch ended without a result. */
export class ExecutorLostError extends Error {
  override readonly name = "ExecutorLostError";
}
