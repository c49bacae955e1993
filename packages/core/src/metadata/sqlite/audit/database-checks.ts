/** What SQLite can say of its own file, and whether its schema is that of the version that it names. */
import Database from "better-sqlite3";
import type { RecordFault } from "../../record-audit.ts";
import { migrations } from "../../sql/migrations/migrations.ts";
import type { Connection } from "../connection.ts";

/** Lines of SQLite's own check that are told; what is broken on many pages is not mended line by line. */
const MAX_LINES = 200;
/** Lines that are about an index alone, which is made of its table again. */
const ABOUT_INDEX = /^(?:row \d+ missing from|wrong # of entries in|non-unique entry in) index (\S+)$/;

/** SQLite's own check of pages, order, indexes, types and constraints. */
export function integrityFaults(db: Connection): readonly RecordFault[] {
  const lines = db.pragma(`integrity_check(${MAX_LINES})`) as readonly { readonly integrity_check: string }[];
  return lines
    .flatMap(({ integrity_check }) => integrity_check.split("\n"))
    .filter((line) => line !== "ok" && line !== "" && !line.startsWith("*** in database"))
    .map((line) => ({
      check: "S01",
      kind: "damage",
      evidence: `SQLite finds a fault in the database: ${line}`,
      subject: {},
      remedy: isAboutIndex(db, line) ? "repair" : "copy",
    }));
}

/** Whether SQLite's line is about an index and nothing else, so that its table can make it again. */
export function isAboutIndex(db: Connection, line: string): boolean {
  if (ABOUT_INDEX.test(line)) return true;
  const root = /^Tree (\d+) /.exec(line)?.[1];
  if (root === undefined) return false;
  return db.prepare("SELECT type FROM sqlite_schema WHERE rootpage = ?").pluck().get(Number(root)) === "index";
}

/** Rows that name a row which is not there, as SQLite counts them; by table and what it refers to. */
export function foreignKeyFaults(db: Connection): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const rows = db.prepare('SELECT "table", parent FROM pragma_foreign_key_check').raw();
  for (const [table, parent] of rows.iterate() as Iterable<readonly [string, string]>) {
    const key = `${table} → ${parent}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

export interface SchemaPart {
  readonly type: string;
  readonly name: string;
  readonly sql: string;
}

/** The tables, indexes and triggers that a schema version has. */
export function schemaOf(version: number): readonly SchemaPart[] {
  const empty = new Database(":memory:");
  try {
    for (const migration of migrations.slice(0, version)) for (const statement of migration) empty.exec(statement);
    return schemaParts(empty);
  } finally {
    empty.close();
  }
}

export function schemaParts(db: Connection): readonly SchemaPart[] {
  return db
    .prepare(
      "SELECT type, name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .all() as SchemaPart[];
}

/** Whether a part is made of others, so that it can be made again. */
export function isRebuildable(part: SchemaPart): boolean {
  return part.type === "index" || part.type === "trigger";
}

/** Parts of the schema that are missing, changed or not ours. */
export function schemaFaults(db: Connection, version: number): readonly RecordFault[] {
  const there = new Map(schemaParts(db).map((part) => [part.name, part]));
  const faults: RecordFault[] = [];
  for (const part of schemaOf(version)) {
    const found = there.get(part.name);
    there.delete(part.name);
    if (found?.sql === part.sql) continue;
    faults.push({
      check: "S01",
      kind: "damage",
      evidence: `the ${part.type} "${part.name}" ${found === undefined ? "is not in the database" : `is not that of schema ${version}`}`,
      subject: { table: part.name },
      remedy: isRebuildable(part) ? "repair" : "copy",
    });
  }
  for (const part of there.values()) {
    faults.push({
      check: "S01",
      kind: "note",
      evidence: `the ${part.type} "${part.name}" in the database is none of Millrace's`,
      subject: { table: part.name },
    });
  }
  return faults;
}
