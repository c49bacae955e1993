/** The records of a store copied as a whole, as SQLite copies a database: page by page, while others write. */
import fs from "node:fs";
import path from "node:path";
import Database from "better-sqlite3";
import type { BlobRow } from "../../artifact/artifact.ts";
import { FlowError } from "../../errors/flow-error.ts";
import type { RecordSnapshot } from "../record-copy.ts";
import { toBlobRow } from "../sql/rows.ts";
import type { BlobTable } from "../sql/schema.ts";
import { readPlace } from "../stored-json.ts";
import { openSqliteAudit } from "./audit/sqlite-audit.ts";
import { type Connection, createPrivateFile, openReader } from "./connection.ts";
import { migrate } from "./migrate.ts";
import { metadataError } from "./sqlite-error.ts";

/** Values of a page of `outside`. */
const PAGE_VALUES = 1_000;
/** What is spelt out of what a target has and the source has not. */
const MAX_MISSING = 20;
/** How long a program that writes to the target is waited for. */
const BUSY_MS = 10_000;

/** What belongs to a place: a webhook that came along would be told of every move by both stores. */
const OF_THE_PLACE = ["webhook_delivery", "webhook", "webhook_number"];
/** How far a bucket was told is known of that bucket alone: it is found out anew. */
const OF_NO_COPY = ["bucket_news", "bucket"];

/**
 * Copies the records of a database, as they are committed now.
 *
 * @param file  the database; runs may write to it meanwhile
 * @param part  a new file that is made, on the file system of the target
 * @throws FlowError of the metadata room for records that cannot be read
 */
export async function snapshotRecords(file: string, part: string): Promise<RecordSnapshot> {
  try {
    const source = openReader(file);
    try {
      createPrivateFile(part);
      await source.backup(part);
    } finally {
      source.close();
    }
    const db = new Database(part, { fileMustExist: true });
    try {
      db.pragma("synchronous = FULL");
      migrate(db, part, Date.now); // Of an older store: what is compared has one form.
    } catch (error) {
      db.close();
      throw error;
    }
    return new SqliteSnapshot(db, part);
  } catch (error) {
    removeDatabase(part);
    throw metadataError("Cannot copy the records", file, error);
  }
}

class SqliteSnapshot implements RecordSnapshot {
  readonly storeId: string;
  readonly totals: RecordSnapshot["totals"];
  readonly underWay: number;
  readonly isEmpty: boolean;
  readonly file: string;
  readonly #db: Connection;

  constructor(db: Connection, file: string) {
    this.#db = db;
    this.file = file;
    this.storeId = storeIdOf(db);
    const count = (sql: string): number => db.prepare(`SELECT count(*) FROM ${sql}`).pluck().get() as number;
    this.totals = { runs: count("run"), values: count("blob") };
    this.underWay = count("run WHERE status IN ('queued', 'running')");
    this.isEmpty = this.totals.runs + count("tag_event") + count("deleted_run") === 0;
  }

  async *outside(): AsyncGenerator<readonly Omit<BlobRow, "stored">[]> {
    const page = this.#db.prepare(
      `SELECT rowid AS place, digest, size_bytes, stored_bytes, compression, NULL AS stored FROM blob
       WHERE rowid > ? AND stored IS NULL ORDER BY rowid LIMIT ${PAGE_VALUES}`,
    );
    for (let after = Number.MIN_SAFE_INTEGER; ; ) {
      const rows = page.all(after) as (BlobTable & { readonly place: number })[];
      if (rows.length > 0) yield rows.map(toBlobRow);
      if (rows.length < PAGE_VALUES) return;
      after = readPlace(rows.at(-1)!.place, "blob.rowid");
    }
  }

  missingFrom(databaseFile: string): readonly string[] {
    return this.#beside(databaseFile, () => {
      const other = this.#db.prepare("SELECT store_id FROM there.store WHERE id = 1").pluck().get();
      if (other !== this.storeId) throw otherStore(path.dirname(databaseFile), String(other), this.storeId);
      return MISSING.flatMap(([sql, words]) =>
        (this.#db.prepare(`${sql} LIMIT ${MAX_MISSING}`).all() as Record<string, unknown>[]).map(words),
      );
    });
  }

  async usesOf(digest: BlobRow["digest"]): Promise<readonly string[]> {
    const audit = openSqliteAudit(this.file);
    try {
      return ((await audit.uses([digest])).get(digest)?.first ?? []).map(({ what }) => what);
    } finally {
      await audit.close();
    }
  }

  async place(databaseFile: string): Promise<void> {
    const isThere = fs.existsSync(databaseFile) && fs.statSync(databaseFile).size > 0;
    try {
      this.#keepWhatIsOfThePlace(isThere ? databaseFile : undefined);
      if (isThere) await this.#overwrite(databaseFile);
      else this.#give(databaseFile);
    } catch (error) {
      throw metadataError("Cannot put the records", databaseFile, error);
    }
  }

  async close(): Promise<void> {
    this.#db.close();
    removeDatabase(this.file);
  }

  #keepWhatIsOfThePlace(databaseFile: string | undefined): void {
    const tables = OF_THE_PLACE;
    const change = () =>
      this.#db.transaction(() => {
        for (const table of OF_NO_COPY)
          if (hasTable(this.#db, table)) this.#db.prepare(`DELETE FROM main.${table}`).run();
        for (const table of tables) {
          if (table === "webhook_number" && databaseFile === undefined) continue; // Its one row is always there.
          this.#db.prepare(`DELETE FROM main.${table}`).run();
        }
        if (databaseFile === undefined) return;
        for (const table of tables.toReversed())
          this.#db.prepare(`INSERT OR REPLACE INTO main.${table} SELECT * FROM there.${table}`).run();
      })();
    if (databaseFile === undefined) change();
    else this.#beside(databaseFile, change);
  }

  /** SQLite copies into a database that others may have open: they see it as one commit. */
  async #overwrite(databaseFile: string): Promise<void> {
    const until = Date.now() + BUSY_MS;
    for (;;) {
      try {
        await this.#db.backup(databaseFile);
        return;
      } catch (error) {
        if (!/busy|locked/i.test(String(error)) || Date.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  #give(databaseFile: string): void {
    this.#db.pragma("wal_checkpoint(TRUNCATE)");
    this.#db.close(); // The log goes into the file with it.
    fs.rmSync(databaseFile, { force: true }); // An empty one.
    fs.renameSync(this.file, databaseFile);
    if (process.platform === "win32") return;
    const folder = fs.openSync(path.dirname(databaseFile), fs.constants.O_RDONLY);
    try {
      fs.fsyncSync(folder);
    } finally {
      fs.closeSync(folder);
    }
  }

  #beside<T>(databaseFile: string, work: () => T): T {
    this.#db.prepare("ATTACH ? AS there").run(databaseFile);
    try {
      return work();
    } finally {
      this.#db.exec("DETACH there");
    }
  }
}

type Missing = readonly [sql: string, words: (row: Record<string, unknown>) => string];

/** What the records there have, and these have not. */
const MISSING: readonly Missing[] = [
  [
    `SELECT project, flow_name, number FROM there.run AS t
     WHERE id NOT IN (SELECT id FROM main.run) AND id NOT IN (SELECT id FROM main.deleted_run) ORDER BY sequence`,
    (row) => `the run ${row.flow_name}/${row.number}`,
  ],
  [
    `SELECT t.flow_name, t.number, e.number AS execution FROM there.execution AS e
     JOIN there.run AS t ON t.sequence = e.run JOIN main.run AS m ON m.id = t.id
     WHERE NOT EXISTS (SELECT 1 FROM main.execution AS x WHERE x.run = m.sequence AND x.number = e.number)
        OR (e.ended_at IS NOT NULL AND
            NOT EXISTS (SELECT 1 FROM main.execution AS x WHERE x.run = m.sequence AND x.number = e.number AND x.ended_at = e.ended_at))`,
    (row) => `what execution ${row.execution} of the run ${row.flow_name}/${row.number} did`,
  ],
  [
    `SELECT sequence, tag FROM there.tag_event AS t
     WHERE NOT EXISTS (SELECT 1 FROM main.tag_event AS m WHERE m.sequence = t.sequence AND m.digest = t.digest) ORDER BY sequence`,
    (row) => `the move of the tag ${row.tag} with number ${row.sequence}`,
  ],
  [
    `SELECT m.flow_name, m.number FROM there.deleted_run AS t JOIN main.run AS m ON m.id = t.id
     WHERE NOT EXISTS (SELECT 1 FROM main.deleted_run AS x WHERE x.id = t.id AND x.number = t.number)`,
    (row) => `that the run ${row.flow_name}/${row.number} was deleted`,
  ],
  [
    `SELECT t.flow_name, t.number FROM there.run_signature AS s JOIN there.run AS t ON t.sequence = s.run
     JOIN main.run AS m ON m.id = t.id
     WHERE NOT EXISTS (SELECT 1 FROM main.run_signature AS x WHERE x.run = m.sequence AND x.signature = s.signature)`,
    (row) => `a signature of the run ${row.flow_name}/${row.number}`,
  ],
];

function storeIdOf(db: Connection): string {
  return db.prepare("SELECT store_id FROM store WHERE id = 1").pluck().get() as string;
}

function hasTable(db: Connection, name: string): boolean {
  return db.prepare(`SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?`).get(name) !== undefined;
}

function removeDatabase(file: string): void {
  for (const ending of ["", "-wal", "-shm", "-journal"]) fs.rmSync(`${file}${ending}`, { force: true });
}

export function otherStore(place: string, there: string, here: string): FlowError {
  return new FlowError("FLOW_COPY_OTHER_STORE", {
    message: `Cannot copy the store to "${place}": another store is there, with the id ${there}`,
    hint: "Name an empty place; or take runs along with flow export and flow import",
    context: { path: place, there, here },
  });
}
