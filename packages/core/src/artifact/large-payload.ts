/** Payloads that need not fit into memory: read and written frame by frame, in the form of compression.ts. */
import { createHash } from "node:crypto";
import type { BlobStore } from "../storage/blob-store.ts";
import type { ArtifactRef, BlobRow, NewBlob } from "./artifact.ts";
import { blobKey } from "./blob-layout.ts";
import { compressFrame, FRAME_BYTES, frameEnd, KEPT_RATIO, openFrame, SAMPLE_BYTES } from "./compression.ts";

/** A frame of bytes that do not compress is a little larger than they are: zstd adds three bytes to each 128 KiB. */
const WINDOW_BYTES = FRAME_BYTES + 64 * 1024;

/**
 * Gives the payload of a blob in pieces, hashed on the way.
 *
 * @returns what is wrong, in words; "missing" when there is no blob
 */
export async function* checkedPieces(
  blobs: BlobStore,
  row: BlobRow,
): AsyncGenerator<Uint8Array, "missing" | (string & {}) | undefined> {
  const sum = createHash("sha256");
  let sizeBytes = 0;
  const key = blobKey(row.digest, row.compression);
  const pieces = row.compression === "none" ? plainPieces(blobs, key) : framePieces(blobs, key);
  for (let step = await pieces.next(); ; step = await pieces.next()) {
    if (step.done === true) {
      if (step.value !== undefined) return step.value;
      break;
    }
    sizeBytes += step.value.byteLength;
    if (sizeBytes > row.sizeBytes) return `there are more than ${row.sizeBytes} bytes`;
    sum.update(step.value);
    yield step.value;
  }
  const actual = sum.digest("hex");
  return actual === row.digest ? undefined : `their digest is ${actual}`;
}

async function* plainPieces(blobs: BlobStore, key: string): AsyncGenerator<Uint8Array, string | undefined> {
  for (let start = 0; ; ) {
    const piece = await blobs.get(key, { start, end: start + FRAME_BYTES });
    if (piece === undefined) return "missing";
    if (piece.byteLength === 0) return undefined;
    start += piece.byteLength;
    yield piece;
  }
}

/** What a value holds that is kept as frames, piece by piece; what is wrong, at its end. */
export async function* framePieces(blobs: BlobStore, key: string): AsyncGenerator<Uint8Array, string | undefined> {
  for (let start = 0; ; ) {
    const window = await blobs.get(key, { start, end: start + WINDOW_BYTES });
    if (window === undefined) return "missing";
    if (window.byteLength === 0) return undefined;
    // As many frames as are whole in the window: of bytes that compress well, one read gives many.
    let at = 0;
    for (
      let end = frameEnd(window, at);
      end !== undefined;
      end = at < window.byteLength ? frameEnd(window, at) : undefined
    ) {
      const piece = openFrame(window.subarray(at, end), FRAME_BYTES);
      if (piece === undefined) return "they cannot be decompressed";
      at = end;
      yield piece;
    }
    if (at === 0) return "they cannot be decompressed";
    start += at;
  }
}

type Read = (start: number, end: number) => Promise<Uint8Array>;

/** Thrown through the blob store, to give up a form that does not save enough. */
const NOT_WORTH_IT = new Error("compression saves too little");

/** Stores a large payload in the form that `compress` would choose for it. */
export async function storeLarge(
  blobs: BlobStore,
  ref: ArtifactRef,
  read: Read,
  wrong: (actual: string) => Error,
): Promise<{ readonly row: NewBlob; readonly isNew: boolean }> {
  const sample = await read(0, SAMPLE_BYTES);
  if (compressFrame(sample).length <= sample.length * KEPT_RATIO) {
    try {
      return await put(blobs, ref, "zstd", packed(ref, checked(ref, read, wrong)));
    } catch (error) {
      if (error !== NOT_WORTH_IT) throw error;
    }
  }
  return await put(blobs, ref, "none", checked(ref, read, wrong));
}

async function put(
  blobs: BlobStore,
  { digest, sizeBytes }: ArtifactRef,
  compression: NewBlob["compression"],
  pieces: AsyncIterable<Uint8Array>,
): Promise<{ readonly row: NewBlob; readonly isNew: boolean }> {
  const key = blobKey(digest, compression);
  const isNew = (await blobs.putStream(key, pieces)) === "created";
  const storedBytes = (await blobs.stat(key))?.sizeBytes ?? 0;
  return { row: { digest, sizeBytes, storedBytes, compression }, isNew };
}

async function* packed(
  { sizeBytes }: ArtifactRef,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  let storedBytes = 0;
  for await (const piece of pieces) {
    const frame = compressFrame(piece);
    storedBytes += frame.length;
    if (storedBytes > sizeBytes * KEPT_RATIO) throw NOT_WORTH_IT;
    yield frame;
  }
}

/** The payload in pieces of FRAME_BYTES; another digest is thrown at the end, before the store gives it its name. */
async function* checked(
  { digest, sizeBytes }: ArtifactRef,
  read: Read,
  wrong: (actual: string) => Error,
): AsyncGenerator<Uint8Array, void> {
  const sum = createHash("sha256");
  for (let start = 0; start < sizeBytes; start += FRAME_BYTES) {
    const piece = await read(start, Math.min(start + FRAME_BYTES, sizeBytes));
    sum.update(piece);
    yield piece;
  }
  const actual = sum.digest("hex");
  if (actual !== digest) throw wrong(actual);
}
