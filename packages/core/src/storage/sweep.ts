/**
 * The contract of sweeping a store of bytes: what garbage collection needs to see how old values are and to take those
 * that nobody names. Apart from `BlobStore`, because nobody else may delete.
 *
 * Clauses:
 * - A value is as old as the last `put` of its key, also of one that found it there.
 * - `removeOld` takes a value away whole or not at all, and never one that was put again after `before`, not even at the
 *   same instant: then it stays, or the writer writes it anew.
 * - What is not of the store's own making (other names, folders beside the values) is neither listed nor touched.
 */
export interface BlobSweep {
  /** Parts of the store, each small enough to be listed in memory. */
  parts(): Promise<readonly string[]>;
  /** The values of one part. */
  list(part: string): Promise<readonly SweptValue[]>;
  /** Removes a value that has not been put since `before` (milliseconds since 1970); answers whether it did. */
  removeOld(key: string, before: number): boolean;
  /** What writers that are gone left half-written. */
  listUnfinished(): Promise<readonly SweptValue[]>;
  removeUnfinished(name: string, before: number): boolean;
}

export interface SweptValue {
  readonly key: string;
  readonly sizeBytes: number;
  /** Milliseconds since 1970. */
  readonly putAt: number;
}
