/**
 * Gathers the small values of a run while it goes on, and writes them as packs: at most one a second, so that a run of a thousand commits is not
 * a thousand objects. What could not be written stays in hand, and is written when the run ends or that fails too.
 */
import type { Digest, NewBlob } from "../artifact/artifact.ts";
import type { RunId } from "../ids/run-id.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { PACKS_PREFIX, packKey } from "./layout.ts";
import { MAX_PACK_BYTES, makePack, readPackIndex, type SmallBlob } from "./pack.ts";

/** Between the ends of two packs, but for one that is full. */
const PACK_EVERY_MS = 1_000;
/** Room for values that wait for a slow bucket. What comes then is read from the records when the run ends. */
const MAX_WAITING_BYTES = 4 * MAX_PACK_BYTES;
/** A value costs its bytes and a line of the index. */
const LINE_BYTES = 180;

export interface PackFacts {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly values: number;
}

export interface PackerOptions {
  readonly bucket: BlobStore;
  readonly run: RunId;
  /** Whether an earlier execution may have written packs. */
  readonly isContinued: boolean;
  /** Calls back later, as setTimeout; answers how to give it up. */
  readonly later?: (work: () => void, ms: number) => () => void;
}

export class Packer {
  readonly #options: PackerOptions;
  readonly #later: NonNullable<PackerOptions["later"]>;
  /** Values that are in a pack, or wait to be. */
  readonly #known = new Set<Digest>();
  readonly #packs: PackFacts[] = [];
  #waiting: SmallBlob[] = [];
  #waitingBytes = 0;
  #cancel: (() => void) | undefined;
  /** All that was begun; it never fails: what could not be written waits again. */
  #writing: Promise<void> = Promise.resolve();
  #found: Promise<void> | undefined;

  constructor(options: PackerOptions) {
    this.#options = options;
    this.#later = options.later ?? timer;
  }

  /** Takes values along. Those that are not small are passed over. */
  add(blobs: readonly NewBlob[]): void {
    for (const blob of blobs) {
      if (!isSmall(blob) || this.#known.has(blob.digest) || this.#waitingBytes > MAX_WAITING_BYTES) continue;
      this.#known.add(blob.digest);
      this.#waiting.push(blob);
      this.#waitingBytes += blob.stored.length + LINE_BYTES;
    }
    if (this.#waitingBytes >= MAX_PACK_BYTES) this.#writeSoon();
    else if (this.#waiting.length > 0) this.#cancel ??= this.#later(() => this.#writeSoon(), PACK_EVERY_MS);
  }

  has(digest: Digest): boolean {
    return this.#known.has(digest);
  }

  /** As `add`, for values that are read anew: waits while there is more in hand than a pack holds. */
  async addWaiting(blob: SmallBlob): Promise<void> {
    if (this.#known.has(blob.digest)) return;
    if (this.#waitingBytes + blob.stored.length + LINE_BYTES > MAX_PACK_BYTES) await this.#writeNow();
    this.#known.add(blob.digest);
    this.#waiting.push(blob);
    this.#waitingBytes += blob.stored.length + LINE_BYTES;
  }

  /** Finds the packs of earlier executions: what is in them is not written again. */
  async find(): Promise<void> {
    if (!this.#options.isContinued) return;
    this.#found ??= this.#findPacks();
    await this.#found.catch((error: unknown) => {
      this.#found = undefined;
      throw error;
    });
  }

  /**
   * Writes all that is in hand.
   *
   * @returns all packs of the run, in the order in which they were written
   * @throws those of the bucket; it may be called again
   */
  async seal(): Promise<readonly PackFacts[]> {
    await this.#writeNow();
    return this.#packs;
  }

  /** Gives up what was not written. */
  async stop(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    await this.#writing;
  }

  async #findPacks(): Promise<void> {
    const { bucket, run } = this.#options;
    const prefix = `${PACKS_PREFIX}${run}/`;
    for (let after: string | undefined; ; ) {
      const page = await bucket.list({ prefix, withFacts: true, ...(after === undefined ? {} : { after }) });
      for (const [index, key] of page.keys.entries()) {
        const entries = await readPackIndex(bucket, key);
        for (const { digest } of entries) this.#known.add(digest);
        const digest = key.slice(prefix.length) as Digest;
        this.#packs.push({ digest, sizeBytes: page.facts![index]!.sizeBytes, values: entries.length });
      }
      if (page.next === undefined) return;
      after = page.next;
    }
  }

  #writeSoon(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#writing = this.#writing.then(() => this.#write()).catch(() => {});
  }

  async #writeNow(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    await this.#writing;
    await this.#write();
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const { bucket, run } = this.#options;
      let bytes = 0;
      let count = 0;
      for (const { stored } of this.#waiting) {
        bytes += stored.length + LINE_BYTES;
        if (count > 0 && bytes > MAX_PACK_BYTES - 1024) break;
        count++;
      }
      const pack = makePack(this.#waiting.slice(0, count));
      // Its name has its digest: one that is there holds the same.
      await bucket.put(packKey(run, pack.digest), pack.chunks);
      if (!this.#packs.some(({ digest }) => digest === pack.digest))
        this.#packs.push({ digest: pack.digest, sizeBytes: pack.sizeBytes, values: count });
      for (const { stored } of this.#waiting.slice(0, count)) this.#waitingBytes -= stored.length + LINE_BYTES;
      this.#waiting = this.#waiting.slice(count);
    }
  }
}

export function isSmall(blob: NewBlob): blob is SmallBlob {
  return blob.stored !== undefined;
}

function timer(work: () => void, ms: number): () => void {
  const handle = setTimeout(work, ms);
  handle.unref(); // What waits is written when the run ends.
  return () => clearTimeout(handle);
}
