/**
 * Values from one store of bytes into another, each hashed on its way: what arrives is what its name says. What is there
 * already, as many bytes as the records say, is left as it is, so that a copy that was interrupted goes on and a later one
 * takes what is new. Not here: records, and what a store is.
 */
import type { BlobRow, Digest } from "../../artifact/artifact.ts";
import { BLOB_PREFIX, blobKey } from "../../artifact/blob-layout.ts";
import { payloadCheck } from "../../artifact/payload-check.ts";
import type { BlobStore } from "../../storage/blob-store.ts";
import { inParallel } from "../../util/in-parallel.ts";

export interface CopyValuesOptions {
  /** Values under way at once. Default 16 where a store is behind a network, else 4. */
  readonly parallel?: number;
  /** Whether nothing is written. */
  readonly isDryRun?: boolean;
  readonly onProgress?: (progress: CopiedBytes) => void;
  readonly signal?: AbortSignal;
}

export interface CopiedBytes {
  /** Bytes that arrived, of those that were to be copied. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface CopiedValues {
  readonly copied: { readonly values: number; readonly bytes: number };
  /** What the target had already. */
  readonly skipped: { readonly values: number; readonly bytes: number };
  /** What the source has not, or not as it was written: it was not copied. */
  readonly damaged: readonly DamagedValue[];
}

export interface DamagedValue {
  readonly digest: Digest;
  readonly kind: "missing" | "damaged";
  /** In words: what is wrong. */
  readonly why: string;
}

/** What the records say of a value that lies outside of them. */
export type ListedValue = Pick<BlobRow, "digest" | "sizeBytes" | "storedBytes" | "compression">;

/** Bytes of one read. Values up to this size are one call on either side, and larger ones a stream. */
const PART_BYTES = 8 * 1024 * 1024;
/** Transfers of this size each fill a gigabit of network; on one disk more than a few only make it seek. */
const PARALLEL = { remote: 16, local: 4 };

/**
 * Copies values.
 *
 * @param values  in pages; which ones, the records say
 * @throws FlowError of the storage room for what cannot be read or written; `signal.reason` when it is stopped. What was
 *   copied until then stays
 */
export async function copyValues(
  stores: { readonly from: BlobStore; readonly to: BlobStore },
  values: AsyncIterable<readonly ListedValue[]>,
  options: CopyValuesOptions = {},
): Promise<CopiedValues> {
  const { from, to } = stores;
  const there = await sizesIn(to, options.signal);
  const wanted: ListedValue[] = [];
  const skipped = { values: 0, bytes: 0 };
  for await (const page of values) {
    for (const value of page) {
      if (!isThere(there, value)) wanted.push(value);
      else {
        skipped.values++;
        skipped.bytes += value.storedBytes;
      }
    }
  }
  const totalBytes = wanted.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
  if (options.isDryRun === true) return { copied: { values: wanted.length, bytes: totalBytes }, skipped, damaged: [] };
  const copied = { values: 0, bytes: 0 };
  const damaged: DamagedValue[] = [];
  let doneBytes = 0;
  const onBytes = (bytes: number): void => {
    doneBytes += bytes;
    options.onProgress?.({ doneBytes, totalBytes });
  };
  onBytes(0);
  const isRemote = from.capabilities.remote || to.capabilities.remote;
  const parallel = options.parallel ?? (isRemote ? PARALLEL.remote : PARALLEL.local);
  await inParallel(wanted, parallel, async (value) => {
    options.signal?.throwIfAborted();
    const outcome = await copyValue(stores, value, { there, onBytes, signal: options.signal });
    if (typeof outcome !== "number") damaged.push(outcome);
    else {
      copied.values++;
      copied.bytes += outcome;
    }
  });
  return { copied, skipped, damaged: damaged.toSorted((left, right) => (left.digest < right.digest ? -1 : 1)) };
}

/** Sizes by key of all values in a store. */
async function sizesIn(store: BlobStore, signal: AbortSignal | undefined): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (let after: string | undefined; ; ) {
    signal?.throwIfAborted();
    const query = { prefix: BLOB_PREFIX, withFacts: true, ...(after === undefined ? {} : { after }) };
    const page = await store.list(query);
    for (const [at, key] of page.keys.entries()) sizes.set(key, page.facts?.[at]?.sizeBytes ?? -1);
    if (page.next === undefined) return sizes;
    after = page.next;
  }
}

/** In the form that the record says; in the other one its size is not known, and whoever reads it finds it. */
function isThere(sizes: ReadonlyMap<string, number>, { digest, compression, storedBytes }: ListedValue): boolean {
  return sizes.get(blobKey(digest, compression)) === storedBytes;
}

interface Copying {
  readonly there: ReadonlyMap<string, number>;
  readonly onBytes: (bytes: number) => void;
  readonly signal: AbortSignal | undefined;
}

/** Thrown through the target, which then keeps nothing of the value. */
class WrongBytes extends Error {
  readonly damage: DamagedValue;

  constructor(damage: DamagedValue) {
    super(damage.why);
    this.damage = damage;
  }
}

/** @returns the bytes that were copied, or what is wrong with the value */
async function copyValue(
  { from, to }: { readonly from: BlobStore; readonly to: BlobStore },
  value: ListedValue,
  copying: Copying,
): Promise<number | DamagedValue> {
  const { digest, compression } = value;
  // A row keeps the form of its first writer; after a repair the value may lie there in the other one.
  for (const form of [compression, compression === "zstd" ? "none" : "zstd"] as const) {
    const key = blobKey(digest, form);
    const first = await from.get(key, { start: 0, end: PART_BYTES });
    if (first === undefined) continue;
    const size = copying.there.get(key);
    // Of another size than the value's: nobody can read it, and `put` would leave it.
    if (size !== undefined && form === compression) await to.delete(key);
    try {
      return await transfer({ from, to, key }, first, digest, copying);
    } catch (error) {
      if (!(error instanceof WrongBytes)) throw error;
      return error.damage;
    }
  }
  return { digest, kind: "missing", why: `the blob "${blobKey(digest, compression)}" is not there` };
}

async function transfer(
  { from, to, key }: { readonly from: BlobStore; readonly to: BlobStore; readonly key: string },
  first: Uint8Array,
  digest: Digest,
  { onBytes, signal }: Copying,
): Promise<number> {
  const check = payloadCheck(key)!;
  const fail = (why: string): never => {
    throw new WrongBytes({ digest, kind: "damaged", why });
  };
  const end = (): void => {
    const fault = check.end();
    if (fault !== undefined) fail(`what is stored ${fault}`);
  };
  if (first.byteLength < PART_BYTES) {
    check.add(first);
    end();
    await to.put(key, [first]);
    onBytes(first.byteLength);
    return first.byteLength;
  }
  let bytes = 0;
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    for (let part = first; ; ) {
      signal?.throwIfAborted();
      check.add(part);
      bytes += part.byteLength;
      yield part;
      onBytes(part.byteLength);
      if (part.byteLength < PART_BYTES) break;
      part = (await from.get(key, { start: bytes, end: bytes + PART_BYTES })) ?? fail("it went away while it was read");
    }
    end();
  };
  await to.putStream(key, pieces());
  return bytes;
}
