/**
 * A store behind a network as it is, past the copies and the spool of this machine: for whoever asks whether the store itself is
 * whole. Its waits are the I/O thread's; what stands next to each other in the store is looked at by one list.
 */
import type {
  BlobFacts,
  BlobPage,
  BlobStoreCapabilities,
  ByteRange,
  ListQuery,
  SyncBlobStore,
  VersionedBlob,
} from "../blob-store.ts";
import { isCopy } from "./bucket-folder.ts";
import type { RemoteClient } from "./remote-client.ts";

/** @param aside where values lie that a repair has put aside (`quarantine/…`), and copies: they are none of the store behind the network */
export function openDirectStore(client: RemoteClient, aside: SyncBlobStore): SyncBlobStore {
  return new DirectStore(client, aside);
}

const ASIDE = "quarantine/";

/** Keys from `after` (exclusive) to `last` that the store has, in their order. */
interface Window {
  readonly after: string;
  /** Inclusive; undefined: to the end of the store. */
  readonly last: string | undefined;
  readonly facts: ReadonlyMap<string, BlobFacts>;
}

class DirectStore implements SyncBlobStore {
  readonly #client: RemoteClient;
  readonly #aside: SyncBlobStore;
  #capabilities: BlobStoreCapabilities | undefined;
  #window: Window | undefined;
  #lastLooked = "";

  constructor(client: RemoteClient, aside: SyncBlobStore) {
    this.#client = client;
    this.#aside = aside;
  }

  get capabilities(): BlobStoreCapabilities {
    this.#capabilities ??= Object.freeze({ ...this.#client.callSync("capabilities", {}), synchronous: true });
    return this.#capabilities;
  }

  getSync(key: string, range?: ByteRange): Uint8Array | undefined {
    if (key.startsWith(ASIDE) || isCopy(key)) return this.#aside.getSync(key, range);
    return this.#client.callSync("get", { key, range });
  }

  /** Who asks for one key behind the other is answered by lists; a step back asks for the key itself. */
  statSync(key: string): BlobFacts | undefined {
    const isForward = key > this.#lastLooked;
    this.#lastLooked = key;
    if (!isForward) return this.#client.callSync("stat", { key });
    if (this.#window === undefined || key <= this.#window.after || isBehind(key, this.#window))
      this.#window = this.#windowAt(key);
    return this.#window.facts.get(key);
  }

  putSync(key: string, chunks: readonly Uint8Array[]): "created" | "exists" {
    return this.#client.callSync("put", { key, bytes: joined(chunks) });
  }

  replaceSync(key: string, chunks: readonly Uint8Array[]): void {
    this.#client.callSync("replace", { key, bytes: joined(chunks) });
  }

  async put(key: string, chunks: readonly Uint8Array[]): Promise<"created" | "exists"> {
    return await this.#client.call("put", { key, bytes: joined(chunks) });
  }

  async putStream(key: string, pieces: AsyncIterable<Uint8Array>): Promise<"created" | "exists"> {
    const chunks: Uint8Array[] = [];
    for await (const piece of pieces) chunks.push(Uint8Array.from(piece));
    return await this.put(key, chunks);
  }

  async get(key: string, range?: ByteRange): Promise<Uint8Array | undefined> {
    return await this.#client.call("get", { key, range });
  }

  async stat(key: string): Promise<BlobFacts | undefined> {
    return await this.#client.call("stat", { key });
  }

  async list(query: ListQuery): Promise<BlobPage> {
    return await this.#client.call("list", { query });
  }

  async delete(key: string): Promise<void> {
    await this.#client.call("delete", { key });
  }

  async getVersioned(key: string): Promise<VersionedBlob | undefined> {
    return await this.#client.call("getVersioned", { key });
  }

  async compareAndSet(key: string, bytes: Uint8Array, expected: string | undefined): Promise<string | undefined> {
    return await this.#client.call("compareAndSet", { key, bytes, expected });
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  #windowAt(key: string): Window {
    // The greatest text before the key, of characters that keys have, is not known; one a little smaller does as well.
    const after = key.slice(0, -1);
    const { keys, facts, next } = this.#client.callSync("list", { query: { prefix: "", after, withFacts: true } });
    return { after, last: next, facts: new Map(keys.map((found, at) => [found, facts![at]!])) };
  }
}

function isBehind(key: string, { last }: Window): boolean {
  return last !== undefined && key > last;
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(chunks));
}
