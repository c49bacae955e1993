/**
 * All of a store into a bucket: its large values, packs, manifests and log, each where it is not there yet. What was broken off goes on where it
 * stood; a store that went on since adds what is new.
 */
import type { NewBlob } from "../artifact/artifact.ts";
import { blobKey } from "../artifact/blob-layout.ts";
import type { MetadataStore, RunRow, RunSequence } from "../metadata/metadata-store.ts";
import { isOver } from "../metadata/run-state.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { attachRecords, type PayDebts, tellNews, tellStory } from "./bucket-log.ts";
import { debtsOf } from "./debts.ts";
import { claimBucket } from "./identity.ts";
import { parseRunKey, RUNS_PREFIX } from "./layout.ts";
import { Packer } from "./packer.ts";
import { damaged } from "./publish-error.ts";
import { writeRun } from "./write-run.ts";

/** Values that are carried over at once. */
const TRANSFERS = 8;
/** Read at once of a large value. */
const PIECE_BYTES = 4 * 1024 * 1024;

export interface StoreToPublish {
  readonly metadata: MetadataStore;
  /** Where its large values lie. Leave it out when they are in the bucket already. */
  readonly blobs?: BlobStore;
}

export interface PublishProgress {
  readonly runs: number;
  readonly totalRuns: number;
  /** Of large values, in the form in which they are stored. */
  readonly bytes: number;
}

export interface PublishOptions {
  readonly onProgress?: (progress: PublishProgress) => void;
  readonly signal?: AbortSignal;
}

export interface PublishReport {
  /** Runs that were written, and those that were there. Runs that are not over are left out. */
  readonly written: number;
  readonly present: number;
  /** Large values that were carried over. */
  readonly blobs: number;
  readonly bytes: number;
  /** Runs that are not over. */
  readonly running: number;
}

/**
 * Brings a store into a bucket that has nothing of it, or a part.
 *
 * @param bucket below the store's prefix
 * @throws FlowError FLOW_PUBLISH_OTHER_STORE, FLOW_PUBLISH_FORKED, FLOW_PUBLISH_DAMAGED, FLOW_METADATA_MISSING_BLOB, and those of the stores
 */
export async function publishStore(
  store: StoreToPublish,
  bucket: BlobStore,
  options: PublishOptions = {},
): Promise<PublishReport> {
  const { metadata } = store;
  const { storeId, createdAt } = await metadata.info();
  await claimBucket(bucket, { store: storeId, createdAt });
  const carrier = new Carrier(store, bucket, options);
  // The log comes first: whoever has another copy of the store stops there, and writes no run whose number is taken.
  if ((await metadata.bucket.told()) === undefined) await tellStory(bucket, metadata.bucket, storeId);
  else {
    const pay = debtsOf({ metadata, bucket, large: (blob) => carrier.carry(blob) });
    await tellNews(bucket, metadata.bucket, { store: storeId, pay });
  }
  const present = await manifestsOf(bucket);
  const runs = await metadata.countRuns({});
  const done = { written: 0, present: 0, running: 0 };
  for await (const run of runsOf(metadata)) {
    options.signal?.throwIfAborted();
    if (!isOver(run.status)) done.running++;
    else if (present.has(`${run.id} ${run.execution.number}`)) done.present++;
    else {
      const packer = new Packer({ bucket, run: run.id, isContinued: true });
      const { signal } = options;
      const large = (blob: NewBlob): Promise<void> => carrier.carry(blob);
      await writeRun({ bucket, metadata, records: metadata.bucket, run, packer, large, signal });
      done.written++;
    }
    const { written, present: there, running } = done;
    options.onProgress?.({ runs: written + there + running, totalRuns: runs, bytes: carrier.bytes });
  }
  return { ...done, blobs: carrier.blobs, bytes: carrier.bytes };
}

/**
 * Makes records and bucket those of one store, from now on.
 *
 * @throws FlowError FLOW_PUBLISH_OTHER_STORE, FLOW_PUBLISH_FORKED, FLOW_PUBLISH_DAMAGED, and those of the stores
 */
export async function attachStore(
  metadata: MetadataStore,
  bucket: BlobStore,
  pay: PayDebts = debtsOf({ metadata, bucket }),
): Promise<void> {
  const { storeId, createdAt } = await metadata.info();
  const claimed = claimBucket(bucket, { store: storeId, createdAt });
  // Nothing is written before the bucket is known to be that of the store; of records that are tied to it that is no surprise.
  if ((await metadata.bucket.told()) === undefined) await claimed;
  await Promise.all([claimed, attachRecords(bucket, metadata.bucket, { store: storeId, pay })]);
}

/** Runs and executions that have a manifest. */
export async function manifestsOf(bucket: BlobStore): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (let after: string | undefined; ; ) {
    const page = await bucket.list({ prefix: RUNS_PREFIX, ...(after === undefined ? {} : { after }) });
    for (const key of page.keys) {
      const parsed = parseRunKey(key);
      if (parsed !== undefined) found.add(`${parsed.run} ${parsed.execution}`);
    }
    if (page.next === undefined) return found;
    after = page.next;
  }
}

/** Newest first, page by page. */
async function* runsOf(metadata: MetadataStore): AsyncGenerator<RunRow, void> {
  for (let before: RunSequence | undefined; ; ) {
    const page = await metadata.runs({ limit: 100, ...(before === undefined ? {} : { before }) });
    yield* page;
    if (page.length < 100) return;
    before = page.at(-1)!.sequence;
  }
}

/** Carries large values over, each once and a few at a time. */
class Carrier {
  readonly #from: BlobStore | undefined;
  readonly #bucket: BlobStore;
  readonly #signal: AbortSignal | undefined;
  readonly #begun = new Map<string, Promise<void>>();
  #free = TRANSFERS;
  readonly #waiting: (() => void)[] = [];
  blobs = 0;
  bytes = 0;

  constructor({ blobs }: StoreToPublish, bucket: BlobStore, { signal }: PublishOptions) {
    this.#from = blobs;
    this.#bucket = bucket;
    this.#signal = signal;
  }

  carry(blob: NewBlob): Promise<void> {
    const key = blobKey(blob.digest, blob.compression);
    const known = this.#begun.get(key);
    if (known !== undefined) return known;
    const begun = this.#inTurn(() => this.#carry(key, blob));
    this.#begun.set(key, begun);
    return begun;
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    try {
      await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  async #carry(key: string, { storedBytes }: NewBlob): Promise<void> {
    const from = this.#from;
    if ((await this.#bucket.stat(key))?.sizeBytes === storedBytes || from === undefined) return;
    const signal = this.#signal;
    async function* pieces(): AsyncGenerator<Uint8Array, void> {
      for (let start = 0; start < storedBytes; ) {
        signal?.throwIfAborted();
        const piece = await from!.get(key, { start, end: Math.min(start + PIECE_BYTES, storedBytes) });
        if (piece === undefined || piece.length === 0)
          throw damaged(key, "it is not in the folder it was to come from");
        yield piece;
        start += piece.length;
      }
    }
    if (storedBytes <= PIECE_BYTES) {
      const chunks: Uint8Array[] = [];
      for await (const piece of pieces()) chunks.push(piece);
      await this.#bucket.put(key, chunks);
    } else await this.#bucket.putStream(key, pieces());
    this.blobs++;
    this.bytes += storedBytes;
  }
}
