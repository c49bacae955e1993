/**
 * Marking and deleting what nothing names.
 *
 * There is no index over the digests that rows name: each artifact that is ever written would pay for it. Instead one
 * statement goes through all names once, sorted on disk (`temp_store = FILE`), so that a store of any size needs little
 * memory. What it finds may be named a moment later. That is settled by the marks: they are made after a scan, confirmed
 * by another, and a trigger takes away the mark of whatever is named in between. So a mark that was there before the last
 * scan, was confirmed by it and is there now belongs to something that nothing names, now.
 */

import type { Amount, DoomedBefore, RunChoice } from "../../deletion-store.ts";
import type { Connection } from "../connection.ts";
import { isAgreed } from "../give-up-artifacts.ts";

/** Values that are deleted in one transaction: some milliseconds. */
const BATCH = 500;

const tables = [
  "CREATE TEMP TABLE IF NOT EXISTS unused (digest BLOB NOT NULL PRIMARY KEY) WITHOUT ROWID",
  "CREATE TEMP TABLE IF NOT EXISTS unused_package (digest BLOB NOT NULL PRIMARY KEY) WITHOUT ROWID",
  "CREATE TEMP TABLE IF NOT EXISTS doomed (digest BLOB NOT NULL PRIMARY KEY) WITHOUT ROWID",
  "CREATE TEMP TABLE IF NOT EXISTS rowless (digest BLOB NOT NULL PRIMARY KEY) WITHOUT ROWID",
  "CREATE TEMP TABLE IF NOT EXISTS leaving (run INTEGER PRIMARY KEY)",
];

/** The files that a package's own manifest names: a repair ties them to it again when the rows that do are lost. */
const MANIFESTS = `SELECT unhex(json_extract(file.value, '$.digest')) AS digest FROM code_package
    CROSS JOIN json_each(CASE WHEN json_valid(manifest) THEN manifest END, '$.files') AS file WHERE file.type = 'object'`;
const names = `
    SELECT digest FROM artifact UNION ALL SELECT digest FROM item_page
    UNION ALL SELECT digest FROM run_value UNION ALL SELECT digest FROM code_package_blob
    UNION ALL ${MANIFESTS}`;
/** As if some runs were deleted and some artifacts given up. */
const namesWithout = `
    SELECT artifact.digest FROM artifact CROSS JOIN task ON task.sequence = artifact.task
      WHERE task.run NOT IN (SELECT run FROM temp.leaving) AND NOT EXISTS (
        SELECT 1 FROM artifact_term AS term WHERE term.run = task.run AND term.task = artifact.task
          AND term.name = artifact.name AND term.expires_at <= :expiredAt
          AND term.run NOT IN (SELECT value FROM json_each(:running)) AND ${isAgreed("term", "ttl")})
    UNION ALL SELECT item_page.digest FROM item_page CROSS JOIN task ON task.sequence = item_page.split
      WHERE task.run NOT IN (SELECT run FROM temp.leaving)
    UNION ALL SELECT digest FROM run_value WHERE run NOT IN (SELECT run FROM temp.leaving)
    UNION ALL SELECT digest FROM code_package_blob
    UNION ALL ${MANIFESTS}`;
const unnamed = (all: string) => `INSERT INTO temp.unused SELECT digest FROM blob EXCEPT SELECT digest FROM (${all})`;
/** Only damage makes one: a name is written together with the row of its value. */
const rowless = (all: string) => `INSERT OR IGNORE INTO temp.rowless SELECT digest FROM (${all}) AS named
  WHERE digest IS NOT NULL AND NOT EXISTS (SELECT 1 FROM blob WHERE blob.digest = named.digest)`;
const packages = (where: string) => `
  INSERT INTO temp.unused_package SELECT digest FROM code_package
    EXCEPT SELECT package_digest FROM run ${where.replaceAll("RUN", "sequence")}
    EXCEPT SELECT package_digest FROM execution ${where.replaceAll("RUN", "run")}`;

const AMOUNT = `count(*) AS count, coalesce(sum(CASE WHEN stored IS NOT NULL THEN stored_bytes END), 0) AS inlineBytes,
  coalesce(sum(CASE WHEN stored IS NULL THEN stored_bytes END), 0) AS fileBytes`;
const NO_MARK = "NOT EXISTS (SELECT 1 FROM garbage WHERE kind = 'blob' AND garbage.digest = unused.digest)";
/** `:before` null: whatever the scan found. */
const DUE = `(:before IS NULL OR EXISTS (SELECT 1 FROM garbage
  WHERE kind = 'blob' AND garbage.digest = unused.digest AND marked_at <= :before))`;

type Take = <T>(transaction: () => T) => Promise<T>;

export class Garbage {
  readonly #db: Connection;
  readonly #take: Take;
  /** Finds the names without a row, of the last scan; undefined when that is done. */
  #findRowless: (() => void) | undefined;

  /** @param take  runs a write transaction when its turn comes */
  constructor(db: Connection, take: Take) {
    this.#db = db;
    this.#take = take;
    for (const statement of tables) db.exec(statement);
  }

  scan(without?: {
    readonly choice: RunChoice;
    readonly expiredAt: number;
    readonly running: readonly number[];
  }): void {
    this.#db.transaction(() => {
      for (const table of ["unused", "unused_package", "doomed", "rowless", "leaving"])
        this.#db.exec(`DELETE FROM temp.${table}`);
      if (without === undefined) {
        this.#db.prepare(unnamed(names)).run();
        this.#findRowless = () => void this.#db.prepare(rowless(names)).run();
        this.#db.prepare(packages("WHERE package_digest IS NOT NULL")).run();
        return;
      }
      const leave = this.#db.prepare("INSERT INTO temp.leaving (run) VALUES (?)");
      for (const run of without.choice.going.keys()) leave.run(run);
      const args = { expiredAt: without.expiredAt, running: JSON.stringify(without.running) };
      this.#db.prepare(unnamed(namesWithout)).run(args);
      this.#findRowless = () => void this.#db.prepare(rowless(namesWithout)).run(args);
      const isLeft = "WHERE package_digest IS NOT NULL AND RUN NOT IN (SELECT run FROM temp.leaving)";
      this.#db.prepare(packages(isLeft)).run();
    })();
  }

  unmarked(): Amount {
    return this.#amount(NO_MARK, {});
  }

  /** Marks what the scan found, and takes back marks that it did not confirm. */
  async mark(at: number): Promise<Amount> {
    const amount = this.unmarked();
    await this.#take(() => {
      // A mark from the future is of a clock that went wrong: it would otherwise never grow old.
      this.#db.prepare("UPDATE garbage SET marked_at = :at WHERE marked_at > :at").run({ at });
      this.#db.exec(`
        DELETE FROM garbage WHERE kind = 'blob' AND digest NOT IN (SELECT digest FROM temp.unused);
        DELETE FROM garbage WHERE kind = 'package' AND digest NOT IN (SELECT digest FROM temp.unused_package)`);
      this.#db
        .prepare("INSERT OR IGNORE INTO garbage SELECT 'package', digest, ? FROM temp.unused_package WHERE true")
        .run(at);
    });
    const next = this.#db.prepare("SELECT digest FROM temp.unused WHERE digest > ? ORDER BY digest LIMIT 5000").pluck();
    const insert = this.#db.prepare("INSERT OR IGNORE INTO garbage (kind, digest, marked_at) VALUES ('blob', ?, ?)");
    for (let after: Uint8Array = Buffer.alloc(0); ; ) {
      const page = next.all(after) as Uint8Array[];
      if (page.length === 0) return amount;
      await this.#take(() => {
        for (const digest of page) insert.run(digest, at);
      });
      after = page.at(-1)!;
    }
  }

  /** Also remembers which they are, for `isDoomed`. */
  doomed({ values }: DoomedBefore): Amount {
    const args = { before: values === "all" ? null : values };
    this.#db.prepare(`INSERT OR IGNORE INTO temp.doomed SELECT digest FROM temp.unused WHERE ${DUE}`).run(args);
    return this.#amount(DUE, args);
  }

  async deleteDoomed({ values, packages }: DoomedBefore, onProgress: (values: number) => void): Promise<Amount> {
    await this.#deletePackages(packages);
    const before = values === "all" ? Number.MAX_SAFE_INTEGER : values;
    const next = this.#db
      .prepare(
        `SELECT unused.digest FROM temp.unused JOIN garbage ON garbage.kind = 'blob' AND garbage.digest = unused.digest
        WHERE unused.digest > ? AND marked_at <= ? ORDER BY unused.digest LIMIT ${BATCH}`,
      )
      .pluck();
    const unmark = this.#db.prepare("DELETE FROM garbage WHERE kind = 'blob' AND digest = ? AND marked_at <= ?");
    const bytes = this.#db.prepare(`SELECT ${AMOUNT} FROM blob WHERE digest = ?`);
    const remove = this.#db.prepare("DELETE FROM blob WHERE digest = ?");
    const total = { count: 0, inlineBytes: 0, fileBytes: 0 };
    for (let after: Uint8Array = Buffer.alloc(0); ; onProgress(total.count)) {
      const page = next.all(after, before) as Uint8Array[];
      if (page.length === 0) return total;
      const done = await this.#take(() => {
        const sum = { count: 0, inlineBytes: 0, fileBytes: 0 };
        for (const digest of page) {
          if (unmark.run(digest, before).changes === 0) continue; // Somebody names it since.
          add(sum, bytes.get(digest) as Amount);
          remove.run(digest);
        }
        return sum;
      });
      add(total, done);
      after = page.at(-1)!;
    }
  }

  isDoomed(digest: Uint8Array): boolean {
    return this.#db.prepare("SELECT 1 FROM temp.doomed WHERE digest = ?").get(digest) !== undefined;
  }

  /** Whether a record names a value of which there is no row. Looked up once, when somebody asks: it reads every name. */
  isRowless(digest: Uint8Array): boolean {
    this.#findRowless?.();
    this.#findRowless = undefined;
    return this.#db.prepare("SELECT 1 FROM temp.rowless WHERE digest = ?").get(digest) !== undefined;
  }

  async #deletePackages(before: number): Promise<void> {
    await this.#take(() => {
      const due = `SELECT unused_package.digest FROM temp.unused_package JOIN garbage
        ON garbage.kind = 'package' AND garbage.digest = unused_package.digest WHERE marked_at <= ?`;
      this.#db.prepare(`DELETE FROM code_package_blob WHERE package IN (${due})`).run(before);
      this.#db.prepare(`DELETE FROM code_package WHERE digest IN (${due})`).run(before);
      this.#db
        .prepare("DELETE FROM garbage WHERE kind = 'package' AND digest NOT IN (SELECT digest FROM code_package)")
        .run();
    });
  }

  #amount(where: string, args: Readonly<Record<string, unknown>>): Amount {
    return this.#db
      .prepare(`SELECT ${AMOUNT} FROM temp.unused AS unused JOIN blob ON blob.digest = unused.digest WHERE ${where}`)
      .get(args) as Amount;
  }
}

function add(sum: { count: number; inlineBytes: number; fileBytes: number }, more: Amount): void {
  sum.count += more.count;
  sum.inlineBytes += more.inlineBytes;
  sum.fileBytes += more.fileBytes;
}
