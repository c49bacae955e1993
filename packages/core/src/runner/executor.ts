/**
 * The seam between deciding what runs and running it. Worker threads and child processes stand behind it; clusters can
 * follow without a change to the driver or the scheduler. An executor runs what it is given and decides nothing: limits of
 * time, further attempts and what a failure means are the driver's.
 */
import type { BatchSize } from "./batch-size.ts";
import type { Batch, HeardMessage, TaskResult } from "./protocol.ts";

export interface Executor {
  /** How many batches run at the same time. */
  readonly slots: number;
  /** How long tasks of each step took, of all runs that these workers have served: they are of one flow. */
  readonly sizes?: BatchSize | undefined;
  /** Starts a batch, or queues it until a worker is free. */
  submit(batch: Batch): Submission;
  /** Told of everything that workers send beside results, in the order of each worker; calls with the way back. */
  onMessage(listener: (message: HeardMessage) => void): void;
  /** Asks all tasks to stop: `this.signal` is aborted, tasks of a batch that did not begin report "cancelled". */
  cancel(): void;
  /**
   * Ends a run's use of the workers, which are kept for another one as far as nothing shows in them that the run was there.
   *
   * @returns false when none of them can be kept
   */
  rest?(): Promise<boolean>;
  /** After a rest: makes the workers ready for another run of the same flow, as new ones would be. */
  renew?(): Promise<void>;
  /** Ends all workers at once. Batches still running are lost. */
  close(): Promise<void>;
}

/** A batch that was given to an executor. */
export interface Submission {
  /**
   * The results of the batch's first tasks, in order: of all of them, unless whoever runs it gave the rest back untouched,
   * because the batch took long or the worker has to be replaced. Rejects with an ExecutorLostError when whatever ran the
   * batch ended without a result: its tasks may or may not have run.
   */
  readonly results: Promise<readonly TaskResult[]>;
  /** Aborts `this.signal` of the batch's tasks, which may still return. Has an effect on watched batches only. */
  abort(reason: string): void;
  /**
   * Says that the batch only waits for other runs, or goes on: while it waits, another one may run beside it. Those that
   * wait do not count as running.
   */
  setWaiting(isWaiting: boolean): void;
  /** Ends whatever runs the batch, also code that never looks up: `results` rejects with why "ended". */
  end(): void;
}

/** What ended the worker of a batch, so that the failure has a name. */
export type LostReason =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signal"; readonly signal: string }
  | { readonly kind: "out-of-memory"; readonly isolate: "thread" | "process"; readonly limitMb?: number }
  /** By `end()` or `close()`. */
  | { readonly kind: "ended" }
  /** An error that nobody caught, or a worker that could not start: `cause` says what. */
  | { readonly kind: "other" };

/** A batch ended without a result. */
export class ExecutorLostError extends Error {
  override readonly name = "ExecutorLostError";
  readonly why: LostReason;

  constructor(message: string, why: LostReason, options?: ErrorOptions) {
    super(message, options);
    this.why = why;
  }
}
