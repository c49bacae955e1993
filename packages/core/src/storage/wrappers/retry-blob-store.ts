import { type FlowError, isFlowError } from "../../errors/flow-error.ts";
import { type Attempt, isTransient } from "../attempt.ts";
import type {
  BlobFacts,
  BlobPage,
  BlobStore,
  BlobStoreCapabilities,
  ByteRange,
  ListQuery,
  VersionedBlob,
} from "../blob-store.ts";
import { putAgain } from "../put-again.ts";
import { type RetryOptions, retrying, triedEnough } from "./retry.ts";

/**
 * A store whose calls are tried again when they fail in a way that may pass.
 *
 * An answer that was lost is no failure: what a try put all the same is known by its bytes, and the answer is "created" (the
 * new version, for `compareAndSet`, whose values must therefore say whose they are). Two limits: `putStream` is tried again only
 * as long as nobody has asked for its first piece, since nobody can ask twice; a store that takes values in parts tries the parts
 * again itself. And of a `compareAndSet` whose answer was lost and whose value was replaced since, the answer is "lost".
 */
export function retryBlobStore(store: BlobStore, options: RetryOptions = {}): BlobStore {
  return new RetryBlobStore(store, options);
}

class RetryBlobStore implements BlobStore {
  readonly capabilities: BlobStoreCapabilities;
  /** As the store does it. */
  readonly listUploads?: NonNullable<BlobStore["listUploads"]>;
  readonly endUpload?: NonNullable<BlobStore["endUpload"]>;
  readonly #store: BlobStore;
  readonly #attempt: Attempt;

  constructor(store: BlobStore, options: RetryOptions) {
    this.capabilities = Object.freeze({ ...store.capabilities, synchronous: false });
    this.#store = store;
    if (store.listUploads !== undefined) this.listUploads = store.listUploads;
    if (store.endUpload !== undefined) this.endUpload = store.endUpload;
    this.#attempt = retrying(options);
  }

  put(key: string, chunks: readonly Uint8Array[]): Promise<"created" | "exists"> {
    return putAgain(this.#store, key, chunks, this.#attempt);
  }

  putStream(key: string, pieces: AsyncIterable<Uint8Array>): Promise<"created" | "exists"> {
    let isBegun = false;
    const watched = {
      [Symbol.asyncIterator]() {
        isBegun = true;
        return pieces[Symbol.asyncIterator]();
      },
    };
    return this.#attempt("putStream", async () => {
      try {
        return await this.#store.putStream(key, watched);
      } catch (error) {
        if (isBegun && isFlowError(error) && isTransient(error) && error.context.tries === undefined)
          throw triedEnough(error, 1);
        throw error;
      }
    });
  }

  get(key: string, range?: ByteRange, into?: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#attempt("get", () => this.#store.get(key, range, into));
  }

  stat(key: string): Promise<BlobFacts | undefined> {
    return this.#attempt("stat", () => this.#store.stat(key));
  }

  list(query: ListQuery): Promise<BlobPage> {
    return this.#attempt("list", () => this.#store.list(query));
  }

  delete(key: string, endsAt?: number): Promise<void> {
    let failure: FlowError | undefined;
    return this.#attempt("delete", async (tryNumber) => {
      if (failure !== undefined && endsAt !== undefined && Date.now() >= endsAt)
        throw triedEnough(failure, tryNumber - 1);
      try {
        await this.#store.delete(key, endsAt);
      } catch (error) {
        if (isFlowError(error)) failure = error;
        throw error;
      }
    });
  }

  getVersioned(key: string): Promise<VersionedBlob | undefined> {
    return this.#attempt("getVersioned", () => this.#store.getVersioned(key));
  }

  compareAndSet(key: string, bytes: Uint8Array, expected: string | undefined): Promise<string | undefined> {
    let mayHaveSet = false;
    return this.#attempt("compareAndSet", async () => {
      try {
        const version = await this.#store.compareAndSet(key, bytes, expected);
        if (version !== undefined || !mayHaveSet) return version;
        const there = await this.getVersioned(key);
        return there !== undefined && Buffer.compare(there.bytes, bytes) === 0 ? there.version : undefined;
      } catch (error) {
        if (isTransient(error)) mayHaveSet = true;
        throw error;
      }
    });
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
