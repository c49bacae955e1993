/**
 * A store behind a network as every thread sees it: reads look into the cache of this machine first, and the I/O thread fetches
 * what is missing; what tasks write goes into the spool, and into the store before the row that names it is written.
 *
 * What is promised where: `put` and `putStream` answer when the store has the value, as the contract says. `putSync` of a value
 * whose key names its contents answers when the spool has it, and `settle` or `settleSync` must be asked before a record names it:
 * a task that waited for each of its uploads would hold its slot for nothing. All other keys are passed on as they are.
 */
import { randomBytes } from "node:crypto";
import { FlowError } from "../../errors/flow-error.ts";
import type {
  BlobFacts,
  BlobPage,
  BlobStoreCapabilities,
  ByteRange,
  ListQuery,
  NamedValue,
  SyncBlobStore,
  VersionedBlob,
} from "../blob-store.ts";
import { checkKey, checkLimit, checkRange } from "../check-key.ts";
import type { CacheFolder } from "./cache-folder.ts";
import type { RemoteClient } from "./remote-client.ts";

export interface RemoteBlobStore extends SyncBlobStore {
  /**
   * Sees to it that values are in the store, and uploads those that lie in the spool.
   *
   * @returns of each, whether the store has it now, with this size
   * @throws FlowError of the store, and FLOW_STORAGE_SPOOL
   */
  settle(values: readonly NamedValue[]): Promise<readonly boolean[]>;
  /** As `settle` of one value, without an event loop; asks nobody when `settle` has just said so. */
  settleSync(key: string, sizeBytes: number): boolean;
  knowsSync(key: string, sizeBytes: number): boolean;
  readAhead(values: readonly NamedValue[]): void;
  fetchSync(values: readonly NamedValue[]): void;
  dropCopy(key: string): void;
  ready(): Promise<void>;
  /** Has the I/O thread started and the store opened, which takes a while, before the first call needs them. */
  warmUp(): void;
  /** How often this thread has stood still for the store. */
  readonly waits: number;
}

export interface RemoteBlobStoreOptions {
  readonly client: RemoteClient;
  readonly cache: CacheFolder;
  readonly spool: SyncBlobStore;
  /** Whether a key names its contents by a digest: such values are kept nearby, and may wait in the spool. */
  readonly isContent: (key: string) => boolean;
  /** What messages call the store: its address. */
  readonly name: string;
  /** Changes when values are deleted from the store: what was said of it before counts no more. Default: never. */
  readonly sweepMark?: () => number;
}

/** A part this small of a value that is not nearby is read by itself: who looks whether something is there wants no more. */
const SMALL_PART_BYTES = 64 * 1024;
/** Others may take a copy away between its fetching and its reading. */
const FETCHES = 5;
const SETTLED_MS = 60_000;
const SETTLED_KEPT = 10_000;

export function openRemoteBlobStore(options: RemoteBlobStoreOptions): RemoteBlobStore {
  return new RemoteStore(options);
}

class RemoteStore implements RemoteBlobStore {
  readonly #options: RemoteBlobStoreOptions;
  /** Values that the store is known to have: by key, their size and when it was said. */
  readonly #settled = new Map<string, { readonly sizeBytes: number; readonly at: number; readonly mark: number }>();
  #capabilities: BlobStoreCapabilities | undefined;
  #isClosed = false;

  constructor(options: RemoteBlobStoreOptions) {
    this.#options = options;
  }

  get waits(): number {
    return this.#options.client.waits;
  }

  /** What only the store itself can say is asked for when somebody wants to know. */
  get capabilities(): BlobStoreCapabilities {
    const store = (): BlobStoreCapabilities => {
      this.#checkOpen();
      this.#own ??= this.#options.client.callSync("capabilities", {});
      return this.#own;
    };
    this.#capabilities ??= Object.freeze({
      synchronous: true,
      rangeReads: true,
      remote: true,
      multipart: true,
      get persistent() {
        return store().persistent;
      },
      get createOnce() {
        return store().createOnce;
      },
      get compareAndSet() {
        return store().compareAndSet;
      },
    });
    return this.#capabilities;
  }
  #own: BlobStoreCapabilities | undefined;

  async put(key: string, chunks: readonly Uint8Array[]): Promise<"created" | "exists"> {
    if (!this.#isContent(key)) return await this.#options.client.call("put", { key, bytes: joined(chunks) });
    this.#spool(key, chunks);
    return await this.#settleOne(key);
  }

  async putStream(key: string, pieces: AsyncIterable<Uint8Array>): Promise<"created" | "exists"> {
    const isContent = this.#isContent(key);
    const { spool, client } = this.#options;
    if (isContent) {
      await spool.putStream(key, pieces);
      return await this.#settleOne(key);
    }
    const spooled = `aside/${randomBytes(16).toString("hex")}`;
    await spool.putStream(spooled, pieces);
    return await client.call("putSpooled", { key, spooled });
  }

  putSync(key: string, chunks: readonly Uint8Array[]): "created" | "exists" {
    if (!this.#isContent(key)) return this.#options.client.callSync("put", { key, bytes: joined(chunks) });
    return this.#spool(key, chunks);
  }

  replaceSync(key: string, chunks: readonly Uint8Array[]): void {
    this.#check(key);
    this.#settled.delete(key);
    this.#options.client.callSync("replace", { key, bytes: joined(chunks) });
  }

  getSync(key: string, range?: ByteRange, into?: Uint8Array): Uint8Array | undefined {
    const isContent = this.#isContent(key);
    checkRange(range);
    const { client } = this.#options;
    for (let fetches = 0; isContent && fetches < FETCHES; fetches++) {
      const near = this.#near(key, range, into);
      if (near !== undefined) return near;
      if (isSmall(range)) break;
      const [fetched] = client.callSync("fetch", { values: [{ key }] });
      if (fetched === "missing") return undefined;
      if (fetched === "damaged") break; // As the store has it: whoever reads it says what is wrong.
    }
    return client.callSync("get", { key, range });
  }

  async get(key: string, range?: ByteRange, into?: Uint8Array): Promise<Uint8Array | undefined> {
    const isContent = this.#isContent(key);
    checkRange(range);
    const { client, cache, spool } = this.#options;
    for (let fetches = 0; isContent && fetches < FETCHES; fetches++) {
      const near = (await cache.get(key, range, into)) ?? (await spool.get(key, range, into));
      if (near !== undefined) return near;
      if (isSmall(range)) break;
      const [fetched] = await client.call("fetch", { values: [{ key }] });
      if (fetched === "missing") return undefined;
      if (fetched === "damaged") break;
    }
    return await client.call("get", { key, range });
  }

  statSync(key: string): BlobFacts | undefined {
    if (this.#isContent(key)) {
      const sizeBytes = this.#nearSize(key);
      if (sizeBytes !== undefined) return { sizeBytes };
    }
    return this.#options.client.callSync("stat", { key });
  }

  async stat(key: string): Promise<BlobFacts | undefined> {
    this.#check(key);
    return await this.#options.client.call("stat", { key });
  }

  async list(query: ListQuery): Promise<BlobPage> {
    this.#checkOpen();
    if (query.limit !== undefined) checkLimit(query.limit);
    return await this.#options.client.call("list", { query });
  }

  async delete(key: string): Promise<void> {
    this.#check(key);
    this.#settled.delete(key);
    await this.#options.client.call("delete", { key });
  }

  async getVersioned(key: string): Promise<VersionedBlob | undefined> {
    this.#check(key);
    return await this.#options.client.call("getVersioned", { key });
  }

  async compareAndSet(key: string, bytes: Uint8Array, expected: string | undefined): Promise<string | undefined> {
    this.#check(key);
    return await this.#options.client.call("compareAndSet", { key, bytes, expected });
  }

  async settle(values: readonly NamedValue[]): Promise<readonly boolean[]> {
    for (const { key } of values) this.#check(key);
    const mark = this.#mark();
    const settled = await this.#options.client.call("settle", { values });
    return settled.map((answer, at) => this.#remember(values[at]!, mark, answer !== "missing"));
  }

  settleSync(key: string, sizeBytes: number): boolean {
    this.#check(key);
    const value = { key, sizeBytes };
    const mark = this.#mark();
    if (this.#knows(value, mark)) return true;
    const [answer] = this.#options.client.callSync("settle", { values: [value] });
    return this.#remember(value, mark, answer !== "missing");
  }

  knowsSync(key: string, sizeBytes: number): boolean {
    this.#check(key);
    return this.#knows({ key, sizeBytes }, this.#mark());
  }

  #knows({ key, sizeBytes }: NamedValue, mark: number): boolean {
    const settled = this.#settled.get(key);
    return settled?.sizeBytes === sizeBytes && settled.mark === mark && Date.now() - settled.at < SETTLED_MS;
  }

  async ready(): Promise<void> {
    this.#checkOpen();
    this.#own ??= await this.#options.client.call("capabilities", {});
  }

  warmUp(): void {
    this.#options.client.wish("capabilities", {});
  }

  readAhead(values: readonly NamedValue[]): void {
    const far = this.#far(values);
    if (far.length > 0) this.#options.client.wish("fetch", { values: far });
  }

  fetchSync(values: readonly NamedValue[]): void {
    const far = this.#far(values);
    if (far.length > 0) this.#options.client.callSync("fetch", { values: far });
  }

  dropCopy(key: string): void {
    this.#check(key);
    this.#options.cache.drop(key);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#options.client.close();
  }

  #near(key: string, range: ByteRange | undefined, into: Uint8Array | undefined): Uint8Array | undefined {
    const { cache, spool } = this.#options;
    return cache.getSync(key, range, into) ?? spool.getSync(key, range, into);
  }

  #nearSize(key: string): number | undefined {
    const { cache, spool } = this.#options;
    return cache.sizeOf(key) ?? spool.statSync(key)?.sizeBytes;
  }

  #far(values: readonly NamedValue[]): readonly NamedValue[] {
    return values.filter(({ key }) => this.#isContent(key) && this.#nearSize(key) === undefined);
  }

  /** Writes a value into the spool; one that a crash has left there cut is replaced. */
  #spool(key: string, chunks: readonly Uint8Array[]): "created" | "exists" {
    const { spool } = this.#options;
    if (spool.putSync(key, chunks) === "created") return "created";
    const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
    if (spool.statSync(key)?.sizeBytes !== sizeBytes) spool.replaceSync(key, chunks);
    return "exists";
  }

  async #settleOne(key: string): Promise<"created" | "exists"> {
    const { client, spool } = this.#options;
    // Another writer of the same value may have uploaded it and taken it out of the spool: then the store says its size.
    const sizeBytes = spool.statSync(key)?.sizeBytes ?? (await client.call("stat", { key }))?.sizeBytes;
    const [settled] = sizeBytes === undefined ? [] : await client.call("settle", { values: [{ key, sizeBytes }] });
    if (settled === "created" || settled === "exists") return settled;
    throw new FlowError("FLOW_STORAGE_SPOOL", {
      message: `Cannot upload the value "${key}": its file on this machine is gone`,
      hint: "Store the value once more",
      context: { key },
    });
  }

  /** Read before the store is asked: what it says may be deleted right after it. */
  #mark(): number {
    return this.#options.sweepMark?.() ?? 0;
  }

  #remember(value: NamedValue, mark: number, isThere: boolean): boolean {
    if (!isThere) return false;
    if (this.#settled.size >= SETTLED_KEPT) this.#settled.clear();
    this.#settled.set(value.key, { sizeBytes: value.sizeBytes, at: Date.now(), mark });
    return true;
  }

  #isContent(key: string): boolean {
    this.#check(key);
    return this.#options.isContent(key);
  }

  #check(key: string): void {
    this.#checkOpen();
    checkKey(key);
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new FlowError("FLOW_STORAGE_CLOSED", { message: `Cannot use ${this.#options.name}: it is closed` });
  }
}

function isSmall(range: ByteRange | undefined): boolean {
  return range !== undefined && range.end - range.start <= SMALL_PART_BYTES;
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  // Exact-size memory: what is posted is cloned with all of the memory behind it.
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}
