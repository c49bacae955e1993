/** From a file or folder that a step left in a field to an artifact: hashed first, stored when nothing can be refused any more. */
import { createHash } from "node:crypto";
import { isFlowError } from "../../errors/flow-error.ts";
import type { ArtifactRef, Digest, NewBlob } from "../artifact.ts";
import type { ArtifactStore } from "../artifact-store.ts";
import type { FileContent } from "./file-content.ts";
import { badFile } from "./file-error.ts";
import { keptContent } from "./stored-file.ts";

/** A file that is to be kept. */
export interface KeptFile {
  readonly ref: ArtifactRef;
  /** Stores its bytes; undefined where the store has them, and a row of them, already. */
  store(): Promise<NewBlob | undefined>;
}

/**
 * @param place.path what messages call it, such as `this.network`
 * @param place.field after which it is called when it has no name of its own
 * @returns undefined for a value that is no file and no folder
 * @throws FlowError FLOW_ARTIFACT_BAD_FILE, and those of a store that the file was read from
 */
export async function keepFile(
  artifacts: ArtifactStore,
  value: unknown,
  { path, field }: { readonly path: string; readonly field: string },
): Promise<KeptFile | undefined> {
  const kept = keptContent(value);
  if (kept === undefined) return undefined;
  const { content } = kept;
  if (content.stored?.store === artifacts) return { ref: content.stored.ref, store: async () => undefined };
  const codec = `${kept.kind}:${kept.ending === undefined ? kept.name : `${field}.${kept.ending}`}`;
  const ref = { codec, ...(await identityOf(content)) };
  return {
    ref,
    async store() {
      const parts = new Parts(content);
      try {
        return await artifacts.storeFrom(ref, (start, end) => parts.read(start, end), { subject: path });
      } catch (error) {
        // With other bytes than a moment ago, the file on the disk is to blame, not the store.
        if (content.stored === undefined && isFlowError(error, "FLOW_ARTIFACT_DAMAGED"))
          throw badFile(`${path} (${kept.name})`, "it changed while it was being stored", error);
        throw error;
      } finally {
        await parts.close();
      }
    },
  };
}

async function identityOf(content: FileContent): Promise<Omit<ArtifactRef, "codec">> {
  const sum = createHash("sha256");
  let sizeBytes = 0;
  for await (const piece of content.pieces()) {
    sum.update(piece);
    sizeBytes += piece.byteLength;
  }
  return { digest: sum.digest("hex") as Digest, sizeBytes };
}

/** Parts of a content that are asked for in order, from the beginning again when an earlier one is asked for. */
class Parts {
  readonly #content: FileContent;
  #pieces: AsyncIterator<Uint8Array> | undefined;
  #rest: Uint8Array = new Uint8Array();
  #at = 0;

  constructor(content: FileContent) {
    this.#content = content;
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    if (start !== this.#at) await this.close();
    this.#pieces ??= this.#content.pieces()[Symbol.asyncIterator]();
    const parts: Uint8Array[] = [];
    while (this.#at < end) {
      if (this.#rest.byteLength === 0) {
        const next = await this.#pieces.next();
        if (next.done === true) break;
        this.#rest = next.value;
      }
      const part = this.#rest.subarray(0, end - this.#at);
      this.#rest = this.#rest.subarray(part.byteLength);
      this.#at += part.byteLength;
      parts.push(part);
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** Back to the beginning. */
  async close(): Promise<void> {
    await this.#pieces?.return?.();
    this.#pieces = undefined;
    this.#rest = new Uint8Array();
    this.#at = 0;
  }
}
