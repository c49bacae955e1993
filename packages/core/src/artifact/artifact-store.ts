import { FlowError } from "../errors/flow-error.ts";
import type { SyncBlobStore } from "../storage/blob-store.ts";
import { type ArtifactRef, type BlobRow, type EncodedArtifact, INLINE_LIMIT_BYTES, type NewBlob } from "./artifact.ts";
import { blobKey } from "./blob-layout.ts";
import { compress, decompress } from "./compression.ts";
import { digestOf } from "./digest.ts";
import { type DecodeOptions, decodeValue } from "./value-codec.ts";

export interface PayloadOptions {
  /** What messages call the artifact, such as `artifact "modeler" of Train/17`; default: its digest. */
  readonly subject?: string;
}

/**
 * Payloads in and out of a store: small ones ride in the row that names them, large ones are durable in the blob store
 * before their row exists. Whatever is read is hashed again, so that a wrong byte is an error and never a value.
 */
export class ArtifactStore {
  private readonly blobs: SyncBlobStore;

  constructor(blobs: SyncBlobStore) {
    this.blobs = blobs;
  }

  /**
   * Stores a payload and gives the row to commit.
   *
   * When it returns, a payload of more than INLINE_LIMIT_BYTES is durable in the blob store, and the row has no
   * `stored`; a smaller one is in `stored` and becomes durable with the row. The same payload may be stored often.
   *
   * @throws FlowError of the blob store
   */
  storeSync(encoded: EncodedArtifact): NewBlob {
    const { digest, sizeBytes, chunks } = encoded;
    const frames = compress(chunks, sizeBytes);
    const compression = frames === undefined ? "none" : "zstd";
    const stored = frames ?? chunks;
    const storedBytes = frames === undefined ? sizeBytes : frames.reduce((sum, frame) => sum + frame.byteLength, 0);
    if (sizeBytes <= INLINE_LIMIT_BYTES) {
      // Always a copy: the row waits for its transaction while the step may change the memory that the chunks show.
      return { digest, sizeBytes, storedBytes, compression, stored: Buffer.concat(stored) };
    }
    this.blobs.putSync(blobKey(digest, compression), stored);
    return { digest, sizeBytes, storedBytes, compression };
  }

  /**
   * The payload of an artifact, checked against its digest. The memory is the caller's own.
   *
   * @param row the row of the artifact's blob, undefined when there is none
   * @throws FlowError FLOW_ARTIFACT_MISSING, FLOW_ARTIFACT_DAMAGED, or of the blob store
   */
  payloadSync(ref: ArtifactRef, row: BlobRow | undefined, options: PayloadOptions = {}): Uint8Array {
    const known = existingRow(ref, row, options);
    return verified(ref, known, known.stored ?? this.blobs.getSync(blobKey(ref.digest, known.compression)), options);
  }

  /** As `payloadSync`, for callers that can wait. */
  async payload(ref: ArtifactRef, row: BlobRow | undefined, options: PayloadOptions = {}): Promise<Uint8Array> {
    const known = existingRow(ref, row, options);
    return verified(
      ref,
      known,
      known.stored ?? (await this.blobs.get(blobKey(ref.digest, known.compression))),
      options,
    );
  }

  /**
   * The value of an artifact, in memory of its own.
   *
   * @throws what `payloadSync` and `decodeValue` throw
   */
  loadSync(ref: ArtifactRef, row: BlobRow | undefined, options: PayloadOptions & DecodeOptions = {}): unknown {
    return decodeValue(ref.codec, this.payloadSync(ref, row, options), options);
  }

  /** As `loadSync`, for callers that can wait. */
  async load(
    ref: ArtifactRef,
    row: BlobRow | undefined,
    options: PayloadOptions & DecodeOptions = {},
  ): Promise<unknown> {
    return decodeValue(ref.codec, await this.payload(ref, row, options), options);
  }
}

function existingRow(ref: ArtifactRef, row: BlobRow | undefined, options: PayloadOptions): BlobRow {
  if (row === undefined) throw missing(ref, options, "the store has no record of its blob");
  if (row.digest !== ref.digest) {
    throw new FlowError("FLOW_INTERNAL", {
      message: `The blob ${ref.digest} was looked up and ${row.digest} was found`,
    });
  }
  return row;
}

function verified(ref: ArtifactRef, row: BlobRow, stored: Uint8Array | undefined, options: PayloadOptions): Uint8Array {
  if (stored === undefined)
    throw missing(ref, options, `the blob "${blobKey(ref.digest, row.compression)}" is not there`);
  const payload = row.compression === "zstd" ? decompress(stored, row.sizeBytes) : stored;
  if (payload === undefined) throw damaged(ref, options, "they cannot be decompressed");
  const actual = digestOf([payload]);
  if (actual !== ref.digest) throw damaged(ref, options, `their digest is ${actual}`);
  return payload;
}

function missing(ref: ArtifactRef, options: PayloadOptions, reason: string): FlowError {
  return new FlowError("FLOW_ARTIFACT_MISSING", {
    message: `Cannot read ${subjectOf(ref, options)}: ${reason}`,
    hint: "Restore the blob from a copy of the store, or run the step that wrote it again",
    context: { digest: ref.digest, codec: ref.codec },
  });
}

function damaged(ref: ArtifactRef, options: PayloadOptions, reason: string): FlowError {
  return new FlowError("FLOW_ARTIFACT_DAMAGED", {
    message: `Cannot read ${subjectOf(ref, options)}: the stored bytes are not those that were written, ${reason}`,
    hint: "Restore the blob from a copy of the store, or run the step that wrote it again",
    context: { digest: ref.digest, codec: ref.codec },
  });
}

function subjectOf(ref: ArtifactRef, options: PayloadOptions): string {
  return options.subject === undefined ? `the artifact ${ref.digest}` : `${options.subject} (${ref.digest})`;
}
