/**
 * The clauses of `BlobStore` over a service that keeps objects in buckets. What is common to such services stands here:
 * checks at the border, creating once, young and old, parts, limits of calls. One try a call: retries are a wrapper.
 */
import { FlowError } from "../../errors/flow-error.ts";
import { type Attempt, once } from "../attempt.ts";
import type {
  BlobFacts,
  BlobPage,
  BlobStore,
  BlobStoreCapabilities,
  ByteRange,
  ListQuery,
  VersionedBlob,
} from "../blob-store.ts";
import { type CallLimits, DEFAULT_CALL_LIMITS } from "../call-limits.ts";
import { checkKey, checkLimit, checkRange, DEFAULT_LIST_LIMIT, isKey } from "../check-key.ts";
import { joined, partsOfChunks, partsOfPieces } from "../parts.ts";
import { type LimitedCall, limitCall } from "./limit-call.ts";
import { ListTokens } from "./list-tokens.ts";
import type { ObjectFacts, ObjectPage, ObjectService } from "./object-service.ts";
import { readBody } from "./read-body.ts";

export interface ObjectStoreOptions {
  /** Before every key, without a slash at its ends, of characters that keys have. Default none. */
  readonly prefix?: string;
  /** Of each call; connecting counts as idling. */
  readonly limits?: Partial<CallLimits>;
  /**
   * How the calls of a value that goes in parts are tried again, and those of `putStream`: nobody outside of the store could
   * repeat them. Default: not at all.
   */
  readonly attempt?: Attempt;
  /** Size of the parts of large values, in bytes. Default 8 MiB. */
  readonly partBytes?: number;
  /** Milliseconds since 1970; default the machine's clock. Says which values are old enough to be made young. */
  readonly now?: () => number;
}

export const DEFAULT_PART_BYTES = 8 * 1024 ** 2;
/** What is younger counts as put now: a sweep takes nothing of the last hour, and the clocks of two machines differ less. */
const RENEW_AFTER_MS = 15 * 60_000;
/** Of larger values it is asked first whether they are there: their bytes cost more than a trip. */
const LOOK_FIRST_BYTES = 256 * 1024;
/** Services refuse larger pages, or cut them. */
const MAX_PAGE = 1_000;
/** Between a look and a write others may delete and write the same key; not for ever. */
const MAX_ROUNDS = 4;

export class ObjectBlobStore implements BlobStore {
  readonly capabilities: BlobStoreCapabilities;
  readonly #service: ObjectService;
  readonly #limits: CallLimits;
  readonly #partBytes: number;
  readonly #prefix: string;
  readonly #attempt: Attempt;
  readonly #now: () => number;
  readonly #tokens = new ListTokens();
  #isClosed = false;

  constructor(service: ObjectService, options: ObjectStoreOptions = {}) {
    this.#service = service;
    this.capabilities = service.capabilities;
    this.#limits = { ...DEFAULT_CALL_LIMITS, ...options.limits };
    this.#partBytes = options.partBytes ?? DEFAULT_PART_BYTES;
    this.#prefix = prefixOf(options);
    this.#attempt = options.attempt ?? once;
    this.#now = options.now ?? Date.now;
  }

  async put(key: string, chunks: readonly Uint8Array[]): Promise<"created" | "exists"> {
    this.#check(key);
    const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (sizeBytes > this.#partBytes)
      return await this.#putOnce(key, true, () =>
        this.#createOfParts(key, asynchronous(partsOfChunks(chunks, this.#partBytes))),
      );
    const bytes = joined(chunks);
    return await this.#putOnce(key, sizeBytes > LOOK_FIRST_BYTES, () =>
      this.#call("store", key, (call) => this.#service.create(this.#name(key), bytes, call)),
    );
  }

  async putStream(key: string, pieces: AsyncIterable<Uint8Array>): Promise<"created" | "exists"> {
    this.#check(key);
    const parts = partsOfPieces(pieces, this.#partBytes);
    try {
      const first = await firstTwo(parts);
      if (first.length < 2) return await this.#attempt("put", () => this.put(key, first));
      const isThere = () => this.#attempt("put", () => this.#isThere(key));
      if (await isThere()) return "exists";
      if (await this.#createOfParts(key, withFirst(first, parts))) return "created";
      if (await isThere()) return "exists";
      throw this.#contended(key); // The pieces are read: whoever made them begins again.
    } finally {
      await parts.return();
    }
  }

  async get(key: string, range?: ByteRange, into?: Uint8Array): Promise<Uint8Array | undefined> {
    this.#check(key);
    checkRange(range);
    if (range !== undefined && range.start === range.end)
      return (await this.#head(key)) === undefined ? undefined : new Uint8Array(0);
    return await this.#call("read", key, async (call) => {
      const answer = await this.#service.read(this.#name(key), range, call);
      if (answer === undefined) return undefined;
      if (answer === "outside") return new Uint8Array(0);
      return await readBody(this.#action("read", key), answer, call, into);
    });
  }

  async stat(key: string): Promise<BlobFacts | undefined> {
    this.#check(key);
    const facts = await this.#head(key);
    return facts === undefined ? undefined : { sizeBytes: facts.sizeBytes, putAt: facts.putAt };
  }

  async list({ prefix, after = "", limit = DEFAULT_LIST_LIMIT, withFacts = false }: ListQuery): Promise<BlobPage> {
    this.#checkOpen();
    checkLimit(limit);
    let token = this.#tokens.take(prefix, after);
    const isWalk = token === undefined && after !== "" && !this.#service.listsAfter;
    const pageLimit = isWalk ? MAX_PAGE : Math.min(limit, MAX_PAGE);
    let found: ObjectPage["entries"] = [];
    do {
      const query = {
        prefix: this.#name(prefix),
        after: after === "" ? "" : this.#name(after),
        limit: pageLimit,
        token,
      };
      const page = await this.#call("list", prefix, (call) => this.#service.list(query, call));
      token = page.token;
      // Others may keep objects of other names there; and a service that cannot begin behind a key begins before it.
      found = page.entries
        .map(({ key, facts }) => ({ key: key.slice(this.#prefix.length), facts }))
        .filter(({ key }) => key > after && key.startsWith(prefix) && isKey(key));
    } while (token !== undefined && found.length === 0);
    const entries = found.slice(0, limit);
    const keys = entries.map(({ key }) => key);
    const last = keys.at(-1);
    const hasMore = last !== undefined && (token !== undefined || found.length > limit);
    if (hasMore && token !== undefined && found.length <= limit) this.#tokens.keep(prefix, last, token);
    return {
      keys,
      ...(withFacts ? { facts: entries.map(({ facts }) => facts) } : {}),
      ...(hasMore ? { next: last } : {}),
    };
  }

  async delete(key: string): Promise<void> {
    this.#check(key);
    await this.#call("delete", key, (call) => this.#service.remove(this.#name(key), call));
  }

  async getVersioned(key: string): Promise<VersionedBlob | undefined> {
    this.#check(key);
    return await this.#call("read", key, async (call) => {
      const answer = await this.#service.read(this.#name(key), undefined, call);
      if (answer === undefined || answer === "outside") return undefined;
      return { bytes: await readBody(this.#action("read", key), answer, call), version: answer.version };
    });
  }

  async compareAndSet(key: string, bytes: Uint8Array, expected: string | undefined): Promise<string | undefined> {
    this.#check(key);
    return await this.#call("store", key, (call) => this.#service.replace(this.#name(key), bytes, expected, call));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#service.close();
  }

  /** Creates a key, or makes what is there young; what is swept between the two is written anew. */
  async #putOnce(key: string, looksFirst: boolean, create: () => Promise<boolean>): Promise<"created" | "exists"> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      if ((looksFirst || round > 0) && (await this.#isThere(key))) return "exists";
      if (await create()) return "created";
      if (!looksFirst && (await this.#isThere(key))) return "exists";
    }
    if (await this.#isThere(key)) return "exists";
    throw this.#contended(key);
  }

  /** Whether the key is there; if so, it is young now. */
  async #isThere(key: string): Promise<boolean> {
    const facts = await this.#head(key);
    if (facts === undefined) return false;
    if (this.#now() - facts.putAt < RENEW_AFTER_MS) return true;
    return await this.#call("renew", key, (call) => this.#service.renew(this.#name(key), call));
  }

  #head(key: string): Promise<ObjectFacts | undefined> {
    return this.#call("look for", key, (call) => this.#service.head(this.#name(key), call));
  }

  #call<T>(verb: string, key: string, work: (call: LimitedCall) => Promise<T>): Promise<T> {
    return limitCall(this.#action(verb, key), this.#limits, work);
  }

  #createOfParts(key: string, parts: AsyncIterable<Uint8Array>): Promise<boolean> {
    return this.#service.createOfParts(this.#name(key), parts, (work) =>
      this.#attempt("put", () => this.#call("store", key, work)),
    );
  }

  #action(verb: string, key: string): string {
    return this.#service.action(verb, this.#name(key));
  }

  /** The key as the service knows it. */
  #name(key: string): string {
    return this.#prefix + key;
  }

  #contended(key: string): FlowError {
    return new FlowError("FLOW_STORAGE_UNAVAILABLE", {
      message: `${this.#action("store", key)}: others write and delete it all the time`,
      hint: "See that one store alone uses this bucket and prefix",
      context: { isTransient: true },
    });
  }

  #check(key: string): void {
    this.#checkOpen();
    checkKey(key);
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new FlowError("FLOW_STORAGE_CLOSED", { message: "Cannot use the object store: it is closed" });
  }
}

function prefixOf({ prefix = "" }: ObjectStoreOptions): string {
  if (prefix !== "") checkKey(prefix);
  return prefix === "" ? "" : `${prefix}/`;
}

async function* asynchronous(parts: Iterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  yield* parts;
}

/** Not where the rest is waited for: the frame of a function holds what it has seen. */
async function firstTwo(parts: AsyncIterator<Uint8Array, void>): Promise<Uint8Array[]> {
  const first: Uint8Array[] = [];
  while (first.length < 2) {
    const next = await parts.next();
    if (next.done === true) break;
    first.push(next.value);
  }
  return first;
}

async function* withFirst(first: Uint8Array[], rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  for (let part = first.shift(); part !== undefined; part = first.shift()) yield part; // What has gone is held no longer.
  yield* rest;
}
