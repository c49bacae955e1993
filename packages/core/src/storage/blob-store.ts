/**
 * The contract of a store of bytes. Storage knows keys and bytes, not flows, runs or encodings.
 *
 * Clauses that hold for every back-end and wrapper:
 * - A key is 1 to 200 characters of `[a-z0-9/._-]`, no empty, `.` or `..` part; anything else is FLOW_STORAGE_BAD_KEY.
 * - A key is written once. `put` of a key that exists changes nothing and answers `"exists"`; two writers at once leave
 *   one complete value, never a mixture.
 * - `replaceSync` is the one exception, for the repair of a value whose bytes are no longer those that were put: readers
 *   see the old value or the new one, whole, and a crash leaves one of the two.
 * - When `put` or `replaceSync` answers, the bytes are durable: they survive a power cut.
 * - What `get` returns belongs to the caller: changing it changes nothing that is stored. With `into`, memory of the caller's
 *   (it may be shared), a store that can puts the bytes at its beginning and answers a view of it.
 * - What is put counts as new, also when it was there already: a sweep (`sweep.ts`) takes old values alone.
 * - A reader never sees a part of a value: neither while it is written nor after a crash.
 * - `get` of a missing key gives undefined; a store that cannot be reached is FLOW_STORAGE_UNAVAILABLE.
 * - After `close`, every call is FLOW_STORAGE_CLOSED.
 */
export interface BlobStore {
  readonly capabilities: BlobStoreCapabilities;
  /** Stores bytes under a key. `chunks` are written one after another and are not kept or changed. */
  put(key: string, chunks: readonly Uint8Array[]): Promise<"created" | "exists">;
  /**
   * As `put`, for a value that comes piece by piece and need not fit into memory. The pieces are read to their end before
   * anything has the key: what they throw is thrown, and nothing is stored. Where the key exists they may stay unread. A piece
   * may be used again by the caller once the next one is asked for.
   */
  putStream(key: string, pieces: AsyncIterable<Uint8Array>): Promise<"created" | "exists">;
  /** The bytes of a key, or the part of them that a range names (cut at the end of the value); undefined when missing. */
  get(key: string, range?: ByteRange, into?: Uint8Array): Promise<Uint8Array | undefined>;
  /** Size in bytes, or undefined when missing. */
  stat(key: string): Promise<{ readonly sizeBytes: number } | undefined>;
  /** Keys that begin with a prefix, ascending by code unit, in pages. */
  list(options: { readonly prefix: string; readonly after?: string; readonly limit?: number }): Promise<BlobPage>;
  /** Removes a key; a missing key is no error. */
  delete(key: string): Promise<void>;
  close(): Promise<void>;
}

export interface ByteRange {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

export interface BlobPage {
  readonly keys: readonly string[];
  /** Give it as `after` to get the next page; absent on the last one. */
  readonly next?: string;
}

export interface BlobStoreCapabilities {
  /** Whether values can be read without awaiting (`SyncBlobStore`), as a folder can. */
  readonly synchronous: boolean;
  /** Whether `get` with a range reads only that part. */
  readonly rangeReads: boolean;
  /** Whether values outlive the process. */
  readonly persistent: boolean;
}

/** A store whose reads and writes need no event loop: used inside tasks, whose field getters are synchronous. */
export interface SyncBlobStore extends BlobStore {
  /** As `put`. A store that waits for a disk may call `meanwhile` once, when the chunks are read and not durable yet. */
  putSync(key: string, chunks: readonly Uint8Array[], meanwhile?: () => void): "created" | "exists";
  getSync(key: string, range?: ByteRange, into?: Uint8Array): Uint8Array | undefined;
  statSync(key: string): { readonly sizeBytes: number } | undefined;
  /** Puts bytes under a key in place of what is there, if anything is: only for a value that is known to be damaged. */
  replaceSync(key: string, chunks: readonly Uint8Array[]): void;
}
