/**
 * Loads stored values inside a worker, without an event loop, since fields are read by plain getters. Every payload is
 * checked against its digest when it is read from a store. Small payloads are kept, as bytes: each task still decodes its
 * own private copy, so no task can change what another one sees.
 */
import type { ArtifactRef, BlobRow, Digest } from "../../artifact/artifact.ts";
import type { ArtifactStore } from "../../artifact/artifact-store.ts";
import { fileCodec } from "../../artifact/codec-id.ts";
import { decodeValue } from "../../artifact/value-codec.ts";
import { FlowError, isFlowError } from "../../errors/flow-error.ts";
import type { ArtifactRow } from "../../metadata/metadata-store.ts";
import { PayloadCache } from "./payload-cache.ts";

/** The part of the artifact store that a loader needs. */
export type PayloadSource = Pick<ArtifactStore, "payloadSync" | "file">;

export class ValueLoader {
  readonly #source: PayloadSource;
  readonly #blob: (digest: Digest) => BlobRow | undefined;
  readonly #cache = new PayloadCache();

  constructor(source: PayloadSource, blob: (digest: Digest) => BlobRow | undefined) {
    this.#source = source;
    this.#blob = blob;
  }

  /**
   * A private copy of a stored value.
   *
   * @param owner whose artifact it is, for messages: `Train/17`
   */
  load(row: ArtifactRow, owner: string): unknown {
    const subject = `artifact "${row.name}" of ${owner}`;
    if (fileCodec(row.codec) !== undefined) return this.#source.file(row, this.#blob(row.digest), { subject });
    const { payload, isKept } = this.#read(row, subject);
    try {
      return decodeValue(row.codec, payload, { unknownClasses: "refuse", isGiven: !isKept });
    } catch (error) {
      throw isFlowError(error, "FLOW_ARTIFACT_CORRUPT") ? named(error, subject, row) : error;
    }
  }

  /** The verified payload; the caller must not change it. */
  payload(ref: ArtifactRef, subject: string): Uint8Array {
    return this.#read(ref, subject).payload;
  }

  #read(ref: ArtifactRef, subject: string): { readonly payload: Uint8Array; readonly isKept: boolean } {
    const kept = this.#cache.get(ref.digest);
    if (kept !== undefined) return { payload: kept, isKept: true };
    const payload = this.#source.payloadSync(ref, this.#blob(ref.digest), { subject });
    return { payload, isKept: this.#cache.set(ref.digest, payload) };
  }
}

/** What decoding says names a byte, not whose value it is. */
function named(error: FlowError, subject: string, { digest, codec }: ArtifactRow): FlowError {
  return new FlowError(error.code, {
    message: `Cannot read ${subject} (${digest}): ${error.message}`,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    context: { ...error.context, digest, codec },
    cause: error,
  });
}
