import { type Attempt, isTransient } from "./attempt.ts";
import type { BlobStore } from "./blob-store.ts";

/** Values are compared in pieces of this size. */
const PIECE_BYTES = 8 * 1024 * 1024;

/**
 * `put`, tried again where it failed in a way that may pass. A try whose acknowledgement was lost may have stored the value all
 * the same: then the next one finds it there, knows it by its bytes, and the answer is "created".
 */
export function putAgain(
  store: BlobStore,
  key: string,
  chunks: readonly Uint8Array[],
  attempt: Attempt,
): Promise<"created" | "exists"> {
  let mayHavePut = false;
  return attempt("put", async () => {
    try {
      const answer = await store.put(key, chunks);
      return answer === "exists" && mayHavePut && (await holds(store, key, chunks, attempt)) ? "created" : answer;
    } catch (error) {
      if (isTransient(error)) mayHavePut = true;
      throw error;
    }
  });
}

/** Whether the bytes under a key are these. */
async function holds(store: BlobStore, key: string, chunks: readonly Uint8Array[], attempt: Attempt): Promise<boolean> {
  const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  if ((await attempt("put", () => store.stat(key)))?.sizeBytes !== sizeBytes) return false;
  let at = 0;
  for (const chunk of chunks) {
    for (let from = 0; from < chunk.length; from += PIECE_BYTES) {
      const piece = chunk.subarray(from, from + PIECE_BYTES);
      const range = { start: at, end: at + piece.length };
      const there = await attempt("put", () => store.get(key, range));
      if (there === undefined || Buffer.compare(there, piece) !== 0) return false;
      at += piece.length;
    }
  }
  return true;
}
