import type { Digest } from "../../../artifact/artifact.ts";
import { checkWords } from "../../check-words.ts";
import type {
  Amount,
  DeletedBy,
  DeletedRuns,
  DeletionStore,
  DoomedBefore,
  RecordlessValues,
  RunChoice,
  RunSelection,
} from "../../deletion-store.ts";
import { type Liveness, livenessOf } from "../../liveness.ts";
import type { RunSequence } from "../../metadata-store.ts";
import { bytesOfDigest } from "../../sql/rows.ts";
import { type Connection, openExisting } from "../connection.ts";
import { giveUpArtifact, isAgreed } from "../give-up-artifacts.ts";
import { metadataError } from "../sqlite-error.ts";
import { Statements } from "../statements.ts";
import { WriteTurns } from "../write-turns.ts";
import { RunChooser, runnerOf } from "./choose-runs.ts";
import { RunDeleter } from "./delete-run.ts";
import { Garbage } from "./garbage.ts";
import { takeGcLock } from "./gc-lock.ts";

/** A transaction of deletions ends after so long, or with the one run that takes longer. */
const TRANSACTION_MS = 20;
const EXPIRE_BATCH = 500;

export interface DeletionOptions {
  /** A file beside the records that the lock is held on; it holds nothing. */
  readonly lockFile: string;
  readonly liveness: Liveness;
}

/** Opens records that a store of this program has open (so their schema is the newest) for deleting. */
export function openSqliteDeletion(file: string, options: DeletionOptions): DeletionStore {
  const db = openExisting(file, 5);
  try {
    db.pragma("synchronous = FULL");
    db.pragma("foreign_keys = OFF"); // see delete-run.ts
    db.pragma("temp_store = FILE"); // what a scan sorts may be larger than the memory
    db.pragma("cache_size = -32768"); // KiB
    return new SqliteDeletion(db, file, options);
  } catch (error) {
    db.close();
    throw metadataError("Cannot open the records", file, error);
  }
}

class SqliteDeletion implements DeletionStore {
  readonly #db: Connection;
  readonly #file: string;
  readonly #options: DeletionOptions;
  readonly #turns: WriteTurns;
  readonly #deleter: RunDeleter;
  #dataVersion: unknown;
  readonly #chooser: RunChooser;
  readonly #garbage: Garbage;

  constructor(db: Connection, file: string, options: DeletionOptions) {
    this.#db = db;
    this.#file = file;
    this.#options = options;
    this.#turns = new WriteTurns(file, {});
    this.#deleter = new RunDeleter(db, new Statements(db));
    this.#chooser = new RunChooser(db, options.liveness);
    this.#garbage = new Garbage(db, (transaction) => this.#write(transaction));
  }

  lock(): { release(): void } {
    return takeGcLock(this.#options.lockFile, "collect garbage");
  }

  choose(selection: RunSelection): Promise<RunChoice> {
    return this.#named("Cannot look for runs to delete", () => this.#chooser.choose(selection));
  }

  async deleteRuns(choice: RunChoice, by: DeletedBy, onProgress: (runs: number) => void): Promise<DeletedRuns> {
    checkWords("delete runs", by);
    const left = new Map(choice.going);
    const todo = [...choice.going.keys()];
    const total = { runs: 0, tasks: 0, left: 0 };
    while (todo.length > 0) {
      await this.#write(() => {
        const done = { ...total, at: 0 };
        const begin = performance.now();
        while (done.at < todo.length && (done.at === 0 || performance.now() - begin < TRANSACTION_MS))
          this.#deleteNext(todo[done.at++]!, left, choice, by, done);
        return done;
      }).then((done) => {
        todo.splice(0, done.at);
        Object.assign(total, { runs: done.runs, tasks: done.tasks, left: done.left });
      });
      onProgress(total.runs);
    }
    return total;
  }

  /** Looks at a run again, now that nobody else can write, and deletes it when nothing keeps it. */
  #deleteNext(
    sequence: RunSequence,
    left: Map<RunSequence, unknown>,
    choice: RunChoice,
    by: DeletedBy,
    done: { runs: number; tasks: number; left: number },
  ): void {
    const before = choice.going.get(sequence)!;
    const run = this.#chooser.facts(sequence);
    if (run === undefined || !left.has(sequence)) {
      if (run !== undefined) done.left++;
      return;
    }
    const isSame = run.status === before.status && run.execution === before.execution;
    if (isSame && this.#chooser.reasons(run, left as RunChoice["going"], choice.protects).length === 0) {
      done.tasks += this.#deleter.delete(run, by);
      done.runs++;
      return;
    }
    done.left++;
    const keep = [sequence];
    for (let next = keep.pop(); next !== undefined; next = keep.pop())
      if (left.delete(next)) keep.push(...this.#chooser.neighbours(next));
  }

  async running() {
    let since: number | undefined;
    let isOld = false;
    for (const row of this.#runningRows()) {
      since = Math.min(since ?? row.started_at, row.started_at);
      isOld ||= row.program_schema === null;
    }
    return { isOld, ...(since === undefined ? {} : { since }) };
  }

  async expired(at: number): Promise<Amount> {
    const amount = this.#db
      .prepare(
        `SELECT count(*) AS count, coalesce(sum(artifact.size_bytes), 0) AS bytes FROM artifact_term AS term
        JOIN artifact ON artifact.task = term.task AND artifact.name = term.name
        WHERE expires_at <= :at AND run NOT IN (SELECT value FROM json_each(:running))
          AND run NOT IN (SELECT run FROM temp.leaving) AND ${isAgreed("term", "ttl")}`,
      )
      .get({ at, running: this.#runningJson() }) as { readonly count: number; readonly bytes: number };
    return { count: amount.count, inlineBytes: amount.bytes, fileBytes: 0 };
  }

  async expire(at: number): Promise<Amount> {
    const amount = await this.expired(at);
    const due = this.#db.prepare(
      `SELECT run, task, name FROM artifact_term
      WHERE expires_at <= :at AND run NOT IN (SELECT value FROM json_each(:running)) AND ${isAgreed("artifact_term", "ttl")}
      LIMIT ${EXPIRE_BATCH}`,
    );
    for (let count = EXPIRE_BATCH; count === EXPIRE_BATCH; ) {
      count = await this.#write(() => {
        const rows = due.all({ at, running: this.#runningJson() }) as Parameters<typeof giveUpArtifact>[1][];
        for (const row of rows) giveUpArtifact(this.#db, row, at);
        return rows.length;
      });
    }
    return amount;
  }

  scan(without?: { readonly choice: RunChoice; readonly expiredAt: number }): Promise<void> {
    const running = this.#runningRows().map(({ run }) => run);
    return this.#named("Cannot look for what nothing names", async () =>
      this.#garbage.scan(without === undefined ? undefined : { ...without, running }),
    );
  }

  async unmarked(): Promise<Amount> {
    return this.#garbage.unmarked();
  }

  mark(at: number): Promise<Amount> {
    return this.#garbage.mark(at);
  }

  async doomed(before: DoomedBefore): Promise<Amount> {
    return this.#garbage.doomed(before);
  }

  deleteDoomed(before: DoomedBefore, onProgress: (values: number) => void): Promise<Amount> {
    return this.#garbage.deleteDoomed(before, onProgress);
  }

  async withoutRecord(digests: readonly Digest[], isDryRun: boolean): Promise<RecordlessValues> {
    return this.#withoutRecord(digests, isDryRun);
  }

  async whileWithoutRecord(digests: readonly Digest[], work: (digests: ReadonlySet<Digest>) => void): Promise<void> {
    await this.#write(() => work(this.#withoutRecord(digests, false).nameless));
  }

  async freeBytes(): Promise<number> {
    const [pages, size] = ["freelist_count", "page_size"].map((name) => this.#db.pragma(name, { simple: true }));
    return Number(pages) * Number(size);
  }

  async giveBack(): Promise<void> {
    await this.#named("Cannot write the database anew", () => this.#turns.take(() => void this.#db.exec("VACUUM")));
    this.#db.pragma("wal_checkpoint(TRUNCATE)");
  }

  async close(): Promise<void> {
    await this.#turns.settled();
    this.#db.close();
  }

  #withoutRecord(digests: readonly Digest[], isDryRun: boolean): RecordlessValues {
    const row = this.#db.prepare("SELECT 1 FROM blob WHERE digest = ?");
    const nameless = new Set<Digest>();
    const named = new Set<Digest>();
    for (const digest of digests) {
      const bytes = bytesOfDigest(digest);
      if (row.get(bytes) !== undefined) {
        if (isDryRun && this.#garbage.isDoomed(bytes)) nameless.add(digest);
      } else if (this.#garbage.isRowless(bytes)) named.add(digest);
      else nameless.add(digest);
    }
    return { nameless, named };
  }

  #runningJson(): string {
    return JSON.stringify(this.#runningRows().map(({ run }) => run));
  }

  #runningRows() {
    const rows = this.#db
      .prepare(
        `SELECT run.sequence AS run, execution.runner, execution.started_at, execution.heartbeat_at,
          execution.program_schema
        FROM run JOIN execution ON execution.run = run.sequence AND execution.number = run.execution
        WHERE run.status = 'running'`,
      )
      .all() as {
      readonly run: number;
      readonly runner: string;
      readonly started_at: number;
      readonly heartbeat_at: number;
      readonly program_schema: number | null;
    }[];
    return rows.filter(
      ({ runner, heartbeat_at }) =>
        livenessOf({ runner: runnerOf(runner), heartbeatAt: new Date(heartbeat_at) }, this.#options.liveness) !==
        "lost",
    );
  }

  #write<T>(work: () => T): Promise<T> {
    return this.#named("Cannot delete", () =>
      this.#turns.take(() => {
        const answer = this.#db.transaction(work).immediate();
        // Grows by commits of others alone: beside them, gaps are left for their transactions.
        const dataVersion = this.#db.pragma("data_version", { simple: true });
        if (this.#dataVersion !== undefined && this.#dataVersion !== dataVersion) this.#turns.othersWrote();
        this.#dataVersion = dataVersion;
        return answer;
      }),
    );
  }

  async #named<T>(action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw metadataError(action, this.#file, error);
    }
  }
}
