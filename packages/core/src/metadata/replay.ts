/** Finished tasks that count again: when a run goes on, in a fork of it, and in runs of the same code on the same inputs. */
import type { BlobRow, Digest } from "../artifact/artifact.ts";
import type { TaskPath } from "../ids/task-path.ts";
import type { RunSequence, TaskSequence } from "./metadata-store.ts";

/** How a task ended that its successors can build on. */
export type ReplayableStatus = "succeeded" | "caught" | "skipped";

/**
 * The tasks of a run that need not run again: of each step and path the newest attempt, if it succeeded, was caught or
 * was skipped. One array for each field, all of the same length, in the order of (step, path): a run of 100,000 tasks is
 * 100,000 numbers and a few hundred texts, not 100,000 objects.
 */
export interface FinishedTaskColumns {
  readonly count: number;
  readonly sequences: readonly TaskSequence[];
  readonly steps: readonly string[];
  readonly paths: readonly TaskPath[];
  readonly statuses: readonly ReplayableStatus[];
  /** Of a foreach: the number of its items. */
  readonly fanOuts: readonly (number | undefined)[];
  /** Of a choose: its case. */
  readonly choices: readonly (string | undefined)[];
  /** Names of the run's values that the task read; undefined when it is not known (which is not "none"). */
  readonly valueReads: readonly (readonly string[] | undefined)[];
  /** Places that have attempts of which none counts: their next attempt is `attempt + 1`. */
  readonly unfinished: readonly { readonly step: string; readonly path: TaskPath; readonly attempt: number }[];
}

/** What a fork begins with: all that its origin has finished, but for some steps. */
export interface TakeOver {
  readonly from: RunSequence;
  /** Steps that run again: none of their tasks is taken over, and none of the runs that these have started. */
  readonly exceptSteps: readonly string[];
}

/** Where a task comes from that was not executed in its run. */
export interface TaskOrigin {
  /** The task that it was taken over from; that one may have an origin too. */
  readonly task: TaskSequence;
  readonly kind: "resume" | "cache";
}

/**
 * What a task read, by name: the room that computes cache keys decides what names and identities are. The store keeps it
 * as it is and gives it back, so that a hit can be checked against what would be read now.
 */
export type CacheReads = Readonly<Record<string, string>>;

/** Offers the outcome of a task to later runs. */
export interface CacheOffer {
  /** Who looks for it comes with this key. */
  readonly key: Digest;
  readonly reads: CacheReads;
  /** One more key, under which tasks to come learn what to look at before they can make the first one. */
  readonly listing?: Digest;
}

/** A task whose outcome may be used again under a key. */
export interface CacheEntry {
  readonly task: TaskSequence;
  readonly run: RunSequence;
  readonly reads: CacheReads;
  readonly createdAt: Date;
  readonly fanOut?: number;
  readonly choice?: string;
  /** Where the task stands, for people. */
  readonly at: { readonly flow: string; readonly number: number; readonly step: string; readonly path: TaskPath };
}

/** Where the bytes of a value are kept, without the bytes. */
export interface KeptBlob extends Pick<BlobRow, "digest" | "compression" | "storedBytes"> {
  /** Whether they lie in the records themselves; otherwise in the blob store. */
  readonly isInline: boolean;
}
