import { FlowError } from "../../errors/flow-error.ts";
import type {
  BlobFacts,
  BlobPage,
  BlobStoreCapabilities,
  ByteRange,
  ListQuery,
  SyncBlobStore,
  VersionedBlob,
} from "../blob-store.ts";
import { checkKey, checkLimit, checkRange, DEFAULT_LIST_LIMIT } from "../check-key.ts";

/** Opens an empty store of values that live as long as the process: for tests and for runs that keep nothing. */
export function openMemoryBlobStore(): SyncBlobStore {
  return new MemoryBlobStore();
}

class MemoryBlobStore implements SyncBlobStore {
  readonly capabilities: BlobStoreCapabilities = Object.freeze({
    synchronous: true,
    rangeReads: true,
    persistent: false,
    remote: false,
    createOnce: "atomic",
    compareAndSet: true,
    multipart: false,
  });
  readonly #values = new Map<string, { readonly bytes: Uint8Array; putAt: number; readonly version: string }>();
  #versions = 0;
  #isClosed = false;

  putSync(key: string, chunks: readonly Uint8Array[]): "created" | "exists" {
    this.#check(key);
    const there = this.#values.get(key);
    if (there !== undefined) {
      there.putAt = Date.now();
      return "exists";
    }
    this.replaceSync(key, chunks);
    return "created";
  }

  replaceSync(key: string, chunks: readonly Uint8Array[]): void {
    this.#check(key);
    const value = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      value.set(chunk, at);
      at += chunk.length;
    }
    this.#values.set(key, { bytes: value, putAt: Date.now(), version: String(++this.#versions) });
  }

  getSync(key: string, range?: ByteRange): Uint8Array | undefined {
    this.#check(key);
    checkRange(range);
    // A copy: the caller may write into what it got, and a file would not change by that either.
    return this.#values.get(key)?.bytes.slice(range?.start, range?.end);
  }

  async put(key: string, chunks: readonly Uint8Array[]): Promise<"created" | "exists"> {
    return this.putSync(key, chunks);
  }

  async putStream(key: string, pieces: AsyncIterable<Uint8Array>): Promise<"created" | "exists"> {
    this.#check(key);
    if (this.#values.has(key)) return this.putSync(key, []);
    const kept: Uint8Array[] = [];
    for await (const piece of pieces) kept.push(Uint8Array.from(piece)); // `slice` of a Buffer would be no copy.
    return this.putSync(key, kept);
  }

  async get(key: string, range?: ByteRange): Promise<Uint8Array | undefined> {
    return this.getSync(key, range);
  }

  statSync(key: string): BlobFacts | undefined {
    this.#check(key);
    const value = this.#values.get(key);
    return value === undefined ? undefined : { sizeBytes: value.bytes.length, putAt: value.putAt };
  }

  async stat(key: string): Promise<BlobFacts | undefined> {
    return this.statSync(key);
  }

  async list(query: ListQuery): Promise<BlobPage> {
    this.#checkOpen();
    const limit = query.limit ?? DEFAULT_LIST_LIMIT;
    checkLimit(limit);
    const after = query.after ?? "";
    const all = [...this.#values.keys()].filter((key) => key.startsWith(query.prefix) && key > after).sort(byCodeUnit);
    const keys = all.slice(0, limit);
    return {
      keys,
      ...(query.withFacts === true ? { facts: keys.map((key) => this.statSync(key)!) } : {}),
      ...(all.length > limit ? { next: keys.at(-1)! } : {}),
    };
  }

  async delete(key: string): Promise<void> {
    this.#check(key);
    this.#values.delete(key);
  }

  async getVersioned(key: string): Promise<VersionedBlob | undefined> {
    this.#check(key);
    const value = this.#values.get(key);
    return value === undefined ? undefined : { bytes: value.bytes.slice(), version: value.version };
  }

  async compareAndSet(key: string, bytes: Uint8Array, expected: string | undefined): Promise<string | undefined> {
    this.#check(key);
    if (this.#values.get(key)?.version !== expected) return undefined;
    this.replaceSync(key, [bytes]);
    return this.#values.get(key)!.version;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#values.clear();
  }

  #check(key: string): void {
    this.#checkOpen();
    checkKey(key);
  }

  #checkOpen(): void {
    if (this.#isClosed)
      throw new FlowError("FLOW_STORAGE_CLOSED", { message: "Cannot use the blob store in memory: it is closed" });
  }
}

function byCodeUnit(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
