/**
 * Records in a SQLite file: the metadata store of the embedded default.
 *
 * Invariants: WAL with `synchronous=FULL`, so a write that returned survives a power cut; one transaction for each
 * writing method, begun as a writer, so that it never fails half-way for a lock; the file is private and never reached
 * through a link. Statements run synchronously (they take microseconds) behind a contract that is asynchronous because
 * locks of other processes are waited for by timers. Not here: the statements themselves (sql/) and the bytes of large
 * values (storage/).
 */

import type { Statement } from "better-sqlite3";
import type { Digest } from "../../artifact/artifact.ts";
import { FlowError } from "../../errors/flow-error.ts";
import type { BucketRecords } from "../bucket-records.ts";
import { checkWords } from "../check-words.ts";
import type { BeginExecution } from "../execution.ts";
import type { ImportRuns } from "../imported-run.ts";
import type { Liveness } from "../liveness.ts";
import type {
  BlobRow,
  FinishRun,
  MetadataStore,
  NewRun,
  RunRow,
  RunSequence,
  RunSignature,
  TagActor,
  TagEvent,
  TagMove,
  TaskSequence,
  Tick,
} from "../metadata-store.ts";
import { insertPackage, insertPackageBlob } from "../sql/packages.ts";
import { bytesOfDigest } from "../sql/rows.ts";
import { reserveTasks } from "../sql/tasks.ts";
import type { TagPolicyChange } from "../tag-event.ts";
import type { WebhookStore } from "../webhook-store.ts";
import { beat, beginExecution } from "./begin-execution.ts";
import { bucketRecords } from "./bucket-records.ts";
import { type Connection, openReader, openWriter } from "./connection.ts";
import { createRun } from "./create-run.ts";
import { finishRun } from "./finish-run.ts";
import { importRuns } from "./import-runs.ts";
import { migrate, showAsNewest } from "./migrate.ts";
import { moveTags, taggedRun } from "./move-tags.ts";
import { readRun } from "./run-reads.ts";
import { addSignature } from "./signatures.ts";
import { metadataError } from "./sqlite-error.ts";
import { SqliteReader } from "./sqlite-reader.ts";
import type { Statements } from "./statements.ts";
import { removeTagPolicy, setTagPolicy } from "./tag-policies.ts";
import { TickWriter } from "./tick-writer.ts";
import { webhookRecords } from "./webhook-records.ts";
import { type BlobsAhead, type HoldsBlob, insertBlobs, namingABlob } from "./write-blobs.ts";
import { WriteTurns, type WriteTurnsOptions } from "./write-turns.ts";

export interface SqliteMetadataOptions extends WriteTurnsOptions {
  /** Open what is there, and change nothing: a file that is missing or empty is an error. */
  readonly readonly?: boolean;
  /** Milliseconds since 1970, for the creation time of a new store. Default Date.now. */
  readonly now?: () => number;
  /** Judges whether the runners of running runs live. Without it, runs are shown as they are stored. */
  readonly liveness?: Liveness;
  /** Whether the bytes of a blob are there that lies outside of the records: each commit that names a new one asks. */
  readonly holdsBlob?: HoldsBlob;
  /** Where `holdsBlob` may take long: it is asked before a transaction begins, and within one only when that did not help. */
  readonly blobsAhead?: BlobsAhead;
}

/** Between a look and its transaction a deletion may make all of it uncertain again; not for ever. */
const LOOKS = 3;

/**
 * Opens the records in a file; makes them when the file is not there (its folder must be), and brings an older schema
 * up to date.
 *
 * @throws FlowError FLOW_METADATA_NEWER_STORE, FLOW_METADATA_NOT_A_STORE, FLOW_METADATA_READ_ONLY,
 *   FLOW_METADATA_UNAVAILABLE, FLOW_METADATA_NETWORK_FOLDER, FLOW_METADATA_BUSY, FLOW_METADATA_CORRUPT, FLOW_METADATA_FULL
 * @example
 * const records = await openSqliteMetadata(".millrace/millrace.db");
 */
export async function openSqliteMetadata(file: string, options: SqliteMetadataOptions = {}): Promise<MetadataStore> {
  const turns = new WriteTurns(file, options);
  try {
    // All of it again while locked: another process that makes the store at this instant also holds up the first pragma.
    const db = await turns.retry(() => openChecked(file, options));
    return new SqliteMetadata(db, file, turns, options);
  } catch (error) {
    throw metadataError("Cannot open the records", file, error);
  }
}

function openChecked(file: string, options: SqliteMetadataOptions): Connection {
  const db = options.readonly === true ? openReader(file) : openWriter(file);
  try {
    if (options.readonly !== true) migrate(db, file, options.now ?? Date.now);
    else showAsNewest(db, file);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Made by `openSqliteMetadata` and `openMemoryMetadata`. */
export class SqliteMetadata extends SqliteReader implements MetadataStore {
  #tickWriter: TickWriter | undefined;
  readonly #transaction = this.db.transaction((work: (on: Statements) => unknown) => work(this.statements));
  #readVersion: Statement<unknown[], unknown> | undefined;
  #dataVersion: unknown;
  readonly #holds: HoldsBlob | undefined;
  readonly #ahead: BlobsAhead | undefined;
  readonly webhooks: WebhookStore = webhookRecords(
    (work) => this.read(work),
    (action, work) => this.#write(action, work),
  );
  readonly bucket: BucketRecords = bucketRecords(
    this.db,
    (work) => this.read(work),
    (action, work) => this.#write(action, work),
  );

  constructor(
    db: Connection,
    file: string,
    turns: WriteTurns,
    { liveness, holdsBlob, blobsAhead }: Pick<SqliteMetadataOptions, "liveness" | "holdsBlob" | "blobsAhead">,
  ) {
    super(db, file, turns, liveness);
    this.#holds = holdsBlob;
    this.#ahead = blobsAhead;
  }

  async createRun(run: NewRun): Promise<RunRow> {
    checkWords("create a run", { actor: run.actor, host: run.host, reason: run.tagReason });
    return this.#writeNaming("Cannot create a run", run.blobs, (statements) => {
      const { db, liveness: here } = this;
      const sequence = createRun({ db, statements, here, holds: this.#holds }, run);
      return readRun(statements, sequence, here)!;
    });
  }

  beginExecution(begin: BeginExecution): Promise<number> {
    return this.#write("Cannot continue the run", (on) => beginExecution(on, begin, this.liveness));
  }

  heartbeat(run: RunSequence, execution: number, at: Date): Promise<void> {
    return this.#write("Cannot record that the run goes on", (on) => beat(on, run, execution, at));
  }

  async reserveTasks(count: number): Promise<TaskSequence> {
    if (!Number.isSafeInteger(count) || count < 1) {
      throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", {
        message: `Cannot reserve ${count} task numbers: at least one is needed`,
      });
    }
    return this.#write(
      "Cannot reserve task numbers",
      (on) => (on.get(reserveTasks, { count })!.next_task - count) as TaskSequence,
    );
  }

  commitTick(tick: Tick): Promise<readonly TaskSequence[]> {
    return this.#writeNaming("Cannot record what tasks did", tick.blobs, (on) => {
      this.#tickWriter ??= new TickWriter(this.db, on, this.#holds);
      return this.#tickWriter.write(tick);
    });
  }

  async finishRun(finish: FinishRun): Promise<RunRow> {
    await this.#write("Cannot finish the run", (on) => finishRun(this.db, on, finish));
    return (await this.run(finish.run))!;
  }

  putPackage(pack: {
    readonly digest: Digest;
    readonly manifest: string;
    readonly blobs: readonly BlobRow[];
  }): Promise<void> {
    return this.#writeNaming("Cannot store the code package", pack.blobs, (on) => {
      insertBlobs(on, pack.blobs, this.#holds);
      const digest = bytesOfDigest(pack.digest);
      if (on.run(insertPackage, { digest, manifest: pack.manifest }) === 0) return;
      for (const blob of new Set(pack.blobs.map((each) => each.digest))) {
        namingABlob("a file of the code package", blob, () =>
          on.run(insertPackageBlob, { package: digest, digest: bytesOfDigest(blob) }),
        );
      }
    });
  }

  importRuns(input: ImportRuns): Promise<readonly RunRow[]> {
    return this.#write("Cannot import runs", (on) =>
      importRuns(this.db, on, input, this.#holds).map((sequence) => readRun(on, sequence, this.liveness)!),
    );
  }

  async moveTags(move: TagMove): Promise<readonly TagEvent[]> {
    checkWords("move tags", move);
    return this.#write("Cannot move tags", (on) => moveTags(on, taggedRun(on, move.run), move));
  }

  addSignature(run: RunSequence, signature: RunSignature): Promise<void> {
    return this.#write("Cannot keep the signature", (on) => addSignature(on, run, signature));
  }

  async setTagPolicy(change: TagPolicyChange): Promise<readonly TagEvent[]> {
    checkWords("set the policy", change);
    return this.#write("Cannot set the policy", (on) => setTagPolicy(on, change));
  }

  async removeTagPolicy(pattern: string, by: TagActor): Promise<readonly TagEvent[]> {
    checkWords("remove the policy", by);
    return this.#write("Cannot remove the policy", (on) => removeTagPolicy(on, pattern, by));
  }

  /** As `#write`, of rows that name blobs: nobody waits for a network while all writers wait for him. */
  async #writeNaming<T>(action: string, blobs: readonly BlobRow[], work: (on: Statements) => T): Promise<T> {
    const ahead = this.#ahead;
    const outside = ahead === undefined ? [] : blobs.filter(({ stored }) => stored === undefined);
    for (let looks = 1; ahead !== undefined && outside.length > 0 && looks <= LOOKS; looks++) {
      const unknown = outside.filter((blob) => !ahead.knows(blob));
      if (unknown.length > 0) await ahead.look(unknown);
      // In here nothing is deleted: what is known now is there when the row is.
      const written = await this.#write(action, (on) =>
        outside.every((blob) => ahead.knows(blob)) ? { answer: work(on) } : undefined,
      );
      if (written !== undefined) return written.answer;
    }
    return await this.#write(action, work);
  }

  /** Runs statements in one write transaction, when its turn comes. */
  async #write<T>(action: string, work: (on: Statements) => T): Promise<T> {
    this.checkOpen();
    try {
      return await this.turns.take(() => {
        this.checkOpen();
        const answer = this.#transaction.immediate(work) as T;
        // Grows by commits of other connections alone: the cheapest way to see that the store is shared.
        this.#readVersion ??= this.db.prepare<unknown[], unknown>("PRAGMA data_version").pluck();
        const dataVersion = this.#readVersion.get();
        if (this.#dataVersion !== undefined && dataVersion !== this.#dataVersion) this.turns.othersWrote();
        this.#dataVersion = dataVersion;
        return answer;
      });
    } catch (error) {
      throw metadataError(action, this.file, error);
    }
  }
}
