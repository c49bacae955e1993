import { FlowError } from "../errors/flow-error.ts";
import type { SyncBlobStore } from "../storage/blob-store.ts";
import {
  type ArtifactRef,
  type BlobRow,
  type Digest,
  type EncodedArtifact,
  type Gone,
  INLINE_LIMIT_BYTES,
  type NewBlob,
} from "./artifact.ts";
import { blobKey } from "./blob-layout.ts";
import { compress, decompress } from "./compression.ts";
import { digestOf } from "./digest.ts";
import { repairBlob } from "./repair-blob.ts";
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
  /** Digests whose stored bytes this process wrote or looked at: each is looked at once. */
  private readonly sound = new Set<Digest>();

  constructor(blobs: SyncBlobStore) {
    this.blobs = blobs;
  }

  /**
   * Stores a payload and gives the row to commit.
   *
   * When it returns, a payload of more than INLINE_LIMIT_BYTES is durable in the blob store, and the row has no
   * `stored`; a smaller one is in `stored` and becomes durable with the row. The same payload may be stored often; when
   * the blob store has it already, its bytes are checked, and replaced if they were damaged.
   *
   * @throws FlowError of the blob store
   */
  storeSync(encoded: EncodedArtifact): NewBlob {
    const { digest, sizeBytes, chunks } = encoded;
    const compressed = compress(chunks, sizeBytes);
    const compression = compressed === undefined ? "none" : "zstd";
    const stored = compressed ?? chunks;
    const storedBytes = stored.reduce((sum, chunk) => sum + chunk.byteLength, 0);
    if (sizeBytes <= INLINE_LIMIT_BYTES) {
      // Always a copy: the row waits for its transaction while the step may change the memory that the chunks show.
      return { digest, sizeBytes, storedBytes, compression, stored: Buffer.concat(stored) };
    }
    const answer = this.blobs.putSync(blobKey(digest, compression), stored);
    if (!this.sound.has(digest)) {
      repairBlob(this.blobs, encoded, { compression, stored, isNew: answer === "created" });
      this.sound.add(digest);
    }
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

  /** Whether the blob store holds the bytes of a payload, as many as were stored; what they are is seen when they are read. */
  holdsSync({ digest, compression, storedBytes }: Omit<BlobRow, "sizeBytes" | "stored">): boolean {
    return this.blobs.statSync(blobKey(digest, compression))?.sizeBytes === storedBytes;
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
  if (ref.gone !== undefined) throw goneError(ref, ref.gone, subjectOf(ref, options));
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
  if (payload === undefined) throw damaged(ref, row, options, "they cannot be decompressed");
  const actual = digestOf([payload]);
  if (actual !== ref.digest) throw damaged(ref, row, options, `their digest is ${actual}`);
  return payload;
}

/** What is said to whoever asks for a value that was given up on purpose. */
export function goneError(ref: ArtifactRef, { reason, at }: Gone, subject: string): FlowError {
  const since = `gone since ${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return new FlowError("FLOW_ARTIFACT_GONE", {
    message:
      reason === "transient"
        ? `Cannot read ${subject}: it is transient, ${since}, when its run succeeded`
        : `Cannot read ${subject}: its time to live is over, ${since}`,
    hint: "Run the flow again for a new value, or declare the artifact without transient and ttl to keep it",
    context: { digest: ref.digest, codec: ref.codec, reason, goneAt: at.toISOString() },
  });
}

function missing(ref: ArtifactRef, options: PayloadOptions, reason: string): FlowError {
  return new FlowError("FLOW_ARTIFACT_MISSING", {
    message: `Cannot read ${subjectOf(ref, options)}: ${reason}`,
    hint: "Restore the blob from a copy of the store, or run the step that wrote it again",
    context: { digest: ref.digest, codec: ref.codec },
  });
}

function damaged(ref: ArtifactRef, row: BlobRow, options: PayloadOptions, reason: string): FlowError {
  return new FlowError("FLOW_ARTIFACT_DAMAGED", {
    message: `Cannot read ${subjectOf(ref, options)}: the stored bytes are not those that were written, ${reason}`,
    // A row is never written twice, so that the same value stored again does not mend what lies in the database.
    hint:
      row.stored === undefined
        ? "Restore the blob from a copy of the store, or start a new run of the flow that wrote it: the same value mends it"
        : "Restore the store's database from a copy: a value this small lies in it, and a new run does not mend it",
    context: { digest: ref.digest, codec: ref.codec },
  });
}

function subjectOf(ref: ArtifactRef, options: PayloadOptions): string {
  return options.subject === undefined ? `the artifact ${ref.digest}` : `${options.subject} (${ref.digest})`;
}
