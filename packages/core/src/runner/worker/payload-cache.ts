import type { Digest } from "../../artifact/artifact.ts";

/** Bytes that one worker keeps: enough for the shared inputs of a wide foreach, little beside a worker's own memory. */
const LIMIT_BYTES = 64 * 1024 * 1024;
/** Larger payloads are read again: their reading costs less than keeping them. */
const LARGEST_BYTES = 4 * 1024 * 1024;

/** Recently used payloads by digest, bounded in bytes; the least recently used go first. */
export class PayloadCache {
  readonly #payloads = new Map<Digest, Uint8Array>();
  #bytes = 0;

  get(digest: Digest): Uint8Array | undefined {
    const payload = this.#payloads.get(digest);
    if (payload === undefined) return undefined;
    this.#payloads.delete(digest);
    this.#payloads.set(digest, payload);
    return payload;
  }

  /** Keeps a payload, unless it is too large; says whether it is kept. */
  set(digest: Digest, payload: Uint8Array): boolean {
    if (payload.byteLength > LARGEST_BYTES) return false;
    if (this.#payloads.has(digest)) return true;
    this.#payloads.set(digest, payload);
    this.#bytes += payload.byteLength;
    for (const [oldest, bytes] of this.#payloads) {
      if (this.#bytes <= LIMIT_BYTES) break;
      this.#payloads.delete(oldest);
      this.#bytes -= bytes.byteLength;
    }
    return true;
  }
}
