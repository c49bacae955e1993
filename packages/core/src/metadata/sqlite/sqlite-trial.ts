/**
 * A trial of records: an import into a database of its own, by the statements of real imports. Each run is taken back when it
 * was judged, so a trial costs the rows of one run; what memory does not hold of them SQLite puts into a file without a name.
 */
import { tmpdir } from "node:os";
import Database from "better-sqlite3";
import { FlowError } from "../../errors/flow-error.ts";
import type { ImportedFacts, ImportedRow } from "../imported-run.ts";
import type { RecordTrial } from "../record-trial.ts";
import type { Connection } from "./connection.ts";
import { finishRun, RunImporter } from "./import-runs.ts";
import { migrate } from "./migrate.ts";
import { metadataError } from "./sqlite-error.ts";
import { Statements } from "./statements.ts";

/** Of an imported run, which is below all others. */
const SEQUENCE = -1;

/** @throws FlowError FLOW_METADATA_UNAVAILABLE */
export function openSqliteTrial(): RecordTrial {
  return new SqliteTrial();
}

class SqliteTrial implements RecordTrial {
  readonly #db: Connection;
  readonly #statements: Statements;
  #open: { readonly run: ImportedFacts; readonly importer: RunImporter } | undefined;

  constructor() {
    this.#db = new Database(""); // A name that is empty: a database that is gone with its connection.
    // The values that rows name are not in it: that they are in the file is looked at by whoever reads that.
    this.#db.pragma("foreign_keys = OFF");
    migrate(this.#db, "a trial", () => 0);
    this.#statements = new Statements(this.#db);
  }

  begin(run: ImportedFacts): void {
    this.#guard(() => {
      if (this.#db.inTransaction) this.#db.exec("ROLLBACK"); // Of a run that was given up.
      this.#db.exec("BEGIN");
      this.#open = { run, importer: new RunImporter(this.#statements, run, SEQUENCE) };
      // Faults then call the run by its number in the store that has it.
      const number = Number(run.imported.run.slice(run.imported.run.lastIndexOf("/") + 1));
      this.#db.prepare("UPDATE run SET number = ? WHERE sequence = ?").run(number, SEQUENCE);
    });
  }

  add(row: ImportedRow): void {
    this.#guard(() => this.#begun().importer.add(row));
  }

  end(): readonly string[] {
    const faults = this.#guard(() => finishRun(this.#db, this.#begun().run, SEQUENCE));
    this.#open = undefined;
    this.#db.exec("ROLLBACK");
    return faults;
  }

  close(): void {
    this.#db.close();
  }

  #begun(): { readonly run: ImportedFacts; readonly importer: RunImporter } {
    if (this.#open !== undefined) return this.#open;
    throw new FlowError("FLOW_INTERNAL", { message: "A row was tried without a run" });
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw metadataError("Cannot try the records", tmpdir(), error);
    }
  }
}
