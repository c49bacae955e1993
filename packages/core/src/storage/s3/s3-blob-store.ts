/**
 * Bytes by key in a bucket of S3, or of what speaks it: one try a call, everything else is left to wrappers.
 *
 * A key is created by a conditional write (`If-None-Match: *`), which the service decides alone, for any number of writers.
 * What was put long ago is made young by a copy onto itself, since a sweep takes old values. Versions are ETags: a key of
 * `compareAndSet` must never hold the same bytes twice, or whoever saw them first takes the second for the first.
 */

import { FlowError, isFlowError } from "../../errors/flow-error.ts";
import { type Attempt, once } from "../attempt.ts";
import type {
  BlobFacts,
  BlobPage,
  BlobStore,
  BlobStoreCapabilities,
  ByteRange,
  ListQuery,
  UnfinishedUpload,
  VersionedBlob,
} from "../blob-store.ts";
import { checkKey, checkLimit, checkRange, DEFAULT_LIST_LIMIT, isKey } from "../check-key.ts";
import { joined, PartPool, partsOfChunks, partsOfPieces } from "../parts.ts";
import { putAgain } from "../put-again.ts";
import { readBody } from "./read-body.ts";
import { openS3Calls, type S3Calls } from "./s3-calls.ts";
import { BrokenAnswer, nameOf, statusOf } from "./s3-error.ts";
import type { S3StoreOptions } from "./s3-options.ts";
import { endUpload, listUploads } from "./unfinished-uploads.ts";
import { copyByParts, createByParts, type PartsUpload, UPLOAD } from "./upload-parts.ts";

/** Far below the age at which a sweep takes a value, far above the time of a run's small steps. */
const RENEW_AFTER_MS = 15 * 60_000;
/** Values of this size and more are looked for before they are sent: the trip is cheaper than their bytes. */
const LOOK_FIRST_BYTES = 256 * 1024;
const PARTS_FROM_BYTES = 16 * 1024 * 1024;
const MAX_PART_BYTES = 64 * 1024 * 1024;
const PART_BYTES = 8 * 1024 * 1024;
/** Amazon copies no larger value by one request. */
const MAX_COPY_BYTES = 5 * 1024 ** 3;
const COPY_PART_BYTES = 1024 ** 3;
/** S3 takes no more parts. */
const MAX_PARTS = 10_000;
/** How often a key may vanish and come back while it is put. */
const MAX_ROUNDS = 5;

/**
 * Opens a store in a bucket. Nothing is asked of the service before the first call.
 *
 * @throws FlowError FLOW_STORAGE_NO_SDK when `@aws-sdk/client-s3` is not installed, FLOW_STORAGE_WRONG_REGION when no region is set
 */
export async function openS3BlobStore(options: S3StoreOptions): Promise<BlobStore> {
  return new S3BlobStore(await openS3Calls(options), options);
}

interface Found extends Required<BlobFacts> {
  readonly etag: string;
  readonly metadata: Readonly<Record<string, string>>;
}

class S3BlobStore implements BlobStore {
  readonly capabilities: BlobStoreCapabilities;
  readonly #calls: S3Calls;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #attempt: Attempt;
  readonly #now: () => number;
  readonly #partsFrom: number;
  readonly #partBytes: number;
  readonly #partsAtOnce: number;
  readonly #maxCopyBytes: number;

  constructor(calls: S3Calls, options: S3StoreOptions) {
    const { createOnce = "atomic", prefix = "" } = options;
    this.#calls = calls;
    this.#bucket = options.bucket;
    this.#prefix = prefix === "" ? "" : `${prefix}/`;
    this.#attempt = options.attempt ?? once;
    this.#now = options.now ?? Date.now;
    this.#partsFrom = options.partsFromBytes ?? PARTS_FROM_BYTES;
    this.#partBytes = options.partBytes ?? PART_BYTES;
    this.#partsAtOnce = options.partsAtOnce ?? 4;
    this.#maxCopyBytes = options.maxCopyBytes ?? MAX_COPY_BYTES;
    this.capabilities = Object.freeze({
      synchronous: false,
      rangeReads: true,
      persistent: true,
      remote: true,
      createOnce,
      compareAndSet: options.compareAndSet ?? createOnce === "atomic",
      multipart: true,
    });
  }

  async put(key: string, chunks: readonly Uint8Array[]): Promise<"created" | "exists"> {
    this.#check(key);
    const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const looksFirst = this.capabilities.createOnce === "checked" || sizeBytes >= LOOK_FIRST_BYTES;
    for (let round = 1; ; round++) {
      const there = looksFirst || round > 1 ? await this.#find(key) : undefined;
      if (there !== undefined && (await this.#makeYoung(key, there))) return "exists";
      if (there === undefined && (await this.#create(key, chunks, sizeBytes))) return "created";
      // Somebody else created it, or took away what was found: look again.
      if (round === MAX_ROUNDS) throw this.#contended(key);
    }
  }

  async putStream(key: string, pieces: AsyncIterable<Uint8Array>): Promise<"created" | "exists"> {
    this.#check(key);
    const there = await this.#attempt("put", () => this.#find(key));
    if (there !== undefined && (await this.#attempt("put", () => this.#makeYoung(key, there)))) return "exists";
    const pool = new PartPool();
    const parts = partsOfPieces(pieces, this.#partBytes, pool);
    try {
      const first: Uint8Array[] = [];
      let sizeBytes = 0;
      while (sizeBytes <= this.#partsFrom) {
        const next = await parts.next();
        if (next.done === true) return await putAgain(this, key, first, this.#attempt);
        first.push(next.value);
        sizeBytes += next.value.length;
      }
      // Where another one was first, its value is new as well.
      const upload = { ...this.#upload(key), onArrived: (part: Uint8Array) => pool.give(part) };
      return await createByParts(upload, followedBy(first, parts));
    } finally {
      await parts.return();
    }
  }

  async get(key: string, range?: ByteRange, into?: Uint8Array): Promise<Uint8Array | undefined> {
    this.#check(key);
    checkRange(range);
    if (range !== undefined && range.start === range.end)
      return (await this.#find(key)) === undefined ? undefined : new Uint8Array(0);
    return (await this.#read(key, range, into))?.bytes;
  }

  async stat(key: string): Promise<BlobFacts | undefined> {
    this.#check(key);
    const found = await this.#find(key);
    return found === undefined ? undefined : { sizeBytes: found.sizeBytes, putAt: found.putAt };
  }

  async list(query: ListQuery): Promise<BlobPage> {
    this.#calls.checkOpen();
    const { prefix, after, limit = DEFAULT_LIST_LIMIT, withFacts = false } = query;
    checkLimit(limit);
    const page = async (token?: string) =>
      await this.#calls.call({ verb: "list" }, 0, async ({ options }) => {
        const found = await this.#client.send(
          new this.#sdk.ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: this.#prefix + prefix,
            MaxKeys: Math.min(limit, DEFAULT_LIST_LIMIT),
            ...(after === undefined || after === "" ? {} : { StartAfter: this.#prefix + after }),
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
          options,
        );
        const isEmpty = found.IsTruncated === true && (found.Contents ?? []).length === 0;
        const next = isEmpty ? found.NextContinuationToken : undefined;
        if (isEmpty && (next === undefined || next === token))
          throw new BrokenAnswer("the list goes on and does not say where");
        return { ...found, emptyUntil: next };
      });
    let answer = await page();
    // A page may be empty and yet not the last: what was deleted, at services that keep its place.
    while (answer.emptyUntil !== undefined) answer = await page(answer.emptyUntil);
    const all = (answer.Contents ?? []).map((object) => ({
      key: object.Key!.slice(this.#prefix.length),
      facts: { sizeBytes: object.Size!, putAt: inSeconds(object.LastModified!) },
    }));
    const found = all.filter(({ key }) => isKey(key)); // Other programs may keep things in the bucket too.
    return {
      keys: found.map(({ key }) => key),
      ...(withFacts ? { facts: found.map(({ facts }) => facts) } : {}),
      ...(answer.IsTruncated === true ? { next: all.at(-1)!.key } : {}),
    };
  }

  async delete(key: string, endsAt?: number): Promise<void> {
    this.#check(key);
    await this.#calls.call({ verb: "delete", key, endsAt }, 0, ({ options }) =>
      this.#client.send(new this.#sdk.DeleteObjectCommand(this.#named(key)), options),
    );
  }

  async getVersioned(key: string): Promise<VersionedBlob | undefined> {
    this.#check(key);
    this.#checkCompareAndSet();
    const found = await this.#read(key, undefined, undefined);
    return found === undefined ? undefined : { bytes: found.bytes, version: found.etag };
  }

  async compareAndSet(key: string, bytes: Uint8Array, expected: string | undefined): Promise<string | undefined> {
    this.#check(key);
    this.#checkCompareAndSet();
    // Without its quotes: Amazon takes both, and radosgw compares letter by letter.
    const condition = expected === undefined ? { IfNoneMatch: "*" } : { IfMatch: expected.replaceAll('"', "") };
    return await this.#putObject(key, bytes, condition);
  }

  readonly listUploads = (): Promise<readonly UnfinishedUpload[]> => listUploads(this.#place());

  readonly endUpload = (upload: Pick<UnfinishedUpload, "key" | "id">): Promise<void> =>
    endUpload(this.#place(), upload);

  async close(): Promise<void> {
    this.#calls.close();
  }

  /** @returns whether it did; otherwise the key was there */
  async #create(key: string, chunks: readonly Uint8Array[], sizeBytes: number): Promise<boolean> {
    if (sizeBytes > this.#partsFrom) {
      const partBytes = this.#partBytesOf(sizeBytes);
      return (await createByParts(this.#upload(key), partsOfChunks(chunks, partBytes))) === "created";
    }
    const isAtomic = this.capabilities.createOnce === "atomic";
    return (await this.#putObject(key, joined(chunks), isAtomic ? { IfNoneMatch: "*" } : {})) !== undefined;
  }

  /** What lies in memory anyway goes in a few large parts: radosgw reads those faster, too, than many small ones. */
  #partBytesOf(sizeBytes: number): number {
    const share = Math.min(Math.ceil(sizeBytes / this.#partsAtOnce), MAX_PART_BYTES);
    return Math.max(this.#partBytes, share, Math.ceil(sizeBytes / MAX_PARTS));
  }

  /** @returns the ETag of what was put, or undefined when the condition was not met */
  async #putObject(
    key: string,
    Body: Uint8Array,
    condition: { readonly IfNoneMatch?: string; readonly IfMatch?: string },
  ): Promise<string | undefined> {
    return await this.#calls.call({ verb: "put", key }, Body.length, async ({ options }) => {
      try {
        const command = new this.#sdk.PutObjectCommand({ ...this.#named(key), Body, ...condition });
        return etagOf((await this.#client.send(command, options)).ETag);
      } catch (error) {
        const status = statusOf(error);
        // "Precondition failed", and "a conflicting operation is under way": somebody else was first.
        if (status === 409 || status === 412 || nameOf(error) === "NoSuchKey") return undefined;
        throw error;
      }
    });
  }

  /** Whether the value is there, and counts as new. */
  async #makeYoung(key: string, found: Found): Promise<boolean> {
    if (this.#now() - found.putAt <= RENEW_AFTER_MS) return true;
    const { Bucket, Key } = this.#named(key);
    const source = {
      CopySource: `${Bucket}/${Key.split("/").map(encodeURIComponent).join("/")}`,
      CopySourceIfMatch: found.etag,
    };
    try {
      if (found.sizeBytes > this.#maxCopyBytes)
        await copyByParts(this.#upload(key), source, {
          ...found,
          partBytes: Math.min(this.#maxCopyBytes, COPY_PART_BYTES),
        });
      else
        await this.#calls.call({ verb: "put", key }, found.sizeBytes, ({ options }) => {
          const command = new this.#sdk.CopyObjectCommand({
            Bucket,
            Key,
            ...source,
            MetadataDirective: "REPLACE", // Without a change S3 refuses to copy an object onto itself.
            Metadata: { ...found.metadata },
          });
          return this.#client.send(command, options);
        });
      return true;
    } catch (error) {
      // It was taken away or put anew since it was found.
      if (isFlowError(error) && (error.context.status === 412 || error.context.answer === "404 NoSuchKey"))
        return false;
      throw error;
    }
  }

  async #find(key: string): Promise<Found | undefined> {
    return await this.#calls.call({ verb: "read", key }, 0, async ({ options }) => {
      try {
        const head = await this.#client.send(new this.#sdk.HeadObjectCommand(this.#named(key)), options);
        if (head.ContentLength === undefined || head.LastModified === undefined)
          throw new BrokenAnswer("the answer does not say size and age");
        return {
          sizeBytes: head.ContentLength,
          putAt: inSeconds(head.LastModified),
          etag: etagOf(head.ETag),
          metadata: head.Metadata ?? {},
        };
      } catch (error) {
        if (statusOf(error) === 404) return undefined; // Without a body, so that a missing bucket looks the same.
        throw error;
      }
    });
  }

  async #read(
    key: string,
    range: ByteRange | undefined,
    into: Uint8Array | undefined,
  ): Promise<{ readonly bytes: Uint8Array; readonly etag: string } | undefined> {
    const sizeBytes = range === undefined ? 0 : range.end - range.start;
    return await this.#calls.call({ verb: "read", key }, sizeBytes, async ({ options, allow }) => {
      try {
        const part = range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` };
        const command = new this.#sdk.GetObjectCommand({ ...this.#named(key), ...part });
        const { Body, ContentLength, ContentRange, ETag } = await this.#client.send(command, options);
        // What is no answer of S3 (an error, or the page of a proxy, under status 200) has no ETag.
        const etag = etagOf(ETag);
        if (ContentLength === undefined) throw new BrokenAnswer("the answer does not say its size");
        if (range !== undefined && ContentRange?.startsWith(`bytes ${range.start}-`) !== true)
          throw new BrokenAnswer("the answer is not the part that was asked for");
        allow(ContentLength);
        return {
          bytes: await readBody(Body as AsyncIterable<Uint8Array>, ContentLength, options.abortSignal, into),
          etag,
        };
      } catch (error) {
        if (nameOf(error) === "NoSuchKey") return undefined;
        if (range !== undefined && statusOf(error) === 416) return { bytes: new Uint8Array(0), etag: "" }; // Behind the end.
        throw error;
      }
    });
  }

  #upload(key: string): PartsUpload {
    return {
      calls: this.#calls,
      key,
      named: this.#named(key),
      attempt: this.#attempt,
      partsAtOnce: this.#partsAtOnce,
      isAtomic: this.capabilities.createOnce === "atomic",
      uploadOf: async () => {
        const found = await this.#find(key);
        return found === undefined ? undefined : (found.metadata[UPLOAD] ?? "another");
      },
    };
  }

  #place() {
    return { calls: this.#calls, attempt: this.#attempt, bucket: this.#bucket, prefix: this.#prefix };
  }

  #named(key: string) {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }

  get #client() {
    return this.#calls.client;
  }

  get #sdk() {
    return this.#calls.sdk;
  }

  #check(key: string): void {
    this.#calls.checkOpen();
    checkKey(key);
  }

  #checkCompareAndSet(): void {
    if (this.capabilities.compareAndSet) return;
    throw new FlowError("FLOW_STORAGE_UNSUPPORTED", {
      message: `Cannot compare and set a key of ${this.#calls.place.text}: the service ignores conditional writes`,
      hint: "Use a service that honours If-Match and If-None-Match",
    });
  }

  #contended(key: string): FlowError {
    return new FlowError("FLOW_STORAGE_UNAVAILABLE", {
      message: `Cannot put "${key}" in ${this.#calls.place.text}: others created it and took it away ${MAX_ROUNDS} times meanwhile`,
      context: { key, isTransient: true },
    });
  }
}

/** @throws BrokenAnswer */
function etagOf(etag: string | undefined): string {
  if (etag === undefined || etag === "")
    throw new BrokenAnswer("the answer is none of an object store: it has no ETag");
  return etag;
}

/** Answers about one object say its age in whole seconds, the lists of some services in milliseconds. */
function inSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1_000) * 1_000;
}

/** Lets go of what it has given. */
async function* followedBy(first: Uint8Array[], rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  for (let part = first.shift(); part !== undefined; part = first.shift()) yield part;
  yield* rest;
}
