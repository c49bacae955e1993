import type {
  BlobFacts,
  BlobPage,
  BlobStore,
  BlobStoreCapabilities,
  ByteRange,
  ListQuery,
  VersionedBlob,
} from "../blob-store.ts";
import { checkKey } from "../check-key.ts";

/**
 * The part of a store whose keys begin with `prefix` and a slash, as a store of its own: its keys are what stands behind it.
 * Together they are a key of the store below, with the length that it may have. Closing it closes the store below.
 *
 * @param prefix a well-formed key, without a slash at its end
 * @throws FlowError FLOW_STORAGE_BAD_KEY
 */
export function prefixBlobStore(store: BlobStore, prefix: string): BlobStore {
  checkKey(prefix);
  return new PrefixBlobStore(store, `${prefix}/`);
}

class PrefixBlobStore implements BlobStore {
  readonly capabilities: BlobStoreCapabilities;
  readonly #store: BlobStore;
  readonly #prefix: string;

  constructor(store: BlobStore, prefix: string) {
    this.capabilities = Object.freeze({ ...store.capabilities, synchronous: false });
    this.#store = store;
    this.#prefix = prefix;
  }

  async put(key: string, chunks: readonly Uint8Array[]): Promise<"created" | "exists"> {
    return await this.#store.put(this.#below(key), chunks);
  }

  async putStream(key: string, pieces: AsyncIterable<Uint8Array>): Promise<"created" | "exists"> {
    return await this.#store.putStream(this.#below(key), pieces);
  }

  async get(key: string, range?: ByteRange, into?: Uint8Array): Promise<Uint8Array | undefined> {
    return await this.#store.get(this.#below(key), range, into);
  }

  async stat(key: string): Promise<BlobFacts | undefined> {
    return await this.#store.stat(this.#below(key));
  }

  async list(query: ListQuery): Promise<BlobPage> {
    const page = await this.#store.list({
      ...query,
      prefix: this.#prefix + query.prefix,
      ...(query.after === undefined ? {} : { after: this.#prefix + query.after }),
    });
    return {
      ...page,
      keys: page.keys.map((key) => key.slice(this.#prefix.length)),
      ...(page.next === undefined ? {} : { next: page.next.slice(this.#prefix.length) }),
    };
  }

  async delete(key: string, endsAt?: number): Promise<void> {
    await this.#store.delete(this.#below(key), endsAt);
  }

  async getVersioned(key: string): Promise<VersionedBlob | undefined> {
    return await this.#store.getVersioned(this.#below(key));
  }

  async compareAndSet(key: string, bytes: Uint8Array, expected: string | undefined): Promise<string | undefined> {
    return await this.#store.compareAndSet(this.#below(key), bytes, expected);
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  /** The key of the store below: checked by itself, since `../x` behind a prefix would leave it. */
  #below(key: string): string {
    checkKey(key);
    return this.#prefix + key;
  }
}
