/**
 * Everything that can happen in a run, as one union. The runner emits, sinks subscribe (terminal, plain lines, `--json`,
 * a program's `for await`), nothing else prints. The JSON form (`kind`, `at`, fields) is stable; fields may be added.
 */
import type { SerializedError } from "../errors/flow-error.ts";
import type { RunRecord } from "./run-record.ts";

interface At {
  /** UTC. */
  readonly at: Date;
}

/** Where a task stands, for people: `Train/17/fold/1.2`. */
interface TaskAt extends At {
  readonly task: string;
  readonly step: string;
  readonly path: string;
  readonly attempt: number;
}

export type RunEvent =
  | (At & {
      readonly kind: "run.created";
      readonly run: string;
      readonly runId: string;
      readonly flow: string;
      readonly tags: readonly string[];
      /** Its folder, or the URL of its bucket. */
      readonly store: string;
      readonly storeIsNew: boolean;
      /** Set where the store was found in a folder above the project, and so may be that of others too. */
      readonly storeIsAbove?: true;
    })
  | (At & {
      readonly kind: "run.upstream";
      readonly name: string;
      readonly selector: string;
      readonly run: string;
      readonly runId: string;
      readonly candidates: readonly string[];
    })
  /** A run that had stopped goes on, or a fork of one begins; comes where `run.created` would. */
  | (At & {
      readonly kind: "run.resumed";
      readonly run: string;
      readonly runId: string;
      /** Finished tasks that were taken over and are not run again. */
      readonly adopted: number;
      /** Which execution of the run this is, counted from 1. */
      readonly execution: number;
      readonly flow: string;
      readonly tags: readonly string[];
      readonly store: string;
      /** Of a fork: the run that it takes its finished tasks from. */
      readonly origin?: string;
      readonly kept: readonly { readonly step: string; readonly tasks: number; readonly of: number }[];
      /** Steps that run again although they had finished tasks, or are asked to, each with the reason in words. */
      readonly again: readonly { readonly step: string; readonly tasks: number; readonly reason: string }[];
      readonly changedParameters: readonly string[];
    })
  | (At & { readonly kind: "run.warning"; readonly code: string; readonly message: string; readonly hint?: string })
  | (TaskAt & { readonly kind: "task.started" })
  | (TaskAt & { readonly kind: "task.output"; readonly stream: "stdout" | "stderr"; readonly text: string })
  | (TaskAt & {
      readonly kind: "task.succeeded";
      readonly durationMs: number;
      readonly fanOut?: number;
      readonly choice?: string;
      /** The task whose outcome the step cache had: `Train/12/fit/3`. */
      readonly takenFrom?: string;
    })
  | (TaskAt & { readonly kind: "task.failed"; readonly durationMs: number; readonly error: SerializedError })
  /** The attempt failed, and another one follows. */
  | (TaskAt & {
      readonly kind: "task.retrying";
      readonly nextAttempt: number;
      /** Attempts that the step may have in all, where that is known. */
      readonly attempts?: number;
      /** From now until the next attempt. */
      readonly delayMs: number;
      readonly error: SerializedError;
    })
  /** The last attempt failed, its error stands in `field`, and the run goes on. */
  | (TaskAt & {
      readonly kind: "task.caught";
      readonly durationMs: number;
      readonly error: SerializedError;
      readonly field: string;
    })
  | (TaskAt & { readonly kind: "task.skipped"; readonly durationMs: number; readonly reason: string })
  /** What ran the attempt is gone, and nobody knows how far it came. */
  | (TaskAt & { readonly kind: "task.lost" })
  | (TaskAt & { readonly kind: "task.cancelled"; readonly reason: string })
  /** A step has started a run of a flow, or has got the one that an earlier attempt of its task had started. */
  | (TaskAt & {
      readonly kind: "run.child";
      readonly run: string;
      readonly runId: string;
      readonly flow: string;
      /** "new"; of an earlier attempt: "finished" (taken over), "running" (awaited) or "continued" (begun again). */
      readonly how: "new" | "finished" | "running" | "continued";
    })
  | (TaskAt & {
      readonly kind: "run.child.finished";
      readonly run: string;
      readonly runId: string;
      readonly flow: string;
      readonly status: "succeeded" | "failed" | "cancelled";
      /** From the beginning of the call. */
      readonly durationMs: number;
    })
  /** In the place of output that was dropped, because whoever iterates over the events was too slow for it; logs have all. */
  | (At & { readonly kind: "output.dropped"; readonly events: number; readonly characters: number })
  | (At & { readonly kind: "run.progress"; readonly steps: readonly StepProgress[] })
  | (At & {
      readonly kind: "run.finished";
      readonly status: "succeeded" | "failed" | "cancelled";
      /** Of this execution; of a run that was resumed, the record's `durationMs` is the time since it was first begun. */
      readonly durationMs: number;
      readonly record: RunRecord;
    });

export interface StepProgress {
  readonly step: string;
  /** Tasks known so far; grows when a foreach opens. */
  readonly total: number;
  readonly running: number;
  /** Waiting for their next attempt. */
  readonly waiting: number;
  readonly succeeded: number;
  readonly failed: number;
  /** Failed, but their step catches: the run goes on. */
  readonly caught: number;
  readonly skipped: number;
  readonly cancelled: number;
  /** How many of those that ended were taken over: from an earlier execution of the run, or from the run it goes on from. */
  readonly adopted: number;
  /** How many of those that succeeded did not run: the step cache had their outcome. */
  readonly cached: number;
}
