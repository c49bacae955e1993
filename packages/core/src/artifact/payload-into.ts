/**
 * Reads a payload that is stored as it is into memory of the caller's, and hashes each part while it is still in the
 * processor's cache. Nothing is allocated: of a large value, the first touch of fresh memory takes longer than reading.
 */
import { createHash, type Hash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import type { BlobStore, ByteRange, SyncBlobStore } from "../storage/blob-store.ts";
import type { BlobRow } from "./artifact.ts";
import { blobKey } from "./blob-layout.ts";

/** Large enough that a call costs nothing beside it, small enough for the cache (1 to 16 MiB measured: no difference). */
const PART_BYTES = 4 * 1024 * 1024;
/** As many as a read of a file has calls: then one is done each time that another is hashed. */
const PARTS_AHEAD = 4;

/** @returns whether the memory holds the payload now; false also where it is stored in another way, or is not there */
export function readIntoSync(blobs: SyncBlobStore, row: BlobRow, target: Uint8Array): boolean {
  const key = plainKey(row, target);
  if (key === undefined || blobs.statSync(key)?.sizeBytes !== row.sizeBytes) return false;
  const sum = createHash("sha256");
  for (const range of parts(row.sizeBytes)) {
    const part = place(target, range);
    if (!take(sum, part, blobs.getSync(key, range, part))) return false;
  }
  return sum.digest("hex") === row.digest;
}

/** As `readIntoSync`; the next parts are read while one is hashed. */
export async function readInto(blobs: BlobStore, row: BlobRow, target: Uint8Array): Promise<boolean> {
  const key = plainKey(row, target);
  if (key === undefined || (await blobs.stat(key))?.sizeBytes !== row.sizeBytes) return false;
  const sum = createHash("sha256");
  const ahead: { readonly part: Uint8Array; readonly bytes: Promise<Uint8Array | undefined> }[] = [];
  const left = parts(row.sizeBytes);
  const readOn = (): void => {
    const next = left.next();
    if (next.done === true) return;
    const part = place(target, next.value);
    const bytes = blobs.get(key, next.value, part);
    bytes.catch(() => {}); // Awaited below, or of no interest any more.
    ahead.push({ part, bytes });
  };
  for (let count = 0; count < PARTS_AHEAD; count++) readOn();
  try {
    for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) {
      const bytes = await next.bytes;
      readOn();
      // Each read is several calls, which come one step further whenever the event loop turns.
      await turn();
      if (!take(sum, next.part, bytes)) return false;
    }
  } finally {
    // Nobody writes into the memory once this has returned.
    await Promise.allSettled(ahead.map(({ bytes }) => bytes));
  }
  return sum.digest("hex") === row.digest;
}

function plainKey({ digest, compression, sizeBytes, stored }: BlobRow, target: Uint8Array): string | undefined {
  if (compression !== "none" || stored !== undefined || target.byteLength !== sizeBytes) return undefined;
  return blobKey(digest, compression);
}

function* parts(sizeBytes: number): Generator<ByteRange, void> {
  for (let start = 0; start < sizeBytes; start += PART_BYTES)
    yield { start, end: Math.min(start + PART_BYTES, sizeBytes) };
}

function place(target: Uint8Array, { start, end }: ByteRange): Uint8Array {
  return target.subarray(start, end);
}

/** Hashes what came; a store that could not use the memory has given bytes of its own. */
function take(sum: Hash, part: Uint8Array, bytes: Uint8Array | undefined): boolean {
  if (bytes?.byteLength !== part.byteLength) return false;
  if (bytes.buffer !== part.buffer) part.set(bytes);
  sum.update(part);
  return true;
}
