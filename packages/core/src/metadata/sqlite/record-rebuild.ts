/**
 * Records built anew from a bucket, in a database beside the place where they are to be: it gets its name when all is in it and was
 * checked. Rows of runs go in by the statements of imports, each run in a transaction of its own, so that a run of 100,000 tasks is
 * never in memory as a whole and one with faults leaves nothing.
 */
import fs from "node:fs";
import type { NewBlob } from "../../artifact/artifact.ts";
import { FlowError } from "../../errors/flow-error.ts";
import type { LogEnd } from "../bucket-records.ts";
import type { LogLine, RebuildFault, RebuiltFacts, RebuiltRow, RecordRebuild, UnreadRun } from "../record-rebuild.ts";
import { insertPackage, insertPackageBlob } from "../sql/packages.ts";
import { bytesOfDigest } from "../sql/rows.ts";
import type { TagEventTable } from "../sql/schema.ts";
import { deleteTagPolicy, putTagPolicy } from "../sql/tag-policies.ts";
import { insertTagEvent } from "../sql/tags.ts";
import { type Connection, openWriter } from "./connection.ts";
import { finishRun, RunImporter } from "./import-runs.ts";
import { migrate } from "./migrate.ts";
import { RebuildEnd } from "./rebuild-end.ts";
import { metadataError } from "./sqlite-error.ts";
import { Statements } from "./statements.ts";
import { insertBlobs } from "./write-blobs.ts";

export interface RebuiltStore {
  readonly storeId: string;
  readonly createdAt: Date;
}

/**
 * Begins to build records that are to lie in a file.
 *
 * @throws FlowError FLOW_METADATA_CONFLICT when a file is there, and those of the file system
 */
export function openSqliteRebuild(file: string, store: RebuiltStore): RecordRebuild {
  if (fs.existsSync(file))
    throw new FlowError("FLOW_METADATA_CONFLICT", {
      message: `Cannot build records in "${file}": a file is there`,
      hint: "Build them in a folder without records, or move the file away first",
      context: { path: file },
    });
  return new SqliteRebuild(file, store);
}

const BESIDE = ["", "-wal", "-shm", "-journal"];

class SqliteRebuild implements RecordRebuild {
  readonly #file: string;
  /** Where it is built. */
  readonly #part: string;
  readonly #db: Connection;
  readonly #statements: Statements;
  readonly #end: RebuildEnd;
  #open: { readonly run: RebuiltFacts; readonly importer: RunImporter } | undefined;

  constructor(file: string, { storeId, createdAt }: RebuiltStore) {
    this.#file = file;
    this.#part = `${file}.rebuilt`;
    for (const ending of BESIDE) fs.rmSync(`${this.#part}${ending}`, { force: true }); // Of one that was killed.
    this.#db = openWriter(this.#part);
    this.#statements = new Statements(this.#db);
    this.#end = new RebuildEnd(this.#db, this.#statements);
    this.#guard(() => {
      this.#db.pragma("foreign_keys = OFF"); // Rows come in the order of runs; all of them are looked at in the end.
      this.#db.pragma("synchronous = OFF"); // A crash leaves nothing that is used; it is synced before it gets its name.
      migrate(this.#db, this.#part, () => createdAt.getTime());
      this.#db.prepare("UPDATE store SET store_id = ?").run(storeId);
      this.#end.prepare();
    });
  }

  tell(line: LogLine): void {
    this.#guard(() => {
      if (!this.#db.inTransaction) this.#db.exec("BEGIN");
      this.#tell(line);
    });
  }

  #tell(line: LogLine): void {
    switch (line.kind) {
      case "flow":
        this.#db
          .prepare(
            "REPLACE INTO flow (id, project, name, last_number, run_count, newest_run) VALUES (?, ?, ?, 0, 0, 0)",
          )
          .run(line.id, line.project, line.name);
        return;
      case "flow-name":
        this.#db
          .prepare("REPLACE INTO flow_name (project, name, flow) VALUES (?, ?, ?)")
          .run(line.project, line.name, line.flow);
        return;
      case "event": {
        const { kind: _, from, ...event } = line;
        const { previous, digest } = line;
        const row = { ...event, from_run: from, previous: bytesOfDigest(previous), digest: bytesOfDigest(digest) };
        const isThere = this.#db.prepare("SELECT 1 FROM tag_event WHERE sequence = ? AND digest = ?");
        if (isThere.get(line.sequence, row.digest) !== undefined) return; // Said twice.
        this.#statements.run(insertTagEvent, row as TagEventTable);
        if (line.verb === "set-policy")
          this.#statements.run(putTagPolicy, { pattern: line.tag, policy: line.policy!, event: line.sequence });
        else if (line.verb === "remove-policy") this.#statements.run(deleteTagPolicy, { pattern: line.tag });
        return;
      }
      default:
        this.#end.keep(line);
    }
  }

  isDeleted({ id, number }: { readonly id: string; readonly number: number }): boolean {
    return this.#db.prepare("SELECT 1 FROM deleted_run WHERE id = ? AND number = ?").get(id, number) !== undefined;
  }

  begin(run: RebuiltFacts): void {
    this.#guard(() => {
      if (this.#db.inTransaction) this.#db.exec("COMMIT"); // Of the log.
      this.#db.exec("BEGIN");
      const flow = this.#end.flowOf(run);
      const importer = new RunImporter(this.#statements, run, run.sequence, { flow, number: run.number });
      this.#open = { run, importer };
    });
  }

  add(row: RebuiltRow): void {
    this.#guard(() => {
      const { run, importer } = this.#begun();
      switch (row.kind) {
        case "call":
          return this.#end.call(run.sequence, row);
        case "origin":
          return this.#end.origin(importer.task(row.task), row.origin);
        case "term":
          return this.#end.term(run.sequence, importer.task(row.task), row);
        case "offer":
          return this.#end.offer(importer.task(row.task), row);
        default:
          importer.add(row);
      }
    });
  }

  blob(blob: NewBlob): void {
    this.#guard(() => insertBlobs(this.#statements, [blob]));
  }

  package(pack: Parameters<RecordRebuild["package"]>[0]): void {
    this.#guard(() => {
      const digest = bytesOfDigest(pack.digest);
      if (this.#statements.run(insertPackage, { digest, manifest: pack.manifest }) === 0) return;
      for (const blob of new Set(pack.blobs))
        this.#statements.run(insertPackageBlob, { package: digest, digest: bytesOfDigest(blob) });
    });
  }

  end(): readonly string[] {
    return this.#guard(() => {
      const { run } = this.#begun();
      const faults = finishRun(this.#db, run, run.sequence);
      this.#open = undefined;
      this.#db.exec(faults.length === 0 ? "COMMIT" : "ROLLBACK");
      return faults;
    });
  }

  abandon(): void {
    this.#open = undefined;
    if (this.#db.inTransaction) this.#db.exec("ROLLBACK");
  }

  found(value: Parameters<RecordRebuild["found"]>[0]): void {
    this.#guard(() => {
      if (!this.#db.inTransaction) this.#db.exec("BEGIN");
      this.#end.found(value);
    });
  }

  finish(
    end: LogEnd,
    by: { readonly at: Date; readonly actor: string; readonly host: string },
  ): readonly RebuildFault[] {
    return this.#guard(() => {
      if (this.#db.inTransaction) this.#db.exec("COMMIT");
      return this.#db.transaction(() => this.#end.finish(end, by))();
    });
  }

  get unread(): readonly UnreadRun[] {
    return this.#end.unread;
  }

  commit(): void {
    this.#guard(() => {
      this.#db.pragma("wal_checkpoint(TRUNCATE)");
      this.#db.close();
      sync(this.#part);
      fs.linkSync(this.#part, this.#file); // Fails when the name is taken.
    });
    this.#remove();
  }

  discard(): void {
    this.#db.close();
    this.#remove();
  }

  #remove(): void {
    for (const ending of BESIDE) fs.rmSync(`${this.#part}${ending}`, { force: true });
  }

  #begun(): { readonly run: RebuiltFacts; readonly importer: RunImporter } {
    if (this.#open !== undefined) return this.#open;
    throw new FlowError("FLOW_INTERNAL", { message: "A row was rebuilt without a run" });
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw metadataError("Cannot build the records", this.#file, error);
    }
  }
}

function sync(file: string): void {
  const fd = fs.openSync(file, "r+");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
