/**
 * The contract of a store of bytes. Storage knows keys and bytes, not flows, runs or encodings.
 *
 * Clauses that hold for every back-end and wrapper:
 * - A key is 1 to 200 characters of `[a-z0-9/._-]`, no empty, `.` or `..` part; anything else is FLOW_STORAGE_BAD_KEY.
 * - A key is written once. `put` of a key that exists changes nothing and answers `"exists"`; two writers at once leave
 *   one complete value, never a mixture.
 * - `replaceSync` is the first exception, for the repair of a value whose bytes are no longer those that were put: readers
 *   see the old value or the new one, whole, and a crash leaves one of the two.
 * - `compareAndSet` is the second, for the few keys that are made to change: a store without it says so in its capabilities
 *   and refuses it by FLOW_STORAGE_UNSUPPORTED. `put` and `compareAndSet` are not used for one key.
 * - A store that cannot create a key only where it is missing (`createOnce: "checked"`) looks before it writes: of two
 *   writers at once the later one may win, so that such keys need contents that follow from their names.
 * - When `put` or `replaceSync` answers, the bytes are durable: they survive a power cut. A store with `settleSync` says so of
 *   `putSync` only when that was asked.
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
  /** Size and age, or undefined when missing. */
  stat(key: string): Promise<BlobFacts | undefined>;
  /** Keys that begin with a prefix, ascending by code unit, in pages. */
  list(query: ListQuery): Promise<BlobPage>;
  /**
   * Removes a key; a missing key is no error.
   *
   * @param endsAt a store behind a network begins no further try after it; milliseconds since 1970
   */
  delete(key: string, endsAt?: number): Promise<void>;
  /** A value with what tells it from each that was or will be under its key; undefined when missing. */
  getVersioned(key: string): Promise<VersionedBlob | undefined>;
  /**
   * Puts bytes under a key if what is there is what the caller saw; all or nothing, for any number of callers at once.
   *
   * @param expected the version that was seen; undefined: nothing is there
   * @returns the new version, or undefined when somebody else was first
   */
  compareAndSet(key: string, bytes: Uint8Array, expected: string | undefined): Promise<string | undefined>;
  /** Of a store whose values go in parts: uploads that were begun, and neither completed nor given up. Absent where nothing stays of them. */
  readonly listUploads?: () => Promise<readonly UnfinishedUpload[]>;
  /** Gives up an upload of `listUploads`, with its parts; one that is over is no error. */
  readonly endUpload?: (upload: Pick<UnfinishedUpload, "key" | "id">) => Promise<void>;
  close(): Promise<void>;
}

/** An upload in parts whose value nobody sees. */
export interface UnfinishedUpload {
  readonly key: string;
  /** What the service calls it. */
  readonly id: string;
  /** By the store's clock, in milliseconds since 1970. */
  readonly begunAt: number;
  /** Of the parts that are there. */
  readonly sizeBytes: number;
}

export interface ByteRange {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

export interface BlobFacts {
  readonly sizeBytes: number;
  /** When it was last put, in milliseconds since 1970, by the store's clock; absent where the store does not say. */
  readonly putAt?: number;
}

export interface VersionedBlob {
  readonly bytes: Uint8Array;
  readonly version: string;
}

export interface ListQuery {
  /** Of characters that keys have; empty: all keys. */
  readonly prefix: string;
  /** Only keys behind this one. */
  readonly after?: string;
  /** Keys on a page at most. Default 1,000; a store may give fewer, and `next` says whether there are more. */
  readonly limit?: number;
  /** Whether the page has `facts` of its keys: free in a bucket, a call for each file in a folder. Default false. */
  readonly withFacts?: boolean;
}

export interface BlobPage {
  readonly keys: readonly string[];
  /** Of each key, in their order; there when asked for. */
  readonly facts?: readonly BlobFacts[];
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
  /** Whether each call is a trip over a network, so that many are made at once. */
  readonly remote: boolean;
  /** `atomic`: `put` creates a key only where it is missing, by the store itself; `checked`: by a look before. */
  readonly createOnce: "atomic" | "checked";
  /** Whether `compareAndSet` works. */
  readonly compareAndSet: boolean;
  /** Whether `putStream` needs room for a bounded part of the value only. */
  readonly multipart: boolean;
}

/** A value as its key names it, and its size in bytes as it is stored. */
export interface NamedValue {
  readonly key: string;
  readonly sizeBytes: number;
}

/** A store whose reads and writes need no event loop: used inside tasks, whose field getters are synchronous. */
export interface SyncBlobStore extends BlobStore {
  /** As `put`. A store that waits for a disk may call `meanwhile` once, when the chunks are read and not durable yet. */
  putSync(key: string, chunks: readonly Uint8Array[], meanwhile?: () => void): "created" | "exists";
  getSync(key: string, range?: ByteRange, into?: Uint8Array): Uint8Array | undefined;
  statSync(key: string): { readonly sizeBytes: number } | undefined;
  /** Puts bytes under a key in place of what is there, if anything is: only for a value that is known to be damaged. */
  replaceSync(key: string, chunks: readonly Uint8Array[]): void;
  /**
   * Of a store whose `putSync` answers before the store itself has the value: uploads it if it waits for that, and says whether the
   * store has it now, with this size.
   */
  readonly settleSync?: (key: string, sizeBytes: number) => boolean;
  /** Whether `settleSync` answers true at once, without asking anybody. */
  readonly knowsSync?: (key: string, sizeBytes: number) => boolean;
  /** As `settleSync` of many values, for callers that can wait: of each, whether the store has it now. */
  readonly settle?: (values: readonly NamedValue[]) => Promise<readonly boolean[]>;
  /** Of a store that is opened with its first use: opens it, so that its capabilities are known without a wait. */
  readonly ready?: () => Promise<void>;
  /** Of a store with copies nearby: begins to fetch values that will be read soon, and waits for nothing. */
  readonly readAhead?: (values: readonly NamedValue[]) => void;
  /** As `readAhead`, and returns when the values are nearby: one wait for all of them. */
  readonly fetchSync?: (values: readonly NamedValue[]) => void;
  /** Of a store with copies nearby: takes that of a key away, whose bytes are wrong; the next read comes from the store itself. */
  readonly dropCopy?: (key: string) => void;
}
