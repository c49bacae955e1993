/**
 * What identifies a stored value. Identity is (codec, digest); the digest is sha-256 over the encoded payload before
 * compression, so that it is the same on every machine and in every store. See docs/formats/identity.md.
 */

/** Lower-case hex sha-256, 64 characters. */
export type Digest = string & { readonly __brand: "Digest" };

/** How a payload is encoded: a name of `docs/formats/identity.md` (`cbor`, `bytes`, `text`, `float64`, …) or of a plug-in. */
export type CodecId = string;

export interface ArtifactRef {
  readonly codec: CodecId;
  readonly digest: Digest;
  /** Size of the payload before compression. */
  readonly sizeBytes: number;
  /** Of a value that was given up on purpose: its bytes are not to be had, though they may still lie in the store. */
  readonly gone?: Gone;
}

/** Why a value was given up: its run succeeded (transient), or its time was over. */
export type GoneReason = "transient" | "ttl";
export interface Gone {
  readonly reason: GoneReason;
  readonly at: Date;
}

/** An encoded value that is not stored yet. The chunks may alias the caller's memory: hash or write them first. */
export interface EncodedArtifact extends ArtifactRef {
  readonly chunks: readonly Uint8Array[];
}

/** Blobs of at most this many payload bytes live inside the metadata database and commit with their rows. */
export const INLINE_LIMIT_BYTES = 16 * 1024;

/**
 * A blob named by rows of the same transaction. `stored` is what is kept inside the database (plain or zstd, as
 * `compression` says); absent when the blob store holds the bytes, which must be durable before this row is written.
 */
export interface NewBlob {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly compression: "none" | "zstd";
  readonly stored?: Uint8Array;
}
export type BlobRow = NewBlob;
