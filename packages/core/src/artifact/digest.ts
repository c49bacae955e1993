import { createHash, hash } from "node:crypto";
import type { Digest } from "./artifact.ts";

/** The sha-256 of chunks read one after another, without joining them. */
export function digestOf(chunks: readonly Uint8Array[]): Digest {
  // The one-shot call takes half the time of a Hash object for the small payloads that most artifacts are.
  if (chunks.length === 1) return hash("sha256", chunks[0]!, "hex") as Digest;
  const sum = createHash("sha256");
  for (const chunk of chunks) sum.update(chunk);
  return sum.digest("hex") as Digest;
}

/** Whether a text has the form of a digest. */
export function isDigest(text: string): text is Digest {
  return /^[0-9a-f]{64}$/.test(text);
}
