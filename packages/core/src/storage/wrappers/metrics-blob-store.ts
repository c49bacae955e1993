import type {
  BlobFacts,
  BlobPage,
  BlobStore,
  BlobStoreCapabilities,
  ByteRange,
  ListQuery,
  VersionedBlob,
} from "../blob-store.ts";

/** What was done with a store so far, by verb: "put", "get", "list", …; verbs that were never used are missing. */
export type StoreFigures = Readonly<Record<string, VerbFigures>>;

export interface VerbFigures {
  /** Calls that have ended. */
  readonly calls: number;
  /** Those of them that threw. */
  readonly failures: number;
  /** Tries beyond the first. */
  readonly retries: number;
  /** Bytes of values that were handed to the store. */
  readonly bytesIn: number;
  /** Bytes of values that the store gave. */
  readonly bytesOut: number;
}

/** Counts for one store. Hand `retried` to who tries again (`onRetry`), and the whole to `meteredBlobStore`. */
export class StoreMetrics {
  readonly #verbs = new Map<string, { -readonly [Name in keyof VerbFigures]: number }>();

  /** Plain data, as of now. */
  figures(): StoreFigures {
    return Object.fromEntries([...this.#verbs].map(([verb, figures]) => [verb, { ...figures }]));
  }

  add(verb: string, more: Partial<VerbFigures>): void {
    const figures = this.#verbs.get(verb) ?? { calls: 0, failures: 0, retries: 0, bytesIn: 0, bytesOut: 0 };
    for (const name of Object.keys(more) as (keyof VerbFigures)[]) figures[name] += more[name] ?? 0;
    this.#verbs.set(verb, figures);
  }

  readonly retried = (verb: string): void => this.add(verb, { retries: 1 });
}

/** A store that counts what is done with it. */
export function meteredBlobStore(store: BlobStore, metrics: StoreMetrics): BlobStore {
  return new MeteredBlobStore(store, metrics);
}

class MeteredBlobStore implements BlobStore {
  readonly capabilities: BlobStoreCapabilities;
  /** As the store does it. */
  readonly listUploads?: NonNullable<BlobStore["listUploads"]>;
  readonly endUpload?: NonNullable<BlobStore["endUpload"]>;
  readonly #store: BlobStore;
  readonly #metrics: StoreMetrics;

  constructor(store: BlobStore, metrics: StoreMetrics) {
    this.capabilities = Object.freeze({ ...store.capabilities, synchronous: false });
    this.#store = store;
    if (store.listUploads !== undefined) this.listUploads = store.listUploads;
    if (store.endUpload !== undefined) this.endUpload = store.endUpload;
    this.#metrics = metrics;
  }

  put(key: string, chunks: readonly Uint8Array[]): Promise<"created" | "exists"> {
    return this.#counted("put", this.#store.put(key, chunks), (answer) => ({
      bytesIn: answer === "created" ? chunks.reduce((sum, chunk) => sum + chunk.length, 0) : 0,
    }));
  }

  putStream(key: string, pieces: AsyncIterable<Uint8Array>): Promise<"created" | "exists"> {
    let bytesIn = 0;
    async function* weighed(): AsyncGenerator<Uint8Array, void> {
      for await (const piece of pieces) {
        bytesIn += piece.length;
        yield piece;
      }
    }
    return this.#counted("putStream", this.#store.putStream(key, weighed()), () => ({ bytesIn }));
  }

  get(key: string, range?: ByteRange, into?: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#counted("get", this.#store.get(key, range, into), (bytes) => ({ bytesOut: bytes?.length ?? 0 }));
  }

  stat(key: string): Promise<BlobFacts | undefined> {
    return this.#counted("stat", this.#store.stat(key));
  }

  list(query: ListQuery): Promise<BlobPage> {
    return this.#counted("list", this.#store.list(query));
  }

  delete(key: string, endsAt?: number): Promise<void> {
    return this.#counted("delete", this.#store.delete(key, endsAt));
  }

  getVersioned(key: string): Promise<VersionedBlob | undefined> {
    return this.#counted("getVersioned", this.#store.getVersioned(key), (found) => ({
      bytesOut: found?.bytes.length ?? 0,
    }));
  }

  compareAndSet(key: string, bytes: Uint8Array, expected: string | undefined): Promise<string | undefined> {
    return this.#counted("compareAndSet", this.#store.compareAndSet(key, bytes, expected), (version) => ({
      bytesIn: version === undefined ? 0 : bytes.length,
    }));
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #counted<Answer>(
    verb: string,
    call: Promise<Answer>,
    bytesOf: (answer: Answer) => Partial<VerbFigures> = () => ({}),
  ): Promise<Answer> {
    try {
      const answer = await call;
      this.#metrics.add(verb, { calls: 1, ...bytesOf(answer) });
      return answer;
    } catch (error) {
      this.#metrics.add(verb, { calls: 1, failures: 1 });
      throw error;
    }
  }
}
