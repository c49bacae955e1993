/**
 * What of a store goes into its bucket while commands run: runs before they are recorded as succeeded, and what happens besides. The records stay what
 * counts: what they say and the bucket does not know is noted in them, and is told by whoever comes next.
 */
import type { NewBlob } from "../artifact/artifact.ts";
import type { FlowError } from "../errors/flow-error.ts";
import type { RunId } from "../ids/run-id.ts";
import type { FinishRun, MetadataStore, RunRow } from "../metadata/metadata-store.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { attachRecords, type PayDebts, tellNews } from "./bucket-log.ts";
import { debtsOf } from "./debts.ts";
import { Packer, type PackerOptions } from "./packer.ts";
import { plannedRecords, plannedRun } from "./planned-records.ts";
import { attachStore } from "./publish-store.ts";
import { writeRun } from "./write-run.ts";

export interface PublisherOptions {
  readonly metadata: MetadataStore;
  /** Below the prefix of the store. It is asked for when it is first needed. */
  readonly bucket: BlobStore;
  /** Makes sure that the bucket has a value with a key of its own; where values are in the bucket before their rows, leave it out. */
  readonly large?: (blob: NewBlob) => Promise<void>;
  /** Told of a run that cannot be written, whoever tries it. */
  readonly onUnwritten?: (error: FlowError) => void;
  readonly later?: PackerOptions["later"];
  /** Keeps other processes with the same records from telling the bucket; asked where the service does not decide who was first. */
  readonly lock?: (() => Promise<{ release(): void }>) | undefined;
  /** Milliseconds of a clock that only goes forward. Default `performance.now`. */
  readonly now?: () => number;
}

/** A run that goes on. */
export interface RunPublisher {
  /** Takes along what a commit has brought. */
  committed(blobs: readonly NewBlob[]): void;
  /**
   * Writes packs and manifest of a run that is about to succeed.
   *
   * @throws FlowError of the bucket; the run is not to succeed then
   */
  beforeSuccess(finish: FinishRun): Promise<void>;
  /** Gives up what was not written; call it when the run is over. */
  stop(): Promise<void>;
}

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #pay: PayDebts;
  /** Of runs that go on here. */
  readonly #packers = new Map<RunId, Packer>();
  /** Executions whose success was written. */
  readonly #written = new Map<RunId, number>();
  #attached: Promise<void> | undefined;
  /** When it was last seen that no other copy of the store has gone on. */
  #lookedAt = 0;
  #telling: Promise<void> = Promise.resolve();

  constructor(options: PublisherOptions) {
    this.#options = options;
    const { metadata, bucket, large, onUnwritten } = options;
    this.#pay = debtsOf({
      metadata,
      bucket,
      large,
      isWritten: ({ run, execution, status }) => status === "succeeded" && this.#written.get(run) === execution,
      packerOf: (run) => this.#packers.get(run),
      ...(onUnwritten === undefined ? {} : { onUnwritten }),
    });
  }

  /**
   * Makes sure that the bucket is that of the store.
   *
   * @throws FlowError FLOW_PUBLISH_OTHER_STORE, FLOW_PUBLISH_FORKED, FLOW_PUBLISH_NEWER_FORMAT, and those of the bucket
   */
  attach(): Promise<void> {
    const { metadata, bucket } = this.#options;
    this.#attached ??= this.#looking(() => attachStore(metadata, bucket, this.#pay)).catch((error: unknown) => {
      this.#attached = undefined; // The next one tries again.
      throw error;
    });
    return this.#attached;
  }

  /**
   * As `attach`, and looks whether another copy of the store has gone on since: who lives for days would learn it too late.
   *
   * @param maxAgeMs how old the last look may be; milliseconds
   */
  async look(maxAgeMs: number): Promise<void> {
    if (this.#attached === undefined) return await this.attach();
    await this.#attached;
    const { now = () => performance.now() } = this.#options;
    if (now() - this.#lookedAt > maxAgeMs) await this.#lookAgain();
  }

  run(row: RunRow): RunPublisher {
    const { bucket, later } = this.#options;
    const isContinued = row.execution.number > 1;
    const packer = new Packer({ bucket, run: row.id, isContinued, ...(later === undefined ? {} : { later }) });
    this.#packers.set(row.id, packer);
    return {
      committed: (blobs) => packer.add(blobs),
      beforeSuccess: async (finish) => {
        const first = this.#tellFirst();
        first.catch(() => {}); // Awaited before the manifest is written.
        const { metadata } = this.#options;
        const planned = await metadata.bucket.plannedEnd(finish);
        const shown = plannedRecords(metadata, finish, planned);
        await this.#write({ metadata: shown, run: plannedRun(row, finish), packer, planned, first });
        this.#written.set(row.id, row.execution.number);
      },
      stop: () => {
        if (this.#packers.get(row.id) === packer) this.#packers.delete(row.id);
        this.#written.delete(row.id);
        return packer.stop();
      },
    };
  }

  /**
   * Tells the bucket what it does not know yet, writes what runs left that ended, and deletes what lies there of runs that were deleted.
   *
   * @throws FlowError FLOW_PUBLISH_FORKED, and those of the bucket
   */
  async tell(): Promise<void> {
    await this.attach();
    const { metadata, bucket } = this.#options;
    const { storeId } = await metadata.info();
    await this.#inTurn(() => tellNews(bucket, metadata.bucket, { store: storeId, pay: this.#pay }));
  }

  /** Before a success: whoever went on with another copy of the store has taken the next number, and may have deleted what this run has written. */
  async #tellFirst(): Promise<void> {
    await this.tell();
    await this.#lookAgain();
  }

  async #lookAgain(): Promise<void> {
    const { metadata, bucket } = this.#options;
    const { storeId } = await metadata.info();
    await this.#looking(() => attachRecords(bucket, metadata.bucket, { store: storeId, pay: this.#pay }));
  }

  async #looking(look: () => Promise<void>): Promise<void> {
    const { now = () => performance.now() } = this.#options;
    await this.#inTurn(look);
    this.#lookedAt = now();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const next = this.#telling.catch(() => {}).then(() => this.#alone(work));
    this.#telling = next;
    return next;
  }

  /** Between the look and the write of one process nobody else of this machine writes; where the service looks itself, nobody waits. */
  async #alone(work: () => Promise<void>): Promise<void> {
    const { bucket, lock } = this.#options;
    const held = bucket.capabilities.createOnce === "checked" ? await lock?.() : undefined;
    try {
      await work();
    } finally {
      held?.release();
    }
  }

  #write(
    what: Pick<Parameters<typeof writeRun>[0], "metadata" | "run" | "packer" | "planned" | "first">,
  ): Promise<string> {
    const { bucket, metadata, large } = this.#options;
    return writeRun({ bucket, records: metadata.bucket, ...(large === undefined ? {} : { large }), ...what });
  }
}
