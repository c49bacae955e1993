/** What the records know of the bucket in which the values of their store lie, and what of a run goes there besides its export. */
import type { Digest } from "../artifact/artifact.ts";
import type { RunStatus } from "../events/run-record.ts";
import type { RunId } from "../ids/run-id.ts";
import type { RunSequence, TaskSequence } from "./record-rows.ts";
import type { FinishRun } from "./tick.ts";

/** The end of a bucket's log, as far as this store has written it. */
export interface LogEnd {
  /** 0 when there is none yet. */
  readonly number: number;
  /** SHA-256 of the object with that number; 64 zeros for 0. */
  readonly digest: Digest;
}

/** The bucket is owed the manifest of a run that ended. It stands among the news, and never in the log. */
export interface EndedRun {
  readonly kind: "ended";
  readonly run: RunId;
  readonly execution: number;
  readonly status: RunStatus;
}

/** One thing that happened, as a line of the log or an `EndedRun`. */
export interface News {
  readonly number: number;
  readonly line: string;
}

/** A run that was started by a call inside a step. */
export interface StartedRun {
  readonly step: string;
  readonly path: string;
  readonly call: number;
  readonly inputs: Digest;
  readonly child: RunId;
}

/** An artifact that is not kept for ever. */
export interface ArtifactTerm {
  readonly task: TaskSequence;
  readonly name: string;
  readonly transient: boolean;
  readonly expiresAt: Date | null;
}

/** What a task has in the step cache. */
export interface CacheOfferRow {
  readonly task: TaskSequence;
  readonly key: Digest;
  /** JSON. */
  readonly reads: string;
  readonly createdAt: Date;
  readonly recordDigest?: Digest;
}

/** What the end of a run will make of its records. */
export interface PlannedEnd {
  /** Over how it will have ended. */
  readonly digest: Digest;
  /** Artifacts whose values will be given up, by task. */
  readonly gone: ReadonlyMap<TaskSequence, ReadonlySet<string>>;
}

export interface BucketRecords {
  /** How far the bucket has been told; undefined while these records belong to none. */
  told(): Promise<LogEnd | undefined>;
  /**
   * Ties the records to a bucket: from now on what happens is noted for it, and what it does not know yet is noted at once.
   *
   * @param known lines that its log has already
   */
  attach(end: LogEnd, known: ReadonlySet<string>): Promise<void>;
  /** All that a log would say of the records as they are, in the order in which it can be said. */
  story(): Promise<readonly string[]>;
  /** What the bucket is still to be told, oldest first. */
  news(limit: number): Promise<readonly News[]>;
  /** The number of the newest of all news that ever were, told or not; 0 when there were none. */
  lastNews(): Promise<number>;
  /**
   * Records that an object of the log was written and all is done that its news ask for.
   *
   * @param end the same as `before` when the news were none for the log
   * @param upTo the last of the news in it
   * @returns whether `before` was the end: false when another process has told more
   */
  advance(before: LogEnd, end: LogEnd, upTo: number): Promise<boolean>;
  /** What `finishRun` would make of a run. Nothing is changed. */
  plannedEnd(finish: FinishRun): Promise<PlannedEnd>;
  startedRuns(run: RunSequence): Promise<readonly StartedRun[]>;
  terms(run: RunSequence): Promise<readonly ArtifactTerm[]>;
  offers(run: RunSequence): Promise<readonly CacheOfferRow[]>;
  /** The row of the flow that a run belongs to. */
  flowOf(run: RunSequence): Promise<number>;
}
