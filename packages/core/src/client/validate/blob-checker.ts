import type { ArtifactRef, Digest } from "../../artifact/artifact.ts";
import type { ReadingStores } from "../artifact-reader.ts";

export type BlobVerdict =
  | { readonly kind: "whole"; readonly recordedBytes: number; readonly payloadBytes: number }
  | { readonly kind: "damaged"; readonly why: string };

/** Reads and hashes stored values, each once however many runs hold it, one after the other to keep memory bounded. */
export class BlobChecker {
  readonly #stores: ReadingStores;
  readonly #verdicts = new Map<Digest, BlobVerdict>();
  #bytes = 0;

  constructor(stores: ReadingStores) {
    this.#stores = stores;
  }

  get hashed(): { readonly blobs: number; readonly bytes: number } {
    return { blobs: this.#verdicts.size, bytes: this.#bytes };
  }

  async check(ref: ArtifactRef): Promise<BlobVerdict> {
    const known = this.#verdicts.get(ref.digest);
    if (known !== undefined) return known;
    const verdict = await this.#read(ref);
    this.#verdicts.set(ref.digest, verdict);
    return verdict;
  }

  async #read(ref: ArtifactRef): Promise<BlobVerdict> {
    try {
      const row = await this.#stores.metadata.blob(ref.digest);
      if (row === undefined) return { kind: "damaged", why: "the store has no record of these bytes" };
      // Asked for with the size of the blob's own record: a wrong size in an artifact's record is a finding of its own (V05).
      const payload = await this.#stores.artifacts.payload(
        { codec: ref.codec, digest: ref.digest, sizeBytes: row.sizeBytes },
        row,
      );
      this.#bytes += payload.byteLength;
      return { kind: "whole", recordedBytes: row.sizeBytes, payloadBytes: payload.byteLength };
    } catch (error) {
      // The evidence names the artifact itself: of the message, only the reason is wanted.
      const message = error instanceof Error ? error.message : String(error);
      return { kind: "damaged", why: message.replace(/^Cannot read the artifact [0-9a-f]{64}: /, "") };
    }
  }
}
