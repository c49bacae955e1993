import type { ArtifactRef, Digest } from "../../artifact/artifact.ts";
import type { ArtifactStore } from "../../artifact/artifact-store.ts";
import { isStoreFault } from "../../errors/told-error.ts";
import type { MetadataReader } from "../../metadata/metadata-store.ts";
import { inTurns } from "../../util/in-turns.ts";

/** What checking needs: records, and stored values that are read in pieces. */
export interface CheckingStores {
  readonly metadata: MetadataReader;
  readonly artifacts: Pick<ArtifactStore, "examine" | "pieces">;
}

export type BlobVerdict =
  | { readonly kind: "whole"; readonly recordedBytes: number; readonly payloadBytes: number }
  | { readonly kind: "damaged"; readonly why: string };

/** The store itself gave no answer: that says nothing of the value. A file that cannot be read is a fault of that value. */
function isUnasked(error: unknown): boolean {
  return isStoreFault(error) && error.context.path === undefined;
}

/** Reads and hashes stored values, each once however many runs hold it, one after the other to keep memory bounded. */
export class BlobChecker {
  readonly #stores: CheckingStores;
  readonly #verdicts = new Map<Digest, BlobVerdict>();
  #bytes = 0;

  constructor(stores: CheckingStores) {
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
      const verdict = await inTurns(this.#stores.artifacts.examine(row));
      if (verdict.kind !== "whole") return { kind: "damaged", why: verdict.why };
      this.#bytes += verdict.payloadBytes;
      return { kind: "whole", recordedBytes: row.sizeBytes, payloadBytes: verdict.payloadBytes };
    } catch (error) {
      if (isUnasked(error)) throw error;
      return { kind: "damaged", why: error instanceof Error ? error.message : String(error) };
    }
  }
}
