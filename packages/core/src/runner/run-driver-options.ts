/** What it takes to drive a run, and how it ends. */
import type { NewBlob } from "../artifact/artifact.ts";
import type { SerializedError } from "../errors/flow-error.ts";
import type { RunEvent } from "../events/run-event.ts";
import type { Graph } from "../graph/graph.ts";
import type { TaskPath } from "../ids/task-path.ts";
import type { FinishRun, MetadataStore } from "../metadata/metadata-store.ts";
import type { AttemptPolicy } from "./attempt-policy.ts";
import type { StartChild } from "./child-calls.ts";
import type { Clock } from "./clock.ts";
import type { Executor } from "./executor.ts";
import type { RunContext } from "./protocol.ts";
import type { FinishedTasks } from "./scheduler/scheduler.ts";
import type { Slots } from "./slots.ts";

export interface RunDriverOptions {
  readonly graph: Graph;
  readonly run: RunContext;
  /** Which execution of the run this is: what a later one has begun, this one may not write. */
  readonly execution: number;
  /** By step; a step without one runs once, in any worker thread. */
  readonly policies?: ReadonlyMap<string, AttemptPolicy>;
  readonly metadata: MetadataStore;
  readonly executor: Executor;
  readonly emit: (event: RunEvent) => void;
  /** An error of the user's code as plain data, its stack the lines of that code. Default: with all lines. */
  readonly describeError?: (thrown: unknown) => SerializedError;
  /** Shared with the runs that are started inside this one, or that it was started in. Default: as many as the executor has. */
  readonly slots?: Slots;
  /** How many runs this one stands inside of. Default 0. */
  readonly depth?: number;
  /** Runs flows for steps that ask for it. */
  readonly startChild?: StartChild;
  /** Asks tasks to stop; those that do not within the grace period are ended. */
  readonly signal?: AbortSignal;
  /** Ends all tasks at once; comes after `signal`. */
  readonly endNow?: AbortSignal;
  /** Tasks of an earlier execution, or of the run that this one was forked from: they are not run again. */
  readonly finished?: FinishedTasks;
  /** Attempts that a task had in earlier executions of the run. */
  readonly attemptsBefore?: (step: string, path: TaskPath) => number;
  /** After a failure, whether all that does not depend on it goes on. Default: nothing new starts. */
  readonly finishSiblings?: boolean;
  /** Rounds that a loop may have. */
  readonly maxRounds?: number;
  /**
   * Makes values durable that records are about to name and that do not stand in their rows: a result is held back until it
   * answers. Absent where they are durable before a task ends, as in a folder.
   */
  readonly settleBlobs?: (blobs: readonly NewBlob[]) => Promise<void>;
  readonly clock?: Clock;
  /** Numbers in [0, 1) for the jitter of retries. Default Math.random. */
  readonly random?: () => number;
  /** Numbers in [0, 1) by which independent tasks are shuffled; without it they start in declared order. */
  readonly shuffle?: () => number;
  /** How long running tasks may take to stop by themselves; milliseconds, default 5,000. */
  readonly graceMs?: number;
}

/** How a run ended; `finishRun` of the store takes it as it is. */
export type RunEnd = Omit<FinishRun, "finishedAt">;

/** What of it is the scheduler's. */
export function schedulingOf({ finished, attemptsBefore, maxRounds, shuffle }: RunDriverOptions) {
  return {
    ...(finished === undefined ? {} : { finished }),
    ...(attemptsBefore === undefined ? {} : { attemptsBefore }),
    ...(maxRounds === undefined ? {} : { maxRounds }),
    ...(shuffle === undefined ? {} : { random: shuffle }),
  };
}
