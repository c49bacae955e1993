/**
 * The contract of copying the records of a store as a whole: a snapshot of what is committed, compared with what the target
 * has, and put in its place. Apart from `MetadataStore`, because it knows of files.
 */
import type { BlobRow } from "../artifact/artifact.ts";

/** Records of a store as they were at one moment, in a file of their own. */
export interface RecordSnapshot {
  /** Where they are: a database like any other, until `place` or `close`. */
  readonly file: string;
  readonly storeId: string;
  readonly totals: { readonly runs: number; readonly values: number };
  /** How many runs had not ended. */
  readonly underWay: number;
  /** Whether there is anything but what a new store has. */
  readonly isEmpty: boolean;
  /** Values that lie outside of the records, in pages. */
  outside(): AsyncIterable<readonly Omit<BlobRow, "stored">[]>;
  /**
   * What records have that these have not, in words, such as `the run Train/17`; empty: these are the same or go on from
   * those.
   *
   * @throws FlowError FLOW_COPY_OTHER_STORE when they are of another store
   */
  missingFrom(databaseFile: string): readonly string[];
  /** The first records that name a value, in words: `"noise" of Train/17`. */
  usesOf(digest: BlobRow["digest"]): Promise<readonly string[]>;
  /**
   * Makes these the records in a file, in one step: a reader sees those of before or these. What belongs to a place and not
   * to a store (webhooks) stays as it is there.
   */
  place(databaseFile: string): Promise<void>;
  /** Takes the file away. */
  close(): Promise<void>;
}
