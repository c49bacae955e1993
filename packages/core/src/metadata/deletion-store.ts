/**
 * The contract of deleting records: runs with all that belongs to them, and what nothing names any more. Apart from
 * `MetadataStore`, because nothing that runs or reads flows may delete.
 *
 * Clauses:
 * - Each transaction leaves a whole store: a run is there with all of its rows, or gone with all of them. Killed at any
 *   instant, deleting goes on with the next call.
 * - A run that something keeps is not deleted, also when that came up after it was chosen: each deletion looks again.
 * - A run that is kept keeps the runs that it reads from, the run whose step started it and the runs that its steps
 *   started. It does not keep the run that it was forked from, nor those whose tasks it took from the step cache: what it
 *   took is its own.
 * - A policy decides over no run whose records do not fit or cannot be read: such a run is kept, and said so. It goes when
 *   somebody names it.
 * - A value is deleted in two steps. A scan finds that nothing names it, and it is marked; a later scan finds that still
 *   nothing does, the mark is old, and it is deleted. Whoever names a value takes its mark away in the same transaction.
 */
import type { Digest } from "../artifact/artifact.ts";
import type { RunStatus } from "../events/run-record.ts";
import type { RunId } from "../ids/run-id.ts";
import type { RunSequence } from "./metadata-store.ts";

export interface DeletionStore {
  /**
   * Keeps all other collections and repairs away until it is released, or the process ends however it ends.
   *
   * @throws FlowError FLOW_GC_RUNNING
   */
  lock(): { release(): void };
  /** Which runs a selection means, and which of these something keeps. Changes nothing. */
  choose(selection: RunSelection): Promise<RunChoice>;
  /** Deletes what was chosen, newest first, in short transactions. */
  deleteRuns(choice: RunChoice, by: DeletedBy, onProgress: (runs: number) => void): Promise<DeletedRuns>;
  /** Runs that are under way, judged by their runners. */
  running(): Promise<RunningPrograms>;
  /**
   * Artifacts whose time was over at an instant, but for those of runs that are under way, and of those that the last scan
   * took for deleted.
   */
  expired(at: number): Promise<Amount>;
  expire(at: number): Promise<Amount>;
  /**
   * Finds what nothing names: the ground for all that follows. Reads every name once, on disk and not in memory.
   *
   * @param without  as if these runs were deleted and all that has expired at this instant were given up
   */
  scan(without?: { readonly choice: RunChoice; readonly expiredAt: number }): Promise<void>;
  /** What would be marked, or is: of the last scan, all that has no mark. */
  unmarked(): Promise<Amount>;
  mark(at: number): Promise<Amount>;
  /** Of the last scan, what was marked at or before an instant (null: whatever is marked or would be). */
  doomed(before: DoomedBefore): Promise<Amount>;
  deleteDoomed(before: DoomedBefore, onProgress: (values: number) => void): Promise<Amount>;
  /** Which of these values have no record. With `isDryRun`, as if `deleteDoomed` had run. */
  withoutRecord(digests: readonly Digest[], isDryRun: boolean): Promise<RecordlessValues>;
  /** Runs some work while nobody can write records, on those of the values that nobody can ask for then. */
  whileWithoutRecord(digests: readonly Digest[], work: (digests: ReadonlySet<Digest>) => void): Promise<void>;
  /** Bytes of the database that hold nothing, and are used again by what is written next. */
  freeBytes(): Promise<number>;
  /** Writes the database anew without them; all writers wait meanwhile. */
  giveBack(): Promise<void>;
  close(): Promise<void>;
}

export type RunSelection =
  | {
      readonly kind: "runs";
      readonly runs: readonly RunSequence[];
      /** Whether runs that are lost may go, which could be resumed. */
      readonly withLost: boolean;
      readonly protects: TagRule;
    }
  | {
      readonly kind: "policy";
      readonly flow?: { readonly project?: string; readonly name: string };
      /** Running and queued runs are never meant, lost ones only when they are named here. */
      readonly statuses: readonly RunStatus[];
      /** Only runs that ended before; milliseconds since 1970. */
      readonly endedBefore?: number;
      /** Not the newest so many of each flow, among those of these statuses and tags. */
      readonly keepLast?: number;
      /** Only runs that hold such a tag. */
      readonly holds?: (tag: string) => boolean;
      readonly protects: TagRule;
    };

/** Whether a tag keeps the runs that hold it. The place for whatever else decides that. */
export type TagRule = (tag: string) => boolean;

export interface RunChoice {
  /** How each stood when it was chosen, newest first: one that was touched since is left. */
  readonly going: ReadonlyMap<RunSequence, { readonly status: RunStatus; readonly execution: number }>;
  /** Selected and kept, newest first. */
  readonly kept: readonly KeptRun[];
  readonly tasks: number;
  readonly protects: TagRule;
}

export interface KeptRun {
  readonly run: string;
  readonly runId: RunId;
  /** At most 20. */
  readonly because: readonly KeepReason[];
}

/** Other runs are named as people name them: `Predict/3`. */
export type KeepReason =
  /** `policy`: the pattern of the one that protects it, whatever the selection says of tags. */
  | { readonly kind: "tag"; readonly tag: string; readonly policy?: string }
  | { readonly kind: "unfinished"; readonly status: RunStatus }
  | { readonly kind: "read"; readonly by: string }
  | { readonly kind: "parent"; readonly run: string }
  | { readonly kind: "child"; readonly run: string }
  /** Its records do not fit, so that no policy can decide by them; `why` in words. Only where a policy selects. */
  | { readonly kind: "unfit"; readonly why: string };

export interface DeletedBy {
  readonly actor: string;
  readonly host: string;
  readonly via: string;
  readonly at: Date;
  readonly reason?: string;
}

export interface DeletedRuns {
  readonly runs: number;
  readonly tasks: number;
  /** Chosen, and left because something had changed since. */
  readonly left: number;
}

export interface RecordlessValues {
  /** Nobody can ask for them. */
  readonly nameless: ReadonlySet<Digest>;
  /** Other records name them: their own was lost, and a repair brings it back as long as the bytes are there. */
  readonly named: ReadonlySet<Digest>;
}

export interface RunningPrograms {
  /** When the oldest of them began; milliseconds since 1970. */
  readonly since?: number;
  /** Whether one is of a version that does not look again for its values when it commits. */
  readonly isOld: boolean;
}

export interface DoomedBefore {
  /** Values whose mark is not younger; milliseconds since 1970. "all": whatever the scan found. */
  readonly values: number | "all";
  readonly packages: number;
}

/** So many values; `inlineBytes` lie in the database, `fileBytes` in files of their own. */
export interface Amount {
  readonly count: number;
  readonly inlineBytes: number;
  readonly fileBytes: number;
}
