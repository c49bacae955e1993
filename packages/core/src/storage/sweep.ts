/**
 * The contract of sweeping a store of bytes: what garbage collection needs to see how old values are and to take those
 * that nobody names. Apart from `BlobStore`, because nobody else may delete.
 *
 * Clauses:
 * - A value is as old as the last `put` of its key, also of one that found it there.
 * - `removeOld` takes a value away whole or not at all, and never one that was put again after `before`, not even at the
 *   same instant: then it stays, or the writer writes it anew.
 * - Where a store can only look at the age of a value and delete it then, a writer may come between the two. There, whoever
 *   commits must ask the store once more when a sweep has deleted since the value was put.
 * - What is not of the store's own making (other names, folders beside the values) is neither listed nor touched.
 */
export interface BlobSweep {
  /** What was put within this time stays, whatever grace is asked for; milliseconds. */
  readonly leastGraceMs: number;
  /** How far the clock by which values are old may be from that of the records; milliseconds. */
  readonly clockSlackMs: number;
  /** How many values `removeOld` is given at once at most. Default 100. */
  readonly batch?: number;
  /** All values, in pages that fit into memory. */
  pages(): AsyncIterable<SweptPage>;
  /**
   * Removes values that have not been put since `before` (milliseconds since 1970); answers which it did. It awaits nothing: it
   * is called inside of a transaction, while nobody else can name them. Where it waits for a network it does so for a part of the
   * time that other writers wait, and throws then: some may be removed, and the same may be asked again.
   *
   * @throws FlowError FLOW_STORAGE_TIMEOUT, and those of the store
   */
  removeOld(keys: readonly string[], before: number): ReadonlySet<string>;
  /** What writers that are gone left half-written: files, and uploads in parts. */
  listUnfinished(): Promise<readonly SweptValue[]>;
  removeUnfinished(name: string, before: number): boolean;
  /** After `listUnfinished`: why uploads could not be looked for, in words. Default: they could. */
  readonly whyUnlisted?: () => string | undefined;
}

export interface SweptPage {
  readonly values: readonly SweptValue[];
  /** How many pages come before it, and how many there are where that is known. */
  readonly done: number;
  readonly of?: number;
}

export interface SweptValue {
  readonly key: string;
  readonly sizeBytes: number;
  /** Milliseconds since 1970. */
  readonly putAt: number;
}
