import { randomUUID } from "node:crypto";
import { FlowError } from "../../errors/flow-error.ts";
import { migrations, readerViews, SCHEMA_VERSION } from "../sql/migrations/migrations.ts";
import { APPLICATION_ID, type Connection } from "./connection.ts";
import { keepCopy } from "./keep-copy.ts";

/**
 * The schema version of a database: 0 when it holds nothing yet.
 *
 * @throws FlowError FLOW_METADATA_NEWER_STORE, FLOW_METADATA_NOT_A_STORE
 */
export function schemaVersionOf(db: Connection, file: string): number {
  const applicationId = db.pragma("application_id", { simple: true });
  if (applicationId !== APPLICATION_ID) {
    const tables = db.prepare("SELECT count(*) FROM sqlite_schema").pluck().get();
    if (applicationId === 0 && tables === 0) return 0;
    throw notAStore(file, "it is a database of another program");
  }
  // This column of this table keeps its meaning in all schemas to come: it is how an older program knows a newer store.
  const version = db.prepare("SELECT schema_version FROM store WHERE id = 1").pluck().get();
  if (typeof version !== "number") throw notAStore(file, "it names no schema version");
  if (version > SCHEMA_VERSION) {
    throw new FlowError("FLOW_METADATA_NEWER_STORE", {
      message: `Cannot open the records in "${file}": they have schema ${version}, this version of Millrace knows ${SCHEMA_VERSION}`,
      hint: "Update Millrace",
      context: { path: file, storeVersion: version, knownVersion: SCHEMA_VERSION },
    });
  }
  return version;
}

export function notAStore(file: string, why: string): FlowError {
  return new FlowError("FLOW_METADATA_NOT_A_STORE", {
    message: `Cannot open the records in "${file}": ${why}`,
    hint: "Choose the folder of a store with --store",
    context: { path: file },
  });
}

/**
 * Lets a connection that may only read show a store of an older schema as one of the newest.
 *
 * @throws FlowError FLOW_METADATA_NEWER_STORE, FLOW_METADATA_NOT_A_STORE
 */
export function showAsNewest(db: Connection, file: string): void {
  const version = schemaVersionOf(db, file);
  if (version === 0) throw notAStore(file, "it holds nothing yet");
  for (const statement of readerViews[version] ?? []) db.exec(statement);
}

/**
 * Brings a database to the schema of this program, in one transaction: after a crash it has the old schema or the new
 * one. A store that is brought up is copied first, to `millrace.db.before-N` beside it. Several processes may do this at
 * once; the first does it, the others find it done.
 *
 * @throws what SQLite throws while another process holds the lock; call it again then
 */
export function migrate(db: Connection, file: string, now: () => number): void {
  if (schemaVersionOf(db, file) === SCHEMA_VERSION) return;
  // Cannot be set inside a transaction, and stays in the file.
  const mode = db.pragma("journal_mode = WAL", { simple: true });
  if (mode !== "wal" && !db.memory) {
    throw new FlowError("FLOW_METADATA_UNAVAILABLE", {
      message: `Cannot keep records in "${file}": its file system cannot share memory between processes (journal mode ${String(mode)})`,
      hint: "Choose a folder on a local disk with --store",
      context: { path: file },
    });
  }
  db.transaction(() => {
    const from = schemaVersionOf(db, file); // again, now that nobody else can change it
    if (from === SCHEMA_VERSION) return;
    // The copy is taken while nobody else can write, so it is what the new schema is made of, to the last row.
    if (from > 0) keepCopy(file, `before-${from + 1}`);
    for (const migration of migrations.slice(from)) for (const statement of migration) db.exec(statement);
    if (from === 0) {
      db.pragma(`application_id = ${APPLICATION_ID}`);
      db.prepare("INSERT INTO store (id, store_id, schema_version, created_at, next_task) VALUES (1, ?, ?, ?, 1)").run(
        randomUUID(),
        SCHEMA_VERSION,
        now(),
      );
    } else {
      db.prepare("UPDATE store SET schema_version = ? WHERE id = 1").run(SCHEMA_VERSION);
    }
  }).immediate();
}
