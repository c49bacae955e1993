import type { SyncBlobStore } from "../storage/blob-store.ts";
import type { BlobRow, EncodedArtifact } from "./artifact.ts";
import { blobKey } from "./blob-layout.ts";
import { decompress, FRAME_BYTES, frames, pieces } from "./compression.ts";
import { digestOf } from "./digest.ts";

/**
 * Looks at the bytes that a blob store has of a payload which is at hand, and replaces them if they were damaged: the
 * step that wrote a value is the one that can write it again. Looks for both forms, since another release of zstd may
 * have decided otherwise on whether to compress, and the row that was first is the one that is read.
 *
 * @param form.compression  the form that was decided on now
 * @param form.stored  the payload in that form
 * @param form.isNew  whether these very bytes were written just now: then only the other form is looked at
 */
export function repairBlob(
  blobs: SyncBlobStore,
  encoded: EncodedArtifact,
  form: {
    readonly compression: BlobRow["compression"];
    readonly stored: readonly Uint8Array[];
    readonly isNew: boolean;
  },
): void {
  const { compression, stored, isNew } = form;
  const key = blobKey(encoded.digest, compression);
  const isRight =
    isNew || holds(blobs, key, stored) || (compression === "zstd" && isSound(blobs, key, compression, encoded));
  if (!isRight) blobs.replaceSync(key, stored);
  const other = compression === "none" ? "zstd" : "none";
  const otherKey = blobKey(encoded.digest, other);
  if (blobs.getSync(otherKey, { start: 0, end: 1 }) === undefined) return;
  if (isSound(blobs, otherKey, other, encoded)) return;
  blobs.replaceSync(otherKey, other === "none" ? encoded.chunks : frames(encoded.chunks));
}

/** Whether a value is these bytes exactly. Compared in pieces: the payload is in memory already, and may be large. */
function holds(blobs: SyncBlobStore, key: string, chunks: readonly Uint8Array[]): boolean {
  let start = 0;
  for (const piece of pieces(chunks, FRAME_BYTES)) {
    const end = start + piece.byteLength;
    const there = blobs.getSync(key, { start, end });
    if (there === undefined || Buffer.compare(there, piece) !== 0) return false;
    start = end;
  }
  return blobs.getSync(key, { start, end: start + 1 })?.byteLength === 0;
}

/** Whether a value decodes to the payload, though its bytes may be those of another release of zstd. */
function isSound(
  blobs: SyncBlobStore,
  key: string,
  compression: BlobRow["compression"],
  { digest, sizeBytes, chunks }: EncodedArtifact,
): boolean {
  if (compression === "none") return holds(blobs, key, chunks);
  const stored = blobs.getSync(key);
  const payload = stored === undefined ? undefined : decompress(stored, sizeBytes);
  return payload !== undefined && digestOf([payload]) === digest;
}
