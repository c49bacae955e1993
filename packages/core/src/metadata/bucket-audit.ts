/**
 * The contract of a look at the bucket of a store: whether it says what the records say, and what a repair writes there again. What lies under
 * keys of values is looked at with the values of any store.
 */
import type { Digest } from "../artifact/artifact.ts";
import type { RunStatus } from "../events/run-record.ts";
import type { RunId } from "../ids/run-id.ts";
import type { LogEnd } from "./bucket-records.ts";
import type { FaultSubject, Remedy } from "./record-audit.ts";

/** What a repair does in a bucket. Nothing that lies there is replaced: what is broken is put aside first. */
export type BucketMend =
  /** Says again whose bucket it is. */
  | { readonly kind: "identity" }
  /** Writes the log again from where it is not what the records say. */
  | { readonly kind: "log" }
  /** Writes a run again, with what it lacks of packs and packages. `broken`: keys of objects that are not what was written. */
  | { readonly kind: "run"; readonly run: RunId; readonly name: string; readonly broken: readonly string[] };

export interface BucketFault {
  readonly check: "S10" | "S12" | "S13";
  readonly kind: "damage" | "note";
  /** What was seen, in words. */
  readonly evidence: string;
  /** `file`: a key of the bucket. */
  readonly subject: FaultSubject & { readonly file?: string };
  readonly remedy?: Remedy;
  readonly mend?: BucketMend;
}

export interface BucketAudit {
  /** All that is wrong, as it is found. */
  faults(options: {
    /** Which packs and packages are read and hashed, by their digests; of others the size is looked at. */
    readonly isRead: (digest: Digest) => boolean;
  }): AsyncIterable<BucketFault>;
  /**
   * Does what faults have asked for.
   *
   * @returns in words what was done
   */
  mend(mends: readonly BucketMend[]): Promise<readonly string[]>;
}

/** A run as the records have it, for comparing. */
export interface PublishedRun {
  readonly id: RunId;
  /** Such as `Train/17`. */
  readonly name: string;
  readonly sequence: number;
  readonly number: number;
  readonly execution: number;
  readonly status: RunStatus;
  readonly startDigest?: string;
  readonly endDigest?: string;
}

/** What records say of their bucket, at one moment. */
export interface ToldRecords {
  readonly storeId: string;
  /** Undefined while they are tied to none. */
  readonly told: LogEnd | undefined;
  /** All that a log would say of them. */
  readonly story: readonly string[];
  /** Lines that were noted and not told yet. */
  readonly news: readonly string[];
}

/** The part of an audit of records that is about their bucket. */
export interface BucketSide {
  told(): Promise<ToldRecords>;
  /** All runs, ascending by their ids, in pages. */
  runs(): AsyncIterable<readonly PublishedRun[]>;
  /** One run as it is now. */
  run(id: RunId): Promise<PublishedRun | undefined>;
  /** Whether the manifest of a run that ended waits to be written. */
  isOwed(id: RunId): Promise<boolean>;
}
