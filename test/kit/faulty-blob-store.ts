import { setTimeout as wait } from "node:timers/promises";
import { FlowError } from "../../packages/core/src/errors/flow-error.ts";
import type {
  BlobFacts,
  BlobPage,
  ByteRange,
  ListQuery,
  SyncBlobStore,
  VersionedBlob,
} from "../../packages/core/src/storage/blob-store.ts";
import { type FaultKind, type PlannedFaults, STALL_MS } from "./planned-faults.ts";

/** A store of bytes that does what another one does, but for the calls that are planned to go wrong. */
export function faultyBlobStore(store: SyncBlobStore, faults: PlannedFaults): SyncBlobStore {
  return new FaultyBlobStore(store, faults);
}

class FaultyBlobStore implements SyncBlobStore {
  readonly #store: SyncBlobStore;
  readonly #faults: PlannedFaults;

  constructor(store: SyncBlobStore, faults: PlannedFaults) {
    this.#store = store;
    this.#faults = faults;
  }

  get capabilities() {
    return this.#store.capabilities;
  }

  putSync(key: string, chunks: readonly Uint8Array[]): "created" | "exists" {
    return this.#sync("put", (kind) => {
      if (kind === "lie") return "created";
      return this.#store.putSync(key, kind === "truncate" ? half(chunks) : chunks);
    });
  }

  put(key: string, chunks: readonly Uint8Array[]): Promise<"created" | "exists"> {
    return this.#async("put", async (kind) => {
      if (kind === "lie") return "created";
      return await this.#store.put(key, kind === "truncate" ? half(chunks) : chunks);
    });
  }

  putStream(key: string, pieces: AsyncIterable<Uint8Array>): Promise<"created" | "exists"> {
    return this.#async("put", async (kind) => {
      if (kind !== "lie" && kind !== "truncate") return await this.#store.putStream(key, pieces);
      const chunks = await gathered(pieces);
      return kind === "lie" ? "created" : await this.#store.put(key, half(chunks));
    });
  }

  replaceSync(key: string, chunks: readonly Uint8Array[]): void {
    this.#sync("replace", (kind) => {
      if (kind !== "lie") this.#store.replaceSync(key, kind === "truncate" ? half(chunks) : chunks);
    });
  }

  getSync(key: string, range?: ByteRange): Uint8Array | undefined {
    return this.#sync("get", (kind) => spoilt(this.#store.getSync(key, range), kind));
  }

  get(key: string, range?: ByteRange): Promise<Uint8Array | undefined> {
    return this.#async("get", async (kind) => spoilt(await this.#store.get(key, range), kind));
  }

  statSync(key: string): BlobFacts | undefined {
    return this.#sync("stat", (kind) => missized(this.#store.statSync(key), kind));
  }

  stat(key: string): Promise<BlobFacts | undefined> {
    return this.#async("stat", async (kind) => missized(await this.#store.stat(key), kind));
  }

  list(query: ListQuery): Promise<BlobPage> {
    return this.#async("list", async (kind) => {
      const page = await this.#store.list(query);
      if (kind === "lie") return { keys: [] };
      return kind === "truncate" ? { keys: page.keys.slice(0, page.keys.length / 2) } : page;
    });
  }

  delete(key: string): Promise<void> {
    return this.#async("delete", async (kind) => {
      if (kind !== "lie" && kind !== "truncate") await this.#store.delete(key);
    });
  }

  getVersioned(key: string): Promise<VersionedBlob | undefined> {
    return this.#async("get", async (kind) => {
      const found = await this.#store.getVersioned(key);
      return found === undefined ? undefined : { ...found, bytes: spoilt(found.bytes, kind)! };
    });
  }

  compareAndSet(key: string, bytes: Uint8Array, expected: string | undefined): Promise<string | undefined> {
    return this.#async("put", async (kind) => {
      if (kind === "lie") return "never";
      const value = kind === "truncate" ? half([bytes])[0]! : bytes;
      return await this.#store.compareAndSet(key, value, expected);
    });
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #sync<T>(verb: string, work: (kind: FaultKind | undefined) => T): T {
    const kind = this.#faults.next(verb);
    if (kind === "fail") throw failure(verb);
    if (kind === "stall") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS);
    const answer = work(kind);
    if (kind === "lose") throw failure(verb);
    return answer;
  }

  async #async<T>(verb: string, work: (kind: FaultKind | undefined) => Promise<T>): Promise<T> {
    const kind = this.#faults.next(verb);
    if (kind === "fail") throw failure(verb);
    if (kind === "stall") await wait(STALL_MS);
    const answer = await work(kind);
    if (kind === "lose") throw failure(verb);
    return answer;
  }
}

function failure(verb: string): FlowError {
  const message = `Cannot ${verb} a value: it was planned to fail`;
  return new FlowError("FLOW_STORAGE_UNAVAILABLE", { message, context: { isTransient: true } });
}

async function gathered(pieces: AsyncIterable<Uint8Array>): Promise<readonly Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const piece of pieces) chunks.push(Uint8Array.from(piece));
  return chunks;
}

function half(chunks: readonly Uint8Array[]): readonly Uint8Array[] {
  const all = Buffer.concat(chunks);
  return [all.subarray(0, all.length >> 1)];
}

function spoilt(value: Uint8Array | undefined, kind: FaultKind | undefined): Uint8Array | undefined {
  if (value === undefined || (kind !== "lie" && kind !== "truncate")) return value;
  if (kind === "truncate") return value.subarray(0, value.length >> 1);
  const other = Uint8Array.from(value);
  if (other.length > 0) other[other.length >> 1]! ^= 1;
  return other;
}

function missized<T extends { readonly sizeBytes: number }>(facts: T | undefined, kind: FaultKind | undefined) {
  if (kind === "lie") return undefined;
  return facts !== undefined && kind === "truncate" ? { sizeBytes: facts.sizeBytes >> 1 } : facts;
}
