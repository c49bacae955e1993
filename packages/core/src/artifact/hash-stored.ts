/**
 * Hashes the payload behind stored bytes piece by piece, so that a value of several gigabytes takes no more memory than a
 * few frames. Decompression is bounded on both sides: a frame gives at most FRAME_BYTES, all of them together what the
 * record of the value says.
 */
import { createHash } from "node:crypto";
import type { BlobRow, Digest } from "./artifact.ts";
import { FRAME_BYTES, frameEnd, openFrame } from "./compression.ts";

/** Reads a part of stored bytes, cut at their end; undefined when there are none. */
export type ReadPart = (start: number, end: number) => Uint8Array | undefined;

export type HashedPayload =
  | { readonly kind: "payload"; readonly digest: Digest; readonly sizeBytes: number; readonly storedBytes: number }
  | { readonly kind: "missing" }
  | { readonly kind: "broken"; readonly why: string };

/** Bytes of one read: a frame at most, and few enough that the thread is free again after some milliseconds. */
export const PART_BYTES = FRAME_BYTES;
/** A frame of FRAME_BYTES that cannot be compressed: its blocks as they are, with their heads. */
const MAX_STORED_FRAME_BYTES = FRAME_BYTES + 64 * 1024;

/**
 * Hashes a payload. After each part it gives the number of stored bytes that were read, so that the caller can tell of
 * progress and let others have the thread.
 *
 * @param maxBytes  what a compressed payload may grow to: its size as recorded
 */
export function* hashStored(
  read: ReadPart,
  compression: BlobRow["compression"],
  maxBytes: number,
): Generator<number, HashedPayload, undefined> {
  const sum = createHash("sha256");
  const take = payloadReader(compression, sum, maxBytes);
  let storedBytes = 0;
  for (;;) {
    const part = read(storedBytes, storedBytes + PART_BYTES);
    if (part === undefined) return { kind: "missing" };
    storedBytes += part.byteLength;
    const why = take.add(part);
    if (why !== undefined) return { kind: "broken", why };
    yield part.byteLength;
    if (part.byteLength < PART_BYTES) break;
  }
  const why = take.end();
  if (why !== undefined) return { kind: "broken", why };
  return { kind: "payload", digest: sum.digest("hex") as Digest, sizeBytes: take.sizeBytes, storedBytes };
}

/** Takes stored bytes in their order and hashes the payload behind them; `add` and `end` say what is wrong with them. */
export interface PayloadReader {
  readonly sizeBytes: number;
  /** Keeps nothing of the memory of a part. */
  add(part: Uint8Array): string | undefined;
  end(): string | undefined;
}

export function payloadReader(compression: BlobRow["compression"], sum: Sum, maxBytes: number): PayloadReader {
  return compression === "zstd" ? new FrameReader(sum, maxBytes) : new PlainReader(sum);
}

type Sum = ReturnType<typeof createHash>;

class PlainReader {
  sizeBytes = 0;
  readonly #sum: Sum;

  constructor(sum: Sum) {
    this.#sum = sum;
  }

  add(part: Uint8Array): undefined {
    this.#sum.update(part);
    this.sizeBytes += part.byteLength;
    return undefined;
  }

  end(): undefined {
    return undefined;
  }
}

class FrameReader {
  sizeBytes = 0;
  readonly #sum: Sum;
  readonly #maxBytes: number;
  #left: Uint8Array = new Uint8Array(0);

  constructor(sum: Sum, maxBytes: number) {
    this.#sum = sum;
    this.#maxBytes = maxBytes;
  }

  add(part: Uint8Array): string | undefined {
    let bytes = this.#left.byteLength === 0 ? part : Buffer.concat([this.#left, part]);
    while (bytes.byteLength > 0) {
      const end = frameEnd(bytes, 0);
      if (end === undefined) break;
      const room = Math.min(this.#maxBytes - this.sizeBytes, FRAME_BYTES);
      const piece = openFrame(bytes.subarray(0, end), room);
      if (piece === undefined) return "they cannot be decompressed";
      this.#sum.update(piece);
      this.sizeBytes += piece.byteLength;
      bytes = bytes.subarray(end);
    }
    if (bytes.byteLength > MAX_STORED_FRAME_BYTES) return "they cannot be decompressed";
    this.#left = new Uint8Array(bytes); // The memory of a part is used again for another one.
    return undefined;
  }

  end(): string | undefined {
    return this.#left.byteLength === 0 ? undefined : "they end inside a frame";
  }
}
