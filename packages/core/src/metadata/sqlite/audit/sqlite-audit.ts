/**
 * The audit of records in a SQLite file, on a connection that may only read.
 *
 * Each question is one statement, and so one snapshot of records that are always written whole: what runs write meanwhile
 * is never half seen. Large tables are asked in windows, so that no read stays open for long. What cannot be read (a page
 * that was overwritten) is a fault like any other, and the rest is asked all the same.
 */
import type { Digest } from "../../../artifact/artifact.ts";
import { FlowError } from "../../../errors/flow-error.ts";
import type { BucketSide } from "../../bucket-audit.ts";
import type { BlobRow } from "../../metadata-store.ts";
import type { AuditedBlob, AuditedPackage, BlobUse, BlobUses, RecordAudit, RecordFault } from "../../record-audit.ts";
import { bytesOfDigest, digestOfBytes, toBlobRow } from "../../sql/rows.ts";
import type { BlobTable } from "../../sql/schema.ts";
import { readPlace } from "../../stored-json.ts";
import { type Connection, openReader } from "../connection.ts";
import { schemaVersionOf, showAsNewest } from "../migrate.ts";
import { DIGEST_SCHEMA } from "../record-faults.ts";
import { metadataError, sqliteCode } from "../sqlite-error.ts";
import { readLostItems, readUses } from "./blob-uses.ts";
import { bucketSide } from "./bucket-side.ts";
import { foreignKeyFaults, integrityFaults, schemaFaults } from "./database-checks.ts";
import { deletionChecks } from "./deletion-checks.ts";
import { derivedRules } from "./derived.ts";
import { digestFaults } from "./digest-faults.ts";
import { jsonFaults } from "./json-checks.ts";
import { wrongParameters } from "./parameter-checks.ts";
import { type FaultRow, type RecordCheck, referenceChecks } from "./reference-checks.ts";
import { RowNames } from "./row-names.ts";
import { stateChecks } from "./state-checks.ts";
import { heldTagChecks, policyFaults, tagLogFaults } from "./tag-checks.ts";
import { timeChecks } from "./time-checks.ts";

/** Rows of a large table that one statement looks at: some tens of milliseconds. */
const WINDOW_ROWS = 20_000;
/** Faults of one check that are told one by one; what is behind them is counted. */
export const MAX_FAULTS = 1_000;
/** Values of a page; with the bytes of those in the database at most 8 MiB. */
const PAGE_BLOBS = 500;

/**
 * Opens the records of a file to look at them; nothing is changed, not even an older schema.
 *
 * @throws FlowError FLOW_METADATA_CORRUPT or FLOW_METADATA_NOT_A_STORE when the file cannot be read as a database of
 *   Millrace, and others of the metadata room when it cannot be opened
 */
export function openSqliteAudit(file: string): RecordAudit {
  let db: Connection | undefined;
  try {
    db = openReader(file);
    showAsNewest(db, file);
    return new SqliteAudit(db, file);
  } catch (error) {
    db?.close();
    throw readError("Cannot open the records", file, error);
  }
}

/** A header, a schema or a row that cannot be read is damage too, whatever SQLite calls it. */
function readError(action: string, file: string, error: unknown): unknown {
  if (error instanceof FlowError || !isUnreadable(error)) return metadataError(action, file, error);
  return new FlowError("FLOW_METADATA_CORRUPT", {
    message: `${action} in "${file}": ${reasonOf(error)}`,
    hint: "Restore the store from a copy",
    context: { path: file },
    cause: error,
  });
}

class SqliteAudit implements RecordAudit {
  readonly schemaVersion: number;
  readonly bucket: BucketSide;
  readonly #db: Connection;
  readonly #file: string;
  readonly #names: RowNames;

  constructor(db: Connection, file: string) {
    this.#db = db;
    this.#file = file;
    this.schemaVersion = schemaVersionOf(db, file);
    this.#names = new RowNames(db);
    this.bucket = bucketSide(db, (question) => this.#ask(question));
  }

  async *databaseFaults(): AsyncGenerator<RecordFault> {
    yield* this.#guarded("the schema", () => schemaFaults(this.#db, this.schemaVersion));
    yield* this.#guarded("the database", () => integrityFaults(this.#db));
  }

  async *recordFaults(): AsyncGenerator<RecordFault> {
    const told = new Set<string>();
    for (const check of [
      ...referenceChecks,
      ...stateChecks,
      ...timeChecks,
      ...deletionChecks,
      ...derivedRules,
      ...heldTagChecks,
    ]) {
      if (check.sql === "" || (check.schema ?? 1) > this.schemaVersion) continue;
      for await (const fault of this.#check(check)) {
        told.add(check.table);
        yield fault;
      }
    }
    const guarded = this.#guarded.bind(this);
    const windows = { guarded, windowRows: WINDOW_ROWS, maxFaults: MAX_FAULTS, schemaVersion: this.schemaVersion };
    yield* jsonFaults(this.#db, this.#names, windows);
    yield* this.#guarded("the log of tags", () => tagLogFaults(this.#db));
    yield* this.#guarded("the policies of tags", () => policyFaults(this.#db));
    yield* this.#guarded("the parameters of runs", () => this.#parameterFaults());
    if (this.schemaVersion >= DIGEST_SCHEMA) yield* digestFaults(this.#db, this.#names, windows);
    // A net below the checks by name: what SQLite counts and none of them has told.
    yield* this.#guarded("references", () =>
      [...foreignKeyFaults(this.#db)]
        .filter(([key]) => !told.has(key.split(" → ")[0]!))
        .map(
          ([key, count]): RecordFault => ({
            check: "S02",
            kind: "damage",
            evidence: `${count} rows name one that is not there: ${key}`,
            subject: { table: key.split(" → ")[0]! },
            remedy: "copy",
          }),
        ),
    );
  }

  async *blobs({ withBytes }: { readonly withBytes: boolean }): AsyncGenerator<readonly AuditedBlob[] | RecordFault> {
    const columns = `rowid AS place, digest, size_bytes, stored_bytes, compression, ${withBytes ? "stored" : "NULL AS stored"},
      stored IS NOT NULL AS is_inline, length(stored) AS inline_bytes`;
    const sql = `SELECT ${columns} FROM blob WHERE rowid > ? ORDER BY rowid LIMIT ${PAGE_BLOBS}`;
    type Row = BlobTable & { readonly place: number; readonly is_inline: 0 | 1; readonly inline_bytes: number | null };
    for (let after = Number.MIN_SAFE_INTEGER; ; ) {
      let page: readonly AuditedBlob[] | undefined;
      for (const fault of this.#guarded("the values", () => {
        const rows = this.#db.prepare(sql).all(after) as Row[];
        after = readPlace(rows.at(-1)?.place ?? after, "blob.rowid");
        page = rows.map((row) => ({
          ...toBlobRow(row),
          isInline: row.is_inline === 1,
          ...(row.inline_bytes === null ? {} : { inlineBytes: row.inline_bytes }),
        }));
        return [];
      }))
        yield fault;
      if (page === undefined) return;
      yield page;
      if (page.length < PAGE_BLOBS) return;
    }
  }

  async blob(digest: Digest): Promise<BlobRow | undefined> {
    return this.#ask(() => {
      const row = this.#db
        .prepare("SELECT digest, size_bytes, stored_bytes, compression, stored FROM blob WHERE digest = ?")
        .get(bytesOfDigest(digest)) as BlobTable | undefined;
      return row === undefined ? undefined : toBlobRow(row);
    });
  }

  async withoutRow(digests: readonly Digest[]): Promise<ReadonlySet<Digest>> {
    return this.#ask(() => {
      const has = this.#db.prepare("SELECT 1 FROM blob WHERE digest = ? AND stored IS NULL").pluck();
      return new Set(digests.filter((digest) => has.get(bytesOfDigest(digest)) === undefined));
    });
  }

  async missingBlobs(): Promise<readonly Digest[]> {
    return this.#ask(() => {
      const rows = this.#db
        .prepare(
          `SELECT digest FROM artifact UNION SELECT digest FROM item_page UNION SELECT digest FROM run_value
           UNION SELECT digest FROM code_package_blob EXCEPT SELECT digest FROM blob`,
        )
        .pluck()
        .all() as Uint8Array[];
      return rows.map(digestOfBytes);
    });
  }

  async uses(digests: readonly Digest[]): Promise<ReadonlyMap<Digest, BlobUses>> {
    try {
      return readUses(this.#db, digests);
    } catch (error) {
      if (!isUnreadable(error)) throw metadataError("Cannot read the records", this.#file, error);
      return new Map(); // What cannot be read is told as a fault of the database; the values are told without names.
    }
  }

  async lostItems(): Promise<readonly BlobUse[]> {
    try {
      return readLostItems(this.#db);
    } catch (error) {
      if (!isUnreadable(error)) throw metadataError("Cannot read the records", this.#file, error);
      return []; // As of `uses`.
    }
  }

  async *packages(): AsyncGenerator<AuditedPackage> {
    const page = this.#db.prepare(
      "SELECT digest, manifest FROM code_package WHERE digest > ? ORDER BY digest LIMIT 20",
    );
    const blobs = this.#db.prepare("SELECT digest FROM code_package_blob WHERE package = ?").pluck();
    const run = this.#db.prepare("SELECT min(sequence) FROM run WHERE package_digest = ?").pluck();
    for (let after: Uint8Array = new Uint8Array(0); ; ) {
      const rows = this.#ask(() => page.all(after) as { digest: Uint8Array; manifest: string }[]);
      for (const { digest, manifest } of rows) {
        yield this.#ask(() => {
          const first = run.get(digest) as number | null;
          return {
            digest: digestOfBytes(digest),
            manifest,
            blobs: (blobs.all(digest) as Uint8Array[]).map(digestOfBytes),
            ...(first === null ? {} : { run: this.#names.run(first) }),
          };
        });
      }
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.digest;
    }
  }

  async missingPackages(): Promise<readonly { readonly digest: Digest; readonly run: string }[]> {
    return this.#ask(() => {
      const rows = this.#db
        .prepare(
          `SELECT package_digest AS digest, min(run) AS run FROM (
             SELECT package_digest, sequence AS run FROM run UNION ALL SELECT package_digest, run FROM execution) AS x
           WHERE package_digest IS NOT NULL AND NOT EXISTS (SELECT 1 FROM code_package AS y WHERE y.digest = x.package_digest)
           GROUP BY package_digest`,
        )
        .all() as { digest: Uint8Array; run: number }[];
      return rows.map(({ digest, run }) => ({ digest: digestOfBytes(digest), run: this.#names.run(run) }));
    });
  }

  async totals(): Promise<{ readonly blobs: number; readonly storedBytes: number; readonly runs: number }> {
    const sql =
      "SELECT count(*) AS blobs, coalesce(sum(stored_bytes), 0) AS storedBytes, (SELECT count(*) FROM run) AS runs FROM blob";
    return this.#ask(() => this.#db.prepare(sql).get() as { blobs: number; storedBytes: number; runs: number });
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  async *#check(check: RecordCheck): AsyncGenerator<RecordFault> {
    let told = 0;
    for (const faults of this.#windows(check)) {
      for (const fault of faults) {
        if (told++ < MAX_FAULTS) yield fault;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (told <= MAX_FAULTS) return;
    yield {
      check: check.check,
      kind: check.kind ?? "damage",
      evidence: `${told - MAX_FAULTS} further rows of ${check.table} have the same fault`,
      subject: { table: check.table },
      remedy: check.remedy,
    };
  }

  *#windows(check: RecordCheck): Generator<readonly RecordFault[]> {
    const place = `the table ${check.table}`;
    const rows = (window: object) =>
      (this.#db.prepare(check.sql).all(window) as FaultRow[]).map((row) => this.#fault(check, row));
    if (check.by === undefined) {
      yield this.#guarded(place, () => rows({}));
      return;
    }
    const end = `SELECT ${check.by} FROM ${check.table} WHERE ${check.by} > ? ORDER BY ${check.by} LIMIT 1 OFFSET ${WINDOW_ROWS}`;
    for (let after = Number.MIN_SAFE_INTEGER; ; ) {
      let upTo: number | undefined;
      const faults = this.#guarded(place, () => {
        upTo = this.#db.prepare(end).pluck().get(after) as number | undefined;
        return rows({ after, upTo: upTo ?? Number.MAX_SAFE_INTEGER });
      });
      yield faults;
      if (upTo === undefined) return;
      after = upTo;
    }
  }

  #fault({ check, table, kind, remedy, say }: RecordCheck, row: FaultRow): RecordFault {
    const run = row.run === null ? undefined : this.#names.run(row.run);
    const task = row.task === null ? undefined : this.#names.task(row.task);
    const evidence = say(row)
      .replace("{run}", run ?? "a run that is not recorded")
      .replace("{task}", task ?? "a task that is not recorded")
      .replace("{artifact}", row.artifact ?? "");
    return {
      check,
      kind: kind ?? "damage",
      evidence,
      subject: {
        ...(run === undefined ? {} : { run }),
        ...(task === undefined ? {} : { task }),
        ...(row.artifact === null ? {} : { artifact: row.artifact }),
        ...(row.digest === null ? {} : { digest: digestOfBytes(row.digest) }),
        table,
      },
      ...(kind === "note" ? {} : { remedy }),
    };
  }

  #parameterFaults(): readonly RecordFault[] {
    const faults: RecordFault[] = [];
    for (const { run, isAsGiven } of wrongParameters(this.#db)) {
      const name = this.#names.run(run);
      const wrong = isAsGiven ? "" : ", and nothing says which of the two was changed";
      faults.push({
        check: "S07",
        kind: "damage",
        evidence: `${name} is looked for by other values of its parameters than it has${wrong}`,
        subject: { run: name, table: isAsGiven ? "run_parameter" : "run" },
        remedy: isAsGiven ? "repair" : "copy",
      });
      if (faults.length >= MAX_FAULTS) break;
    }
    return faults;
  }

  /** What a question gives; a page that cannot be read is a fault of its own. */
  #guarded(place: string, ask: () => readonly RecordFault[]): readonly RecordFault[] {
    try {
      return ask();
    } catch (error) {
      if (!isUnreadable(error)) throw metadataError("Cannot check the records", this.#file, error);
      return [
        {
          check: "S01",
          kind: "damage",
          evidence: `${place} cannot be read: ${reasonOf(error)}`,
          subject: {},
          remedy: "copy",
        },
      ];
    }
  }

  #ask<T>(question: () => T): T {
    try {
      return question();
    } catch (error) {
      throw readError("Cannot read the records", this.#file, error);
    }
  }
}

/**
 * Whether an error says that the file is damaged. A schema that lost a table or a column makes our own statements wrong
 * (SQLITE_ERROR), and text that is no date or JSON makes our own reading throw.
 */
export function isUnreadable(error: unknown): boolean {
  if (error instanceof FlowError) return error.code === "FLOW_METADATA_CORRUPT";
  const code = sqliteCode(error);
  if (code === undefined)
    return error instanceof SyntaxError || error instanceof RangeError || error instanceof TypeError;
  return /^SQLITE_(CORRUPT|NOTADB|FORMAT|ERROR|IOERR)/.test(code);
}

export function reasonOf(error: unknown): string {
  const code = sqliteCode(error);
  return `${error instanceof Error ? error.message : String(error)}${code === undefined ? "" : ` (${code})`}`;
}
