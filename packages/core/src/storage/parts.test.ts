import { expect, test } from "vitest";
import { largestPart, PartPool, partsOfPieces } from "./parts.ts";

const PART = 256 * 1024;

/** Pieces that all come in the same memory, as a maker of pieces may do. */
async function* pieces(count: number, sizeBytes: number): AsyncGenerator<Uint8Array, void> {
  const memory = new Uint8Array(sizeBytes);
  for (let piece = 1; piece <= count; piece++) yield memory.fill(piece);
}

test("parts of a stream have the memory of those that have gone, and no other", async () => {
  const pool = new PartPool();
  const held: Uint8Array[] = [];
  const buffers = new Set<ArrayBufferLike>();
  const seen: number[] = [];
  for await (const part of partsOfPieces(pieces(30, PART / 2), PART, pool)) {
    expect(held.every(({ buffer }) => buffer !== part.buffer)).toBe(true);
    held.push(part);
    buffers.add(part.buffer);
    if (held.length < 3) continue;
    const gone = held.shift()!;
    seen.push(gone[0]!, gone.at(-1)!);
    pool.give(gone);
  }
  for (const part of held) seen.push(part[0]!, part.at(-1)!);
  expect(seen).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
  expect(buffers.size).toBe(3);
});

test("parts that nobody gives back stay as they are", async () => {
  const parts: Uint8Array[] = [];
  for await (const part of partsOfPieces(pieces(5, PART + 1), PART)) parts.push(part);
  const whole = Buffer.concat(parts);
  expect(parts.map(({ length }) => length)).toEqual([PART, PART, PART, PART, PART, 5]);
  for (let piece = 0; piece < 5; piece++) expect(whole[piece * (PART + 1)]).toBe(piece + 1);
});

test.each([1, 1_000, 1_001, 3_000, 3_001, 7_001])(
  "the largest part of a stream of %i bytes is known before",
  async (size) => {
    const pieces = (async function* () {
      yield new Uint8Array(size);
    })();
    let largest = 1;
    for await (const part of partsOfPieces(pieces, 1)) largest = Math.max(largest, part.buffer.byteLength);
    expect(largestPart(size, 1)).toBe(largest);
  },
);
