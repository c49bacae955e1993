/**
 * What the I/O thread does for all threads of its process: the one owner of the store behind the network. Values come into the
 * cache, checked while they come; values of the spool go into the store, checked once more on their way, for the spool is synced
 * to no disk. A key is fetched once and uploaded once at a time, whoever asks; transfers have a bound.
 *
 * Not here: retries of single calls and their limits (wrappers of the store), what a digest covers (`CheckOf`).
 */
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { FlowError } from "../../errors/flow-error.ts";
import { Bounded } from "../../util/bounded.ts";
import type { BlobPage, BlobStore, NamedValue, SyncBlobStore } from "../blob-store.ts";
import { largestPart } from "../parts.ts";
import type { CacheFolder } from "./cache-folder.ts";
import { downloadValue, PART_BYTES } from "./download-value.ts";
import type { Fetched, FetchedValue, RemoteCalls, RemoteRequest, Settled } from "./messages.ts";
import { spoolError, spooledPieces } from "./spooled-pieces.ts";
import { TransferMemory } from "./transfer-memory.ts";
import type { CheckOf } from "./value-check.ts";

export interface RemoteServiceOptions {
  /** The store behind the network; its calls are tried again by itself. */
  readonly store: BlobStore;
  readonly cache: CacheFolder;
  /** Values that were put and are not in the store yet. */
  readonly spool: SyncBlobStore;
  readonly spoolFolder: string;
  readonly checkOf: CheckOf;
  /** Changes when values are deleted from the store: what was seen there before counts no more. Default: never. */
  readonly sweepMark?: () => number;
  /** Transfers at once, and values that are fetched at once; default 32. */
  readonly transfers?: number;
  /** Of values that are on their way, all together; bytes, default 160 MiB. */
  readonly memoryBytes?: number;
}

const TRANSFERS = 32;
/** Enough for 20 parts of downloads or 4 uploads of large values: more than most networks carry. */
const MEMORY_BYTES = 160 * 1024 * 1024;
/** Up to this size a value goes as it lies in memory: in parts it would take that, the piece that is read and whole parts. */
const WHOLE_BYTES = 2 * PART_BYTES;
/** Of an upload in parts: four are on their way, or three while one is filled. */
const UPLOAD_PARTS = 4;
/** Wrong bytes may come of the way: so often they are asked for before the value counts as damaged. */
const FETCHES = 3;
/** What was found in the store needs no second look for this long; far less than a sweep leaves young values alone. */
const KNOWN_MS = 60_000;
const KNOWN_KEPT = 100_000;
/** What has waited in the spool for a week waits for nobody. */
const FORGOTTEN_MS = 7 * 24 * 3_600_000;

export class RemoteService {
  /** Are told whenever a value or a part of one has come or gone. */
  readonly watchers = new Set<() => void>();
  readonly #options: RemoteServiceOptions;
  readonly #transfers: Bounded;
  /** Values that are fetched at once: each large one has a file open. */
  readonly #fetches: Bounded;
  readonly #memory: TransferMemory;
  readonly #fetching = new Map<string, Promise<Fetched>>();
  readonly #settling = new Map<string, Promise<Settled>>();
  /** Values that were seen in the store, and when. */
  readonly #known = new Map<string, { readonly sizeBytes: number; readonly at: number; readonly mark: number }>();

  constructor(options: RemoteServiceOptions) {
    this.#options = options;
    this.#transfers = new Bounded(options.transfers ?? TRANSFERS);
    this.#fetches = new Bounded(options.transfers ?? TRANSFERS);
    this.#memory = new TransferMemory(options.memoryBytes ?? MEMORY_BYTES, PART_BYTES);
  }

  /** Does what a thread asks for. */
  async perform(request: RemoteRequest): Promise<unknown> {
    const { store } = this.#options;
    switch (request.name) {
      case "capabilities":
        return { ...store.capabilities };
      case "fetch":
        return await Promise.all(request.ask.values.map((value) => this.#fetch(value)));
      case "settle":
        return await Promise.all(request.ask.values.map((value) => this.#settle(value)));
      case "put":
        return await this.#transfers.run(() => store.put(request.ask.key, [request.ask.bytes]));
      case "putSpooled":
        return await this.#putSpooled(request.ask);
      case "replace":
        return await this.#replace(request.ask.key, request.ask.bytes);
      case "get":
        return await this.#transfers.run(() => store.get(request.ask.key, request.ask.range));
      case "stat":
        return await this.#transfers.run(() => store.stat(request.ask.key));
      case "list":
        return await store.list(request.ask.query);
      case "removeOld":
        return await this.#removeOld(request.ask);
      case "listUploads":
        return (await store.listUploads?.()) ?? [];
      case "endUpload":
        return await store.endUpload?.(request.ask);
      case "delete":
        return await this.#delete(request.ask.key);
      case "getVersioned":
        return await store.getVersioned(request.ask.key);
      case "compareAndSet":
        return await store.compareAndSet(request.ask.key, request.ask.bytes, request.ask.expected);
    }
  }

  /**
   * Takes away what was put into the spool long ago by processes that have died: it was never named by a record, or a process
   * has slept for days, and then its run goes on by making the value again.
   */
  async dropForgotten(now: number = Date.now()): Promise<void> {
    const { spool } = this.#options;
    for (let after: string | undefined = ""; after !== undefined; ) {
      const page: BlobPage = await spool.list({ prefix: "", after, withFacts: true });
      for (const [at, key] of page.keys.entries())
        if ((page.facts?.[at]?.putAt ?? now) < now - FORGOTTEN_MS) await spool.delete(key);
      after = page.next;
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#fetching.values(), ...this.#settling.values()]);
    await this.#options.cache.settled();
    await this.#options.store.close();
  }

  #fetch({ key, sizeBytes }: FetchedValue): Promise<Fetched> {
    return once(this.#fetching, key, async () => {
      const { cache, spool, store, checkOf } = this.#options;
      if (cache.has(key) || spool.statSync(key) !== undefined) return "here";
      const by = { store, cache, key, sizeBytes, transfers: this.#transfers, memory: this.#memory };
      return await this.#fetches.run(async () => {
        for (let fetches = 0; fetches < FETCHES; fetches++) {
          const fetched = await downloadValue({ ...by, check: checkOf(key)!, onPart: this.#progressed });
          if (fetched !== "damaged") return fetched;
        }
        return "damaged";
      });
    });
  }

  #settle(value: NamedValue): Promise<Settled> {
    return once(this.#settling, value.key, async () => {
      const { key, sizeBytes } = value;
      const known = this.#known.get(key);
      const mark = this.#options.sweepMark?.() ?? 0; // Before the look: it may be deleted right after it.
      if (known?.sizeBytes === sizeBytes && known.mark === mark && Date.now() - known.at < KNOWN_MS) {
        this.#toCache(value);
        return "exists";
      }
      const settled = await this.#transfer(key, () => this.#upload(value));
      this.#progressed();
      if (settled === "missing") return settled;
      if (this.#known.size >= KNOWN_KEPT) this.#known.clear();
      this.#known.set(key, { sizeBytes, at: Date.now(), mark });
      this.#toCache(value);
      return settled;
    });
  }

  /** Memory comes before the transfer: who has it and waits for a transfer finds one free in the end, and not the other way round. */
  #transfer<T>(spooled: string, work: () => Promise<T>): Promise<T> {
    const sizeBytes = this.#options.spool.statSync(spooled)?.sizeBytes ?? 0;
    return this.#memory.run(uploadBytes(sizeBytes), () => this.#transfers.run(work));
  }

  async #upload({ key, sizeBytes }: NamedValue): Promise<Settled> {
    const { store, spool } = this.#options;
    if (spool.statSync(key) === undefined)
      return (await store.stat(key))?.sizeBytes === sizeBytes ? "exists" : "missing";
    if ((await this.#write(key, key)) === "created") return "created";
    // One of the same digest; a store that gives another size has lost a part of it, or somebody has put something else there.
    if ((await store.stat(key))?.sizeBytes === sizeBytes) return "exists";
    await store.delete(key);
    return await this.#write(key, key);
  }

  /** Puts a file of the spool into the store. */
  async #write(key: string, spooled: string): Promise<"created" | "exists"> {
    const { store, spool, checkOf } = this.#options;
    const isGone = (): FlowError => spoolError(key, "is gone");
    const check = checkOf(key);
    const sizeBytes = spool.statSync(spooled)?.sizeBytes;
    if (sizeBytes === undefined) throw isGone();
    try {
      if (sizeBytes > WHOLE_BYTES)
        return await store.putStream(key, this.#watched(spooledPieces(spool, spooled, PART_BYTES, check)));
      const bytes = await spool.get(spooled);
      if (bytes === undefined) throw isGone();
      check?.add(bytes);
      const fault = check?.end();
      if (fault !== undefined) throw spoolError(key, fault);
      return await store.put(key, [bytes]);
    } catch (error) {
      // What is wrong in the spool must not be found there again.
      if (error instanceof FlowError && error.code === "FLOW_STORAGE_SPOOL") await spool.delete(spooled);
      throw error;
    }
  }

  /** What is asked for the next piece has sent one before. */
  async *#watched(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    for await (const piece of pieces) {
      this.#progressed();
      yield piece;
    }
  }

  readonly #progressed = (): void => {
    for (const watcher of this.watchers) watcher();
  };

  async #putSpooled({
    key,
    spooled,
  }: {
    readonly key: string;
    readonly spooled: string;
  }): Promise<"created" | "exists"> {
    try {
      return await this.#transfer(spooled, () => this.#write(key, spooled));
    } finally {
      await this.#options.spool.delete(spooled);
    }
  }

  async #replace(key: string, bytes: Uint8Array): Promise<undefined> {
    const { store, cache, spool } = this.#options;
    await store.delete(key);
    await store.put(key, [bytes]);
    cache.drop(key);
    await spool.delete(key);
  }

  /** Answers when nothing is under way any more, or when the time is over: all writers of records wait for it. */
  async #removeOld({ keys, before, limitMs }: RemoteCalls["removeOld"]["ask"]): Promise<readonly string[]> {
    const { store, spool } = this.#options;
    const beganAt = Date.now();
    // What is deleted has the other half to be done: after the end nobody may be sure that the value is still nameless.
    const check = (): void => {
      if (Date.now() >= beganAt + limitMs / 2) throw tooSlow(limitMs);
    };
    const removals = keys.map((key) =>
      this.#transfers.run(async () => {
        check();
        const putAt = (await store.stat(key))?.putAt;
        if (putAt === undefined || putAt >= before || spool.statSync(key) !== undefined) return [];
        check();
        await this.#delete(key, beganAt + limitMs);
        return [key];
      }),
    );
    const ended = await Promise.race([Promise.allSettled(removals), wait(limitMs, undefined, { ref: false })]);
    if (ended === undefined) throw tooSlow(limitMs);
    return (await Promise.all(removals)).flat();
  }

  async #delete(key: string, endsAt?: number): Promise<undefined> {
    const { store, cache, spool } = this.#options;
    this.#known.delete(key);
    await store.delete(key, endsAt);
    cache.drop(key);
    await spool.delete(key);
  }

  /** What is in the store stays nearby as a copy. */
  #toCache({ key, sizeBytes }: NamedValue): void {
    const { cache, spool, spoolFolder } = this.#options;
    if (spool.statSync(key) !== undefined) cache.takeOver(key, path.join(spoolFolder, key), sizeBytes);
  }
}

/** What an upload holds: the value, or a piece of the spool and the parts, of which the last is as large as the others. */
function uploadBytes(sizeBytes: number): number {
  if (sizeBytes <= WHOLE_BYTES) return sizeBytes;
  return PART_BYTES + Math.min(Math.ceil(sizeBytes / PART_BYTES), UPLOAD_PARTS) * largestPart(sizeBytes, PART_BYTES);
}

function tooSlow(limitMs: number): FlowError {
  return new FlowError("FLOW_STORAGE_TIMEOUT", {
    message: `Cannot delete values: the bucket did not answer within ${limitMs / 1_000} s, and runs beside wait no longer`,
    hint: "Collect garbage again when the service answers faster: what was deleted stays deleted",
    context: { limitMs },
  });
}

/** Whoever asks for the same while it is under way gets the same answer. */
function once<T>(running: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  let result = running.get(key);
  if (result === undefined) {
    result = work().finally(() => running.delete(key));
    running.set(key, result);
  }
  return result;
}
