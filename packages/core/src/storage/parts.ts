/** Values as parts of one size, for services that take large values in parts. */

/** The parts of bytes that lie in memory: a part of a single chunk is no copy. */
export function* partsOfChunks(chunks: readonly Uint8Array[], partBytes: number): Generator<Uint8Array, void> {
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + partBytes - waitingBytes);
      at += piece.length;
      waiting.push(piece);
      waitingBytes += piece.length;
      if (waitingBytes < partBytes) continue;
      yield joined(waiting);
      waiting = [];
      waitingBytes = 0;
    }
  }
  if (waitingBytes > 0) yield joined(waiting);
}

/**
 * The parts of a stream, each in memory of its own: a piece may be used again by its maker once the next one is asked for.
 * Services take 10,000 parts at most, and nobody knows how long a stream becomes: after each thousand, parts are twice as large.
 *
 * @param pool has the memory of parts which have gone, where whoever takes them gives it back
 */
export async function* partsOfPieces(
  pieces: AsyncIterable<Uint8Array>,
  firstBytes: number,
  pool: PartPool = new PartPool(),
): AsyncGenerator<Uint8Array, void> {
  let partBytes = firstBytes;
  let count = 0;
  let part = NOTHING;
  let filled = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      if (filled === part.length) part = count === 0 ? grown(part, partBytes) : pool.take(partBytes);
      const taken = Math.min(piece.length - at, part.length - filled);
      part.set(piece.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
      if (filled === partBytes) {
        yield part;
        if (++count % SAME_SIZE === 0) partBytes *= 2;
        part = NOTHING;
        filled = 0;
      }
    }
  }
  if (filled > 0) yield part.subarray(0, filled);
}

/** How large the parts of a stream become; bytes. */
export function largestPart(sizeBytes: number, firstBytes: number): number {
  let partBytes = firstBytes;
  for (let left = sizeBytes - SAME_SIZE * partBytes; left > 0; left -= SAME_SIZE * partBytes) partBytes *= 2;
  return partBytes;
}

/** So many parts have one size. */
const SAME_SIZE = 1_000;

/**
 * Memory of parts of one transfer that is used again: the first touch of fresh memory costs several times as much as a copy
 * into it. It holds no more than was in use at once.
 */
export class PartPool {
  #free: Uint8Array[] = [];

  take(sizeBytes: number): Uint8Array {
    const at = this.#free.findIndex((part) => part.length === sizeBytes);
    return at === -1 ? Buffer.allocUnsafeSlow(sizeBytes) : this.#free.splice(at, 1)[0]!;
  }

  /** Only by who knows that nobody looks at the part any more: no request that was given up, above all. */
  give(part: Uint8Array): void {
    // Of another size than the last one are those of a stream whose parts have grown.
    this.#free = [...this.#free.filter(({ length }) => length === part.length), part];
  }
}

/** Small streams get little memory; that of their first part grows by doubling. */
const FIRST_BYTES = 64 * 1024;
const NOTHING: Uint8Array = new Uint8Array(0);

function grown(part: Uint8Array, partBytes: number): Uint8Array {
  const larger = Buffer.allocUnsafeSlow(Math.min(Math.max(part.length * 2, FIRST_BYTES), partBytes));
  larger.set(part);
  return larger;
}

/** Chunks as one; a single one as it is. */
export function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}
