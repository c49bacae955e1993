/**
 * zstd for payloads. Level 1 (measured: 200 to 450 MB/s, and higher levels gain little on artifacts); tried on the first
 * 256 KiB, kept when it saves a tenth; nothing below 512 bytes. A compressed payload is a row of frames, each of 4 MiB
 * of payload: so neither side ever holds more than one frame besides the result, and `zstd -d` reads it.
 */
import { constants as bufferConstants } from "node:buffer";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";

export const MIN_COMPRESSED_BYTES = 512;
export const SAMPLE_BYTES = 256 * 1024;
export const FRAME_BYTES = 4 * 1024 * 1024;
/** A compressed payload is kept when it has at most this part of the size. */
export const KEPT_RATIO = 0.9;
const MAX_BUFFER_BYTES = bufferConstants.MAX_LENGTH;

/** The frames of a payload, or undefined when they would not save a tenth of it. */
export function compress(chunks: readonly Uint8Array[], sizeBytes: number): Uint8Array[] | undefined {
  if (sizeBytes < MIN_COMPRESSED_BYTES) return undefined;
  if (sizeBytes > SAMPLE_BYTES) {
    const sample = pieces(chunks, SAMPLE_BYTES).next().value!;
    if (compressFrame(sample).length > sample.length * KEPT_RATIO) return undefined;
  }
  const kept: Uint8Array[] = [];
  let storedBytes = 0;
  for (const piece of pieces(chunks, FRAME_BYTES)) {
    const frame = compressFrame(piece);
    storedBytes += frame.length;
    if (storedBytes > sizeBytes * KEPT_RATIO) return undefined;
    kept.push(frame);
  }
  return kept;
}

/** The frames of a payload whether they save anything or not. */
export function frames(chunks: readonly Uint8Array[]): Uint8Array[] {
  return Array.from(pieces(chunks, FRAME_BYTES), compressFrame);
}

/** The payload of `sizeBytes` bytes behind a row of frames; undefined when the bytes are none or give another size. */
export function decompress(stored: Uint8Array, sizeBytes: number): Uint8Array | undefined {
  // The size comes from a row, for which nobody vouches.
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes > MAX_BUFFER_BYTES) return undefined;
  if (sizeBytes > stored.byteLength * MAX_ZSTD_RATIO) return undefined;
  const payload = Buffer.allocUnsafeSlow(sizeBytes);
  let position = 0;
  for (let start = 0; start < stored.byteLength; ) {
    const end = frameEnd(stored, start);
    if (end === undefined) return undefined;
    const left = Math.min(sizeBytes - position, FRAME_BYTES);
    const piece = openFrame(stored.subarray(start, end), left);
    // All frames but the last are full: many that hold next to nothing would each cost as much as a full one.
    if (piece?.length !== left) return undefined;
    payload.set(piece, position);
    position += piece.length;
    start = end;
  }
  return position === sizeBytes ? payload : undefined;
}

/** What one frame holds, if it is no more than `maxBytes`; undefined when it is none or holds more. */
export function openFrame(frame: Uint8Array, maxBytes: number): Uint8Array | undefined {
  try {
    const piece = zstdDecompressSync(frame, {
      maxOutputLength: Math.max(maxBytes, 1),
      chunkSize: Math.max(maxBytes, 64),
    });
    return piece.length > maxBytes ? undefined : piece;
  } catch {
    return undefined; // Broken frames and larger contents are one to the caller: these are not the bytes that were stored.
  }
}

/** One piece of at most FRAME_BYTES as a frame. */
export function compressFrame(piece: Uint8Array): Buffer {
  return zstdCompressSync(piece, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
}

/** A block of 128 KiB takes four bytes at least, so a claim beyond this ratio is not worth the memory to try. */
const MAX_ZSTD_RATIO = 32 * 1024;

/** The payload in pieces of `pieceBytes`, the last one smaller; chunks are joined only where a piece spans several. */
export function* pieces(chunks: readonly Uint8Array[], pieceBytes: number): Generator<Uint8Array, undefined> {
  let parts: Uint8Array[] = [];
  let collected = 0;
  for (const chunk of chunks) {
    for (let start = 0; start < chunk.byteLength; ) {
      const part = chunk.subarray(start, start + pieceBytes - collected);
      start += part.byteLength;
      parts.push(part);
      collected += part.byteLength;
      if (collected < pieceBytes) continue;
      yield joined(parts);
      parts = [];
      collected = 0;
    }
  }
  if (collected > 0) yield joined(parts);
  return undefined;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/**
 * Where a frame ends, found from the sizes of its blocks: zlib decompresses the first frame and ignores the rest.
 *
 * @see RFC 8878 section 3.1.1 (Zstandard frames)
 */
export function frameEnd(stored: Uint8Array, start: number): number | undefined {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  const size = stored.byteLength;
  if (start + 5 > size || view.getUint32(start, true) !== 0xfd2f_b528) return undefined;
  const descriptor = view.getUint8(start + 4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  let at = start + 5 + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]! + contentSizeBytes;
  for (let isLast = false; !isLast; ) {
    if (at + 3 > size) return undefined;
    const block = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    isLast = (block & 1) === 1;
    const isRepeatedByte = ((block >> 1) & 3) === 1;
    at += 3 + (isRepeatedByte ? 1 : block >> 3);
  }
  const end = at + ((descriptor & 4) === 0 ? 0 : 4);
  return end > size ? undefined : end;
}
