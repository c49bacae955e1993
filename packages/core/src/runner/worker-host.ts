/**
 * One worker, a thread or a process, as the pool sees it: it runs one batch at a time, and it lives once. A worker that
 * ended is not woken again; the pool opens another.
 */
import type { ExecutorLostError } from "./executor.ts";
import type { Batch, HeardMessage, TaskResult } from "./protocol.ts";

/**
 * How long a worker may take to end. A blocking call of a thread ends first; and some loops give V8 no chance at all, such
 * as `for (;;) new Array(1000)`, whose compiled form never looks whether it should stop.
 */
export const END_WAIT_MS = 5_000;

export interface WorkerHost {
  /** Runs a batch. Rejects with an ExecutorLostError when the worker ended before it answered. */
  run(batch: WorkerBatch): Promise<BatchReport>;
  /** Aborts `this.signal` of the batch that runs now, if it is watched. */
  abort(reason: string): void;
  /** Aborts `this.signal` of all tasks from now on; batches answer "cancelled" for what did not begin. */
  cancel(): void;
  /**
   * Lets go of all that it has of a run that is over. Absent where a worker serves one run only.
   *
   * @returns whether it is as it was before it loaded the flow, so that another run may have it
   */
  readonly rest?: () => Promise<boolean>;
  /** After a rest: loads the flow anew; false when that failed. */
  readonly renew?: () => Promise<boolean>;
  /** Ends the worker where it is, and all that it started; resolves when nothing of it is left. */
  close(): Promise<void>;
}

/** What a worker tells its pool beside its answers. */
export interface HostEvents {
  readonly message: (message: HeardMessage) => void;
  /** The worker ended while it had nothing to run. */
  readonly died: (error: ExecutorLostError) => void;
}

export type OpenHost = (events: HostEvents) => WorkerHost;

/** A batch on its way to a worker. */
export interface WorkerBatch extends Batch {
  /** Tasks of this step have changed their worker before: it is looked at after each task, not after each batch. */
  readonly isSuspect?: boolean;
  /** Changes that a step may well mean, such as a cache that fills, are borne: the step has had its share of workers. */
  readonly isTolerated?: boolean;
}

/** What a worker answers to a batch. */
export interface BatchReport {
  readonly results: readonly TaskResult[];
  /** What the last of these tasks left changed in the worker. */
  readonly pollution?: readonly Pollution[];
  /** So many tasks after those of `results` ran as well, but may have seen the change: another worker runs them again. */
  readonly tasksToRedo?: number;
  /** Whether the worker is still to be looked at, which it does when it gets a batch without tasks. */
  readonly isUnsure?: boolean;
  /** Whether the worker must not run another batch: code of a task that is over may still come back in it. */
  readonly isSpent?: boolean;
}

/** Something of a worker that a task left changed. */
export interface Pollution {
  readonly what: string;
  /** Whether it may be meant: a module's cache that fills, a connection that is kept. */
  readonly isTolerable: boolean;
}
