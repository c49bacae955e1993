/**
 * Loads stored values inside a worker, without an event loop, since fields are read by plain getters. Every payload is
 * checked against its digest when it is read from a store. Small payloads are kept, as bytes, and large arrays in memory that
 * all workers share: each task still gets its own private copy, so no task can change what another one sees.
 */
import { type ArtifactRef, type BlobRow, type Digest, INLINE_LIMIT_BYTES } from "../../artifact/artifact.ts";
import type { ArtifactStore } from "../../artifact/artifact-store.ts";
import { fileCodec } from "../../artifact/codec-id.ts";
import { decodeValue, isMemoryCodec } from "../../artifact/value-codec.ts";
import { FlowError, isFlowError } from "../../errors/flow-error.ts";
import type { ArtifactRow } from "../../metadata/metadata-store.ts";
import { type ArrayClient, SMALLEST_BYTES } from "./array-client.ts";
import { PayloadCache } from "./payload-cache.ts";

/** The part of the artifact store that a loader needs. */
export type PayloadSource = Pick<ArtifactStore, "payloadSync" | "payloadIntoSync" | "payloadInto" | "file" | "nearby">;

/** A value and the stored bytes that it was made from, where they are kept in memory that nobody writes to. */
export interface LoadedValue {
  readonly value: unknown;
  readonly stored?: Uint8Array;
}

/** An array whose memory other tasks may have too. */
export interface LentArray {
  readonly value: object;
  /** Its memory, to be looked at when the task ends. */
  readonly memory: Uint8Array;
  /** Says whether the array is known to be as it was; absent where the memory is the task's own. */
  readonly giveBack?: (isUnchanged: boolean) => void;
}

export class ValueLoader {
  readonly #source: PayloadSource;
  readonly #blob: (digest: Digest) => BlobRow | undefined;
  readonly #arrays: ArrayClient | undefined;
  readonly #cache = new PayloadCache();
  /** Whether a large value was loaded since somebody asked. */
  hasLoadedLarge = false;

  /** @param arrays memory that workers share; without it, large arrays are read again by each task */
  constructor(source: PayloadSource, blob: (digest: Digest) => BlobRow | undefined, arrays?: ArrayClient) {
    this.#source = source;
    this.#blob = blob;
    this.#arrays = arrays;
  }

  /**
   * A private copy of a stored value.
   *
   * @param owner whose artifact it is, for messages: `Train/17`
   */
  load(row: ArtifactRow, owner: string): unknown {
    return this.loadCompared(row, owner).value;
  }

  /** As `load`, with what the value can be compared with afterwards. */
  loadCompared(row: ArtifactRow, owner: string): LoadedValue {
    const subject = subjectOf(row, owner);
    if (fileCodec(row.codec) !== undefined)
      return { value: this.#source.file(row, this.#blob(row.digest), { subject }) };
    if (row.sizeBytes > SMALLEST_BYTES) this.hasLoadedLarge = true;
    const stored = isLarge(row)
      ? this.#arrays?.filled(row, false, (memory) =>
          this.#source.payloadIntoSync(row, this.#blob(row.digest), memory, { subject }),
        )
      : undefined;
    if (stored !== undefined) return { value: decodeValue(row.codec, stored), stored };
    const { payload, isKept } = this.#read(row, subject);
    try {
      return { value: decodeValue(row.codec, payload, { unknownClasses: "refuse", isGiven: !isKept }) };
    } catch (error) {
      throw isFlowError(error, "FLOW_ARTIFACT_CORRUPT") ? named(error, subject, row) : error;
    }
  }

  /** An array (`isMemoryCodec`) in memory that other tasks have too; small ones are private copies all the same. */
  lend(row: ArtifactRow, owner: string): LentArray {
    const memory = isLarge(row)
      ? this.#arrays?.filled(row, true, (target) =>
          this.#source.payloadIntoSync(row, this.#blob(row.digest), target, { subject: subjectOf(row, owner) }),
        )
      : undefined;
    if (memory !== undefined) return this.#lent(row, memory);
    const value = this.load(row, owner) as Uint8Array;
    return { value, memory: new Uint8Array(value.buffer, value.byteOffset, value.byteLength) };
  }

  /**
   * As `lend`, before the step asks: while the thread can wait, reading and hashing go on at the same time. Undefined where there is
   * nothing to gain, also when the array cannot be read: whoever asks for it is told.
   */
  async lendAhead(row: ArtifactRow): Promise<LentArray | undefined> {
    const place = isLarge(row) ? this.#arrays?.take(row, true) : undefined;
    if (place === undefined) return undefined;
    if (place.settle !== undefined) {
      try {
        await this.#source.payloadInto(row, this.#blob(row.digest), place.memory);
      } catch {
        place.settle(false);
        return undefined;
      }
      place.settle(true);
    }
    return this.#lent(row, place.memory);
  }

  /** Whether values come over a network, so that it is worth while to ask for several at once, and before they are read. */
  get isFar(): boolean {
    return this.#source.nearby !== undefined;
  }

  /** Has stored values brought nearby: one wait for all of them. */
  fetchSync(rows: readonly (ArtifactRow | undefined)[]): void {
    if (this.#source.nearby !== undefined) this.#source.nearby.fetchSync(this.#far(rows));
  }

  /** As `fetchSync`, without a wait. */
  readAhead(rows: readonly (ArtifactRow | undefined)[]): void {
    if (this.#source.nearby !== undefined) this.#source.nearby.readAhead(this.#far(rows));
  }

  /** Blobs that may have to come over the network: not the small ones, which stand in the records. */
  #far(rows: readonly (ArtifactRow | undefined)[]): readonly BlobRow[] {
    return rows.flatMap((row) => {
      if (row === undefined || row.gone !== undefined || row.sizeBytes <= INLINE_LIMIT_BYTES) return [];
      if (fileCodec(row.codec) !== undefined || this.#cache.get(row.digest) !== undefined) return [];
      return this.#blob(row.digest) ?? [];
    });
  }

  /** Keeps an array that was stored just now for those who read it next. Its bytes must be those that were hashed. */
  keep(ref: ArtifactRef, payload: Uint8Array): void {
    this.#arrays?.filled(ref, false, (memory) => memory.set(payload));
  }

  /** The verified payload; the caller must not change it. */
  payload(ref: ArtifactRef, subject: string): Uint8Array {
    return this.#read(ref, subject).payload;
  }

  #lent(row: ArtifactRow, memory: Uint8Array): LentArray {
    this.hasLoadedLarge = true;
    const value = decodeValue(row.codec, memory, { isLent: true }) as object;
    return { value, memory, giveBack: (isUnchanged) => this.#arrays!.giveBack(row, isUnchanged) };
  }

  #read(ref: ArtifactRef, subject: string): { readonly payload: Uint8Array; readonly isKept: boolean } {
    const kept = this.#cache.get(ref.digest);
    if (kept !== undefined) return { payload: kept, isKept: true };
    const payload = this.#source.payloadSync(ref, this.#blob(ref.digest), { subject });
    return { payload, isKept: this.#cache.set(ref.digest, payload) };
  }
}

/** Whether a value is an array that is worth keeping in memory that workers share. */
export function isLarge({ codec, sizeBytes }: ArtifactRef): boolean {
  return sizeBytes > SMALLEST_BYTES && isMemoryCodec(codec);
}

function subjectOf({ name }: ArtifactRow, owner: string): string {
  return `artifact "${name}" of ${owner}`;
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
