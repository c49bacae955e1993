/**
 * Small values of a run, many in one object (docs/formats/bucket.md). The name of a pack has the digest of all of its bytes, and each value its own, so
 * that whoever reads all of it or one value by a range knows that it is right.
 */
import { createHash } from "node:crypto";
import { type Digest, INLINE_LIMIT_BYTES, type NewBlob } from "../artifact/artifact.ts";
import { decompress } from "../artifact/compression.ts";
import { digestOf } from "../artifact/digest.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { BadContent, parseLine, splitLines } from "../transfer/json-lines.ts";
import * as of from "../transfer/shapes.ts";
import { z } from "../util/zod.ts";
import { damaged, NOT_THERE } from "./publish-error.ts";
import { readAgain } from "./read-again.ts";

const HEAD = Buffer.from("millrace-pack 1\n");
const TAIL_BYTES = 16;
export const MAX_PACK_BYTES = 16 * 1024 * 1024;

const entryShape = z.object({
  digest: of.digest,
  offset: z.int().min(HEAD.length),
  length: z.int().min(0),
  sizeBytes: z.int().min(0).max(INLINE_LIMIT_BYTES),
  compression: z.literal(["none", "zstd"]),
});

/** Where a value lies in its pack. */
export interface PackEntry {
  readonly digest: Digest;
  readonly offset: number;
  readonly length: number;
  readonly sizeBytes: number;
  readonly compression: NewBlob["compression"];
}

/** A small value: its bytes are in the row. */
export type SmallBlob = NewBlob & { readonly stored: Uint8Array };

export interface Pack {
  readonly digest: Digest;
  readonly chunks: readonly Uint8Array[];
  readonly sizeBytes: number;
  readonly entries: readonly PackEntry[];
}

export function makePack(values: readonly SmallBlob[]): Pack {
  const entries: PackEntry[] = [];
  const chunks: Uint8Array[] = [HEAD];
  let offset = HEAD.length;
  for (const { digest, sizeBytes, compression, stored } of values) {
    entries.push({ digest, offset, length: stored.length, sizeBytes, compression });
    chunks.push(stored);
    offset += stored.length;
  }
  const index = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  const tail = Buffer.alloc(TAIL_BYTES);
  tail.writeBigUInt64BE(BigInt(offset), 0);
  tail.writeBigUInt64BE(BigInt(index.length), 8);
  chunks.push(index, tail);
  const sum = createHash("sha256");
  for (const chunk of chunks) sum.update(chunk);
  return { digest: sum.digest("hex") as Digest, chunks, sizeBytes: offset + index.length + TAIL_BYTES, entries };
}

/**
 * Reads the index of a pack.
 *
 * @throws FlowError FLOW_PUBLISH_DAMAGED, and those of the bucket
 */
export async function readPackIndex(bucket: BlobStore, key: string): Promise<readonly PackEntry[]> {
  return await readAgain(() => readPackIndexOnce(bucket, key));
}

async function readPackIndexOnce(bucket: BlobStore, key: string): Promise<readonly PackEntry[]> {
  const facts = await bucket.stat(key);
  if (facts === undefined) throw damaged(key, NOT_THERE);
  const tailAt = facts.sizeBytes - TAIL_BYTES;
  if (tailAt < HEAD.length) throw damaged(key, "it is no pack");
  const tail = await bucket.get(key, { start: tailAt, end: facts.sizeBytes });
  const at = tail === undefined ? undefined : placeOfIndex(tail, tailAt);
  if (at === undefined) throw damaged(key, "it is no pack");
  const index = await bucket.get(key, { start: at, end: tailAt });
  return await inPack(key, () => parseIndex(index ?? new Uint8Array(), at));
}

/**
 * Reads all values of a pack; each was checked, and so was the pack.
 *
 * @throws FlowError FLOW_PUBLISH_DAMAGED, and those of the bucket
 */
export async function readPack(bucket: BlobStore, key: string, digest: Digest): Promise<readonly SmallBlob[]> {
  return await readAgain(() => readPackOnce(bucket, key, digest));
}

async function readPackOnce(bucket: BlobStore, key: string, digest: Digest): Promise<readonly SmallBlob[]> {
  const bytes = await bucket.get(key);
  if (bytes === undefined) throw damaged(key, NOT_THERE);
  return await inPack(key, () => {
    if (digestOf([bytes]) !== digest) throw new BadContent("its bytes are not those that its name says");
    const tailAt = bytes.length - TAIL_BYTES;
    const at = tailAt < HEAD.length ? undefined : placeOfIndex(bytes.subarray(tailAt), tailAt);
    if (at === undefined) throw new BadContent("it is no pack");
    return parseIndex(bytes.subarray(at, tailAt), at).map((entry) =>
      checked(entry, bytes.subarray(entry.offset, entry.offset + entry.length)),
    );
  });
}

function placeOfIndex(tail: Uint8Array, tailAt: number): number | undefined {
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  const at = Number(view.getBigUint64(0));
  return at >= HEAD.length && at + Number(view.getBigUint64(8)) === tailAt ? at : undefined;
}

function parseIndex(index: Uint8Array, indexAt: number): readonly PackEntry[] {
  const entries: PackEntry[] = [];
  for (const line of splitLines([index])) {
    const entry = parseLine(line, entryShape) as PackEntry;
    if (entry.offset + entry.length > indexAt) throw new BadContent("a value of it lies behind its end");
    entries.push(entry);
  }
  return entries;
}

function checked({ digest, sizeBytes, compression, length }: PackEntry, stored: Uint8Array): SmallBlob {
  const payload = compression === "none" ? stored : decompress(stored, sizeBytes);
  if (payload?.length !== sizeBytes || digestOf([payload]) !== digest)
    throw new BadContent(`the value ${digest} in it is not what was stored`);
  return { digest, sizeBytes, storedBytes: length, compression, stored };
}

async function inPack<T>(key: string, work: () => T): Promise<T> {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof BadContent)) throw error;
    throw damaged(key, error.message, error);
  }
}
