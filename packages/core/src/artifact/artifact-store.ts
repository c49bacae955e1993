import { FlowError, isFlowError } from "../errors/flow-error.ts";
import type { NamedValue, SyncBlobStore } from "../storage/blob-store.ts";
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
import { fileCodec } from "./codec-id.ts";
import { compress, decompress, FRAME_BYTES } from "./compression.ts";
import { digestOf } from "./digest.ts";
import { storedFile } from "./files/open-file.ts";
import type { StoredFile, StoredFolder } from "./files/stored-file.ts";
import { hashStored, type ReadPart } from "./hash-stored.ts";
import { checkedPieces, storeLarge } from "./large-payload.ts";
import { readInto, readIntoSync } from "./payload-into.ts";
import { repairBlob } from "./repair-blob.ts";
import { type DecodeOptions, decodeValue } from "./value-codec.ts";

export interface PayloadOptions {
  /** What messages call the artifact, such as `artifact "modeler" of Train/17`; default: its digest. */
  readonly subject?: string;
}

/** What became of stored bytes since they were written. */
export type BlobVerdict =
  | { readonly kind: "whole"; readonly payloadBytes: number; readonly storedBytes: number; readonly form: Form }
  | { readonly kind: "missing"; readonly why: string }
  | { readonly kind: "damaged"; readonly why: string };

type Form = BlobRow["compression"];
/** Payloads up to this size are stored in one piece, larger ones as they are read: a choice between memory and calls. */
const WHOLE_LIMIT_BYTES = 32 * 1024 * 1024;

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
   * the blob store has it already, its bytes are checked, and replaced if they were damaged. Behind a network such a look would
   * be a trip for each value: there the bytes are hashed once more when they are uploaded, before the row is committed, and what is
   * there already is replaced when its size is another.
   *
   * @param meanwhile may be called, once, while the disk writes a large payload
   * @throws FlowError of the blob store
   */
  storeSync(encoded: EncodedArtifact, meanwhile?: () => void): NewBlob {
    const { digest, sizeBytes, chunks } = encoded;
    const compressed = compress(chunks, sizeBytes);
    const compression = compressed === undefined ? "none" : "zstd";
    const stored = compressed ?? chunks;
    const storedBytes = stored.reduce((sum, chunk) => sum + chunk.byteLength, 0);
    if (sizeBytes <= INLINE_LIMIT_BYTES) {
      // Always a copy: the row waits for its transaction while the step may change the memory that the chunks show.
      return { digest, sizeBytes, storedBytes, compression, stored: Buffer.concat(stored) };
    }
    const answer = this.blobs.putSync(blobKey(digest, compression), stored, meanwhile);
    if (!this.blobs.capabilities.remote && !this.sound.has(digest)) {
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
    try {
      return this.readSync(ref, known, options);
    } catch (error) {
      if (!this.dropCopies(known, error)) throw error;
      return this.readSync(ref, known, options);
    }
  }

  private readSync(ref: ArtifactRef, known: BlobRow, options: PayloadOptions): Uint8Array {
    const stored = known.stored ?? this.blobs.getSync(blobKey(ref.digest, known.compression));
    if (stored !== undefined) return verified(ref, known, stored, options);
    const compression = otherForm(known.compression);
    const other = this.blobs.getSync(blobKey(ref.digest, compression));
    if (other === undefined) throw missing(ref, options, notThere(known));
    return verified(ref, { ...known, compression }, other, options);
  }

  /**
   * As `payloadSync`, into memory of the caller's: as many bytes as the artifact has, also shared ones. Where it throws, the
   * memory holds nothing that may be used.
   */
  payloadIntoSync(ref: ArtifactRef, row: BlobRow | undefined, target: Uint8Array, options: PayloadOptions = {}): void {
    // What went wrong is found out by reading it again, as a whole.
    if (!readIntoSync(this.blobs, existingRow(ref, row, options), target))
      target.set(this.payloadSync(ref, row, options));
  }

  /** As `payloadIntoSync`, for callers that can wait: bytes are hashed while the next ones are read. */
  async payloadInto(
    ref: ArtifactRef,
    row: BlobRow | undefined,
    target: Uint8Array,
    options: PayloadOptions = {},
  ): Promise<void> {
    if (!(await readInto(this.blobs, existingRow(ref, row, options), target)))
      target.set(await this.payload(ref, row, options));
  }

  /**
   * The payload of an artifact piece by piece, at most FRAME_BYTES of it in memory: for what may be larger than that. Only who
   * came to the end without an error has read the payload: its digest is known then.
   *
   * @throws as `payload`
   */
  async *pieces(
    ref: ArtifactRef,
    row: BlobRow | undefined,
    options: PayloadOptions = {},
  ): AsyncGenerator<Uint8Array, void> {
    const known = existingRow(ref, row, options);
    if (known.stored !== undefined || known.sizeBytes <= FRAME_BYTES) {
      yield await this.payload(ref, known, options);
      return;
    }
    await this.checkCopy(known);
    const fault = yield* checkedPieces(this.blobs, known);
    if (fault === "missing")
      throw missing(ref, options, `the blob "${blobKey(ref.digest, known.compression)}" is not there`);
    if (fault !== undefined) throw damaged(ref, known, options, fault);
  }

  /** What was given piece by piece cannot be taken back: a copy nearby is read once before, and dropped if it is damaged. */
  private async checkCopy(row: BlobRow): Promise<void> {
    if (this.blobs.dropCopy === undefined) return;
    const pieces = checkedPieces(this.blobs, row);
    let step = await pieces.next();
    while (step.done !== true) step = await pieces.next();
    if (step.value !== undefined && step.value !== "missing") this.blobs.dropCopy(blobKey(row.digest, row.compression));
  }

  /**
   * Stores a payload that can be read again and again in parts, and gives the row to commit: as `storeSync`, with little of
   * it in memory.
   *
   * @param read the bytes from `start` to `end`
   * @throws FlowError FLOW_ARTIFACT_DAMAGED when what is read has another digest, and those of the blob store
   */
  async storeFrom(
    ref: ArtifactRef,
    read: (start: number, end: number) => Promise<Uint8Array>,
    options: PayloadOptions = {},
  ): Promise<NewBlob> {
    if (ref.sizeBytes <= WHOLE_LIMIT_BYTES) {
      const chunks = [await read(0, ref.sizeBytes)];
      const actual = digestOf(chunks);
      if (actual !== ref.digest) throw otherDigest(ref, options, actual);
      return this.storeSync({ ...ref, chunks });
    }
    const { row, isNew } = await storeLarge(this.blobs, ref, read, (actual) => otherDigest(ref, options, actual));
    // What was there already is looked at, as storeSync does: it may be damaged, and only a smaller value is mended on the way.
    if (!isNew && !this.blobs.capabilities.remote) for await (const _ of this.pieces(ref, row, options));
    return row;
  }

  /**
   * Whether the blob store holds the bytes of a payload, as many as were stored; what they are is seen when they are read. What
   * waits to be uploaded is uploaded first.
   */
  holdsSync({ digest, compression, storedBytes }: Omit<BlobRow, "sizeBytes" | "stored">): boolean {
    const key = blobKey(digest, compression);
    return this.blobs.settleSync?.(key, storedBytes) ?? this.blobs.statSync(key)?.sizeBytes === storedBytes;
  }

  /** Whether `holdsSync` answers true at once, without a wait for a network. */
  knowsSync({ digest, compression, storedBytes }: Omit<BlobRow, "sizeBytes" | "stored">): boolean {
    return this.blobs.knowsSync?.(blobKey(digest, compression), storedBytes) ?? true;
  }

  /**
   * Uploads what waits for that of the values of rows that are about to be committed; undefined where `storeSync` answers when a
   * value is durable. What is nowhere is left for the commit to find.
   *
   * @throws FlowError of the blob store
   */
  get settle(): ((blobs: readonly NewBlob[]) => Promise<void>) | undefined {
    if (this.blobs.settle === undefined) return undefined;
    return async (blobs) => {
      const values = outside(blobs).map(named);
      if (values.length > 0) await this.blobs.settle!(values);
    };
  }

  /** Brings values nearby before they are read: with one wait for all of them, or with none. Undefined where they are near. */
  get nearby(): Record<"fetchSync" | "readAhead", (rows: readonly BlobRow[]) => void> | undefined {
    const { fetchSync, readAhead } = this.blobs;
    if (fetchSync === undefined || readAhead === undefined) return undefined;
    return {
      fetchSync: (rows) => fetchSync.call(this.blobs, outside(rows).map(named)),
      readAhead: (rows) => readAhead.call(this.blobs, outside(rows).map(named)),
    };
  }

  /**
   * Reads and hashes what is stored of a value, in pieces: nothing of it is kept. Gives the number of bytes after each piece.
   *
   * @throws FlowError of the blob store
   */
  *examine(row: BlobRow): Generator<number, BlobVerdict, undefined> {
    const verdict = yield* this.look(row);
    if (verdict.kind !== "damaged" || this.blobs.dropCopy === undefined) return verdict;
    for (const form of ["none", "zstd"] as const) this.blobs.dropCopy(blobKey(row.digest, form));
    return yield* this.look(row);
  }

  private *look(row: BlobRow): Generator<number, BlobVerdict, undefined> {
    const { digest, compression, sizeBytes, stored } = row;
    const forms: readonly Form[] = stored === undefined ? [compression, otherForm(compression)] : [compression];
    for (const form of forms) {
      const read: ReadPart =
        stored === undefined
          ? (start, end) => this.blobs.getSync(blobKey(digest, form), { start, end })
          : (start, end) => stored.subarray(start, end);
      const hashed = yield* hashStored(read, form, sizeBytes);
      if (hashed.kind === "missing") continue;
      if (hashed.kind === "broken") return { kind: "damaged", why: notWritten(hashed.why) };
      if (hashed.digest !== digest) return { kind: "damaged", why: notWritten(`their digest is ${hashed.digest}`) };
      return { kind: "whole", payloadBytes: hashed.sizeBytes, storedBytes: hashed.storedBytes, form };
    }
    return { kind: "missing", why: notThere(row) };
  }

  /** As `payloadSync`, for callers that can wait. */
  async payload(ref: ArtifactRef, row: BlobRow | undefined, options: PayloadOptions = {}): Promise<Uint8Array> {
    const known = existingRow(ref, row, options);
    try {
      return await this.read(ref, known, options);
    } catch (error) {
      if (!this.dropCopies(known, error)) throw error;
      return await this.read(ref, known, options);
    }
  }

  /** A copy nearby may be what is damaged, and not the value: it is dropped, and the value is worth another look. */
  private dropCopies({ digest, stored }: BlobRow, error: unknown): boolean {
    if (this.blobs.dropCopy === undefined || stored !== undefined || !isFlowError(error, "FLOW_ARTIFACT_DAMAGED"))
      return false;
    for (const form of ["none", "zstd"] as const) this.blobs.dropCopy(blobKey(digest, form));
    return true;
  }

  private async read(ref: ArtifactRef, known: BlobRow, options: PayloadOptions): Promise<Uint8Array> {
    const stored = known.stored ?? (await this.blobs.get(blobKey(ref.digest, known.compression)));
    if (stored !== undefined) return verified(ref, known, stored, options);
    const compression = otherForm(known.compression);
    const other = await this.blobs.get(blobKey(ref.digest, compression));
    if (other === undefined) throw missing(ref, options, notThere(known));
    return verified(ref, { ...known, compression }, other, options);
  }

  /**
   * A file or folder artifact, whose bytes are read and checked when somebody asks for them; undefined for what is decoded.
   *
   * @throws FlowError FLOW_ARTIFACT_MISSING, FLOW_ARTIFACT_GONE
   */
  file(
    ref: ArtifactRef,
    row: BlobRow | undefined,
    options: PayloadOptions = {},
  ): StoredFile | StoredFolder | undefined {
    const named = fileCodec(ref.codec);
    if (named === undefined) return undefined;
    return storedFile(named, this, ref, existingRow(ref, row, options), options);
  }

  /**
   * The value of an artifact, in memory of its own.
   *
   * @throws what `payloadSync` and `decodeValue` throw
   */
  loadSync(ref: ArtifactRef, row: BlobRow | undefined, options: PayloadOptions & DecodeOptions = {}): unknown {
    return this.file(ref, row, options) ?? decodeValue(ref.codec, this.payloadSync(ref, row, options), options);
  }

  /** As `loadSync`, for callers that can wait. */
  async load(
    ref: ArtifactRef,
    row: BlobRow | undefined,
    options: PayloadOptions & DecodeOptions = {},
  ): Promise<unknown> {
    return this.file(ref, row, options) ?? decodeValue(ref.codec, await this.payload(ref, row, options), options);
  }
}

/** Those that do not stand in their rows. */
const outside = (rows: readonly NewBlob[]) => rows.filter(({ stored }) => stored === undefined);

function named({ digest, compression, storedBytes }: Omit<BlobRow, "sizeBytes" | "stored">): NamedValue {
  return { key: blobKey(digest, compression), sizeBytes: storedBytes };
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

/**
 * A row keeps the form of its first writer. When the file was lost and the value was stored again by a program whose zstd
 * decides otherwise, it lies there in the other one.
 */
function otherForm(form: Form): Form {
  return form === "zstd" ? "none" : "zstd";
}

function verified(ref: ArtifactRef, row: BlobRow, stored: Uint8Array, options: PayloadOptions): Uint8Array {
  const payload = row.compression === "zstd" ? decompress(stored, row.sizeBytes) : stored;
  if (payload === undefined) throw damaged(ref, row, options, "they cannot be decompressed");
  const actual = digestOf([payload]);
  if (actual !== ref.digest) throw damaged(ref, row, options, `their digest is ${actual}`);
  return payload;
}

function notThere({ digest, compression }: BlobRow): string {
  return `the blob "${blobKey(digest, compression)}" is not there`;
}

function notWritten(reason: string): string {
  return `the stored bytes are not those that were written, ${reason}`;
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

function otherDigest(ref: ArtifactRef, options: PayloadOptions, actual: string): FlowError {
  return new FlowError("FLOW_ARTIFACT_DAMAGED", {
    message: `Cannot store ${subjectOf(ref, options)}: the bytes that came have the digest ${actual}`,
    hint: "Get the bytes again from where they come from",
    context: { digest: ref.digest, codec: ref.codec },
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
    message: `Cannot read ${subjectOf(ref, options)}: ${notWritten(reason)}`,
    // A row is never written twice, so that the same value stored again does not mend what lies in the database.
    hint:
      row.stored === undefined
        ? "Restore the blob from a copy of the store; or type flow store repair, which puts it aside, and start a new run of the flow that wrote it, with --no-cache"
        : "Restore the store's database from a copy, or type flow store repair and start a new run of the flow that wrote it",
    context: { digest: ref.digest, codec: ref.codec },
  });
}

function subjectOf(ref: ArtifactRef, options: PayloadOptions): string {
  return options.subject === undefined ? `the artifact ${ref.digest}` : `${options.subject} (${ref.digest})`;
}
