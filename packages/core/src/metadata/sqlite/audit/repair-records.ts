/**
 * What a repair writes to records, in one transaction: what is derived is computed again from what it is derived of, so that
 * it comes out right whatever was found before. A copy of the database is taken before the commit, while nobody else can
 * write. A kill leaves the records as they were, or mended.
 */
import type { Digest } from "../../../artifact/artifact.ts";
import { decompress } from "../../../artifact/compression.ts";
import { digestOf } from "../../../artifact/digest.ts";
import type { RecordRepairReport, RecordRepairs } from "../../record-audit.ts";
import { SCHEMA_VERSION } from "../../sql/migrations/migrations.ts";
import { bytesOfDigest, toBlobRow } from "../../sql/rows.ts";
import type { BlobTable } from "../../sql/schema.ts";
import { dropWrongCacheEntries } from "../cache-faults.ts";
import { type Connection, openWriter } from "../connection.ts";
import { keepPages } from "../keep-copy.ts";
import { migrate } from "../migrate.ts";
import { metadataError, sqliteCode } from "../sqlite-error.ts";
import { WriteTurns } from "../write-turns.ts";
import { integrityFaults, isRebuildable, schemaOf, schemaParts } from "./database-checks.ts";
import { derivedRules } from "./derived.ts";
import { wrongParameters } from "./parameter-checks.ts";
import { isUnreadable } from "./sqlite-audit.ts";
import { restoreHeldTags, tagLogReport } from "./tag-checks.ts";

/**
 * Mends the records of a store.
 *
 * @throws FlowError FLOW_METADATA_BUSY, FLOW_METADATA_READ_ONLY, FLOW_METADATA_FULL and others of the metadata room
 */
export async function repairRecords(file: string, repairs: RecordRepairs): Promise<RecordRepairReport> {
  const turns = new WriteTurns(file, {});
  let db: Connection | undefined;
  try {
    db = await turns.retry(() => openMigrated(file));
    const open = db;
    await turns.retry(() => open.exec("BEGIN IMMEDIATE"));
    try {
      const done = mendAll(open, repairs);
      const copy = done.length === 0 ? undefined : await keepPages(file, "before-repair");
      open.exec("COMMIT");
      return { done, ...(copy === undefined ? {} : { copy }) };
    } catch (error) {
      if (open.inTransaction) open.exec("ROLLBACK");
      throw error;
    }
  } catch (error) {
    throw metadataError("Cannot repair the records", file, error);
  } finally {
    db?.close();
  }
}

function openMigrated(file: string): Connection {
  const db = openWriter(file);
  try {
    migrate(db, file, Date.now);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function mendAll(db: Connection, repairs: RecordRepairs): readonly string[] {
  const done: string[] = [];
  const act = (what: string, work: () => number): void => {
    try {
      // A savepoint of its own: what cannot be mended stays as it is, and the rest is mended all the same.
      const changed = db.transaction(work)();
      if (changed > 0) done.push(what);
    } catch (error) {
      if (sqliteCode(error) === undefined || !(isUnreadable(error) || isConstraint(error))) throw error; // It is told again by the check that comes after.
    }
  };
  const changes = (sql: string, ...values: readonly unknown[]): number => db.prepare(sql).run(...values).changes;

  act("made missing indexes and triggers again", () => remakeSchema(db));
  act("rebuilt the indexes", () => reindex(db));
  act("recorded values as they are stored", () => writeBlobs(db, repairs));
  act("took broken values out of the database", () => takeOut(db, repairs.withoutBytes));
  act("tied files to their code packages", () =>
    repairs.packageBlobs.reduce(
      (sum, tie) =>
        sum +
        changes(
          "INSERT INTO code_package_blob (package, digest) SELECT ?, digest FROM blob WHERE digest = ? ON CONFLICT DO NOTHING",
          bytesOfDigest(tie.package),
          bytesOfDigest(tie.digest),
        ),
      0,
    ),
  );
  act("corrected sizes", () => correctSizes(db, repairs.damaged));
  for (const { mend, done: what } of derivedRules) act(what, () => mend.reduce((sum, sql) => sum + changes(sql), 0));
  act("put back tags that the log gives", () => (tagLogReport(db).kind === "whole" ? changes(restoreHeldTags) : 0));
  act("took offers out of the step cache that were not made for their tasks", () => dropWrongCacheEntries(db));
  act("made runs found by their parameters again", () => rewriteParameters(db));
  return done;
}

function remakeSchema(db: Connection): number {
  const there = new Map(schemaParts(db).map((part) => [part.name, part]));
  let made = 0;
  for (const part of schemaOf(SCHEMA_VERSION)) {
    const found = there.get(part.name);
    if (!isRebuildable(part) || found?.sql === part.sql) continue;
    if (found !== undefined) db.exec(`DROP ${found.type} "${found.name}"`);
    db.exec(part.sql);
    made++;
  }
  return made;
}

/** Only where SQLite finds a fault that is about an index: it reads and writes all of them. */
function reindex(db: Connection): number {
  if (!integrityFaults(db).some((fault) => fault.remedy === "repair")) return 0;
  db.exec("REINDEX");
  return 1;
}

function writeBlobs(db: Connection, { blobs }: RecordRepairs): number {
  const write = db.prepare(
    `INSERT INTO blob (digest, size_bytes, stored_bytes, compression, stored) VALUES (?, ?, ?, ?, NULL)
     ON CONFLICT (digest) DO UPDATE SET size_bytes = excluded.size_bytes, stored_bytes = excluded.stored_bytes,
       compression = excluded.compression
     WHERE size_bytes <> excluded.size_bytes OR stored_bytes <> excluded.stored_bytes OR compression <> excluded.compression`,
  );
  return blobs.reduce(
    (sum, blob) =>
      sum + write.run(bytesOfDigest(blob.digest), blob.sizeBytes, blob.storedBytes, blob.compression).changes,
    0,
  );
}

/** The row stays, and says that the bytes are elsewhere: the next run that stores the value puts them in again. */
function takeOut(db: Connection, digests: readonly Digest[]): number {
  const read = db.prepare("SELECT digest, size_bytes, stored_bytes, compression, stored FROM blob WHERE digest = ?");
  const write = db.prepare("UPDATE blob SET stored = NULL WHERE digest = ? AND stored IS NOT NULL");
  let taken = 0;
  for (const digest of digests) {
    const row = read.get(bytesOfDigest(digest)) as BlobTable | undefined;
    if (row === undefined || isWhole(row)) continue; // Looked at again, now that nobody else can write.
    taken += write.run(bytesOfDigest(digest)).changes;
  }
  return taken;
}

function isWhole(table: BlobTable): boolean {
  const { digest, stored, compression, sizeBytes } = toBlobRow(table);
  const payload = stored === undefined || compression === "none" ? stored : decompress(stored, sizeBytes);
  return payload !== undefined && digestOf([payload]) === digest;
}

/** The record of a value is right about its size when its bytes are whole; those that name it follow. */
function correctSizes(db: Connection, damaged: ReadonlySet<Digest>): number {
  const not = JSON.stringify([...damaged]);
  const correct = (table: string): number =>
    db
      .prepare(
        `UPDATE ${table} AS x SET size_bytes = y.size_bytes FROM blob AS y
         WHERE y.digest = x.digest AND y.size_bytes <> x.size_bytes
           AND x.digest NOT IN (SELECT unhex(value) FROM json_each(?))`,
      )
      .run(not).changes;
  return correct("artifact") + correct("item_page") + correct("run_value");
}

function rewriteParameters(db: Connection): number {
  const remove = db.prepare("DELETE FROM run_parameter WHERE run = ?");
  const insert = db.prepare("INSERT INTO run_parameter (run, name, value_digest) VALUES (?, ?, ?)");
  // Parameters that were changed themselves must not be made what the run is found by.
  const wrong = [...wrongParameters(db)].filter((run) => run.isAsGiven);
  for (const { run, rows } of wrong) {
    remove.run(run);
    for (const [name, digest] of rows) insert.run(run, name, bytesOfDigest(digest));
  }
  return wrong.length;
}

function isConstraint(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_CONSTRAINT");
}
