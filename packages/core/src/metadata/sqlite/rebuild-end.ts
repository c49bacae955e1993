/** What leads from one run to another, and what is said of runs besides: kept while records are rebuilt, and put in when all runs are there. */
import type { RunId } from "../../ids/run-id.ts";
import type { LogEnd, StartedRun } from "../bucket-records.ts";
import type { TaskPlace } from "../imported-run.ts";
import {
  type LogLine,
  REBUILD_VIA,
  type RebuildFault,
  type RebuiltFacts,
  type RebuiltRow,
  type RecordRebuild,
  type UnreadRun,
} from "../record-rebuild.ts";
import { bytesOfDigest } from "../sql/rows.ts";
import { deleteTagRequest, putTagRequest } from "../sql/tag-policies.ts";
import { restoreHeldTags, tagLogReport } from "./audit/tag-checks.ts";
import type { Connection } from "./connection.ts";
import { flowFor } from "./create-run.ts";
import { giveUpArtifact } from "./give-up-artifacts.ts";
import { prepared } from "./prepared.ts";
import { insertSignatureAt } from "./signatures.ts";
import type { Statements } from "./statements.ts";

/** Tables of this connection alone. */
const KEPT = [
  "CREATE TEMP TABLE kept_line (number INTEGER PRIMARY KEY, line TEXT NOT NULL)",
  "CREATE TEMP TABLE kept_run (id TEXT NOT NULL, number INTEGER NOT NULL, line TEXT NOT NULL, PRIMARY KEY (id, number))",
  "CREATE TEMP TABLE kept_origin (task INTEGER PRIMARY KEY, run TEXT, step TEXT, path TEXT, attempt INTEGER)",
  "CREATE TEMP TABLE kept_call (run INTEGER, step TEXT, path TEXT, call INTEGER, inputs BLOB, child TEXT)",
  "CREATE TEMP TABLE found (digest BLOB NOT NULL, compression TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (digest, compression))",
];

/** Each once, when nothing names them any more: values that were given up, or that a later manifest does not name. */
const UNNAMED = `DELETE FROM blob WHERE digest NOT IN (SELECT digest FROM artifact) AND digest NOT IN (SELECT digest FROM item_page)
  AND digest NOT IN (SELECT digest FROM run_value) AND digest NOT IN (SELECT digest FROM code_package_blob)`;

const COUNTERS = `UPDATE flow SET
  run_count = (SELECT count(*) FROM run WHERE run.flow = flow.id),
  newest_run = coalesce((SELECT max(sequence) FROM run WHERE run.flow = flow.id), 0),
  last_number = max(coalesce((SELECT max(number) FROM run WHERE run.flow = flow.id), 0),
    coalesce((SELECT max(number) FROM deleted_run AS gone WHERE gone.flow = flow.id), 0))`;

/** Runs that use another one, which are named. */
const MAX_FAULTS = 100;

type Deleted = LogLine & { readonly kind: "deleted" };

export class RebuildEnd {
  /** Runs of which nothing but their beginning is known. */
  readonly unread: UnreadRun[] = [];
  readonly #db: Connection;
  readonly #statements: Statements;

  constructor(db: Connection, statements: Statements) {
    this.#db = db;
    this.#statements = statements;
  }

  prepare(): void {
    for (const table of KEPT) this.#db.exec(table);
  }

  /** A line that can be understood only when its run is there; the last one of a run that was begun counts. */
  keep(line: LogLine): void {
    if (line.kind === "begun") {
      const insert = "REPLACE INTO kept_run (id, number, line) VALUES (?, ?, ?)";
      prepared(this.#db, insert).run(line.id, line.number, JSON.stringify(line));
    } else if (line.kind === "deleted") this.#insertDeleted(line);
    else prepared(this.#db, "INSERT INTO kept_line (line) VALUES (?)").run(JSON.stringify(line));
  }

  /** The flow of a run by the names that the log gives; one that it does not know is made. */
  flowOf({ flow: { project, name }, flowRow }: Pick<RebuiltFacts, "flow" | "flowRow">): number {
    const known = this.#flowNamed(project, name);
    if (known !== undefined) return known;
    const isFree = prepared(this.#db, "SELECT 1 FROM flow WHERE id = ?").get(flowRow) === undefined;
    if (!isFree) return flowFor(this.#statements, { flow: { project, name }, formerly: [] });
    prepared(
      this.#db,
      "INSERT INTO flow (id, project, name, last_number, run_count, newest_run) VALUES (?, ?, ?, 0, 0, 0)",
    ).run(flowRow, project, name);
    prepared(this.#db, "INSERT INTO flow_name (project, name, flow) VALUES (?, ?, ?)").run(project, name, flowRow);
    return flowRow;
  }

  #flowNamed(project: string, name: string): number | undefined {
    const text = "SELECT flow FROM flow_name WHERE project = ? AND name = ?";
    return (prepared(this.#db, text).get(project, name) as { readonly flow: number } | undefined)?.flow;
  }

  call(run: number, { step, path, call, inputs, child }: StartedRun): void {
    prepared(this.#db, "INSERT INTO kept_call (run, step, path, call, inputs, child) VALUES (?, ?, ?, ?, ?, ?)").run(
      run,
      step,
      path,
      call,
      bytesOfDigest(inputs),
      child,
    );
  }

  origin(task: number, { run, step, path, attempt }: TaskPlace): void {
    prepared(this.#db, "REPLACE INTO kept_origin (task, run, step, path, attempt) VALUES (?, ?, ?, ?, ?)").run(
      task,
      run,
      step,
      path,
      attempt,
    );
  }

  term(run: number, task: number, { name, transient, expiresAt }: RebuiltRow & { readonly kind: "term" }): void {
    prepared(this.#db, "INSERT INTO artifact_term (run, task, name, transient, expires_at) VALUES (?, ?, ?, ?, ?)").run(
      run,
      task,
      name,
      transient ? 1 : 0,
      expiresAt?.getTime() ?? null,
    );
  }

  offer(task: number, { key, reads, createdAt, recordDigest }: RebuiltRow & { readonly kind: "offer" }): void {
    prepared(
      this.#db,
      "INSERT INTO cache_entry (key, task, reads, created_at, record_digest) VALUES (?, ?, ?, ?, ?)",
    ).run(
      bytesOfDigest(key),
      task,
      reads,
      createdAt.getTime(),
      recordDigest === undefined ? null : bytesOfDigest(recordDigest),
    );
  }

  found({ digest, compression, sizeBytes }: Parameters<RecordRebuild["found"]>[0]): void {
    prepared(this.#db, "REPLACE INTO found (digest, compression, size) VALUES (?, ?, ?)").run(
      bytesOfDigest(digest),
      compression,
      sizeBytes,
    );
  }

  finish(
    end: LogEnd,
    by: { readonly at: Date; readonly actor: string; readonly host: string },
  ): readonly RebuildFault[] {
    const db = this.#db;
    db.exec(`UPDATE task SET origin = (SELECT x.sequence FROM kept_origin AS kept JOIN run ON run.id = kept.run
        JOIN task AS x ON x.run = run.sequence AND x.step = kept.step AND x.path = kept.path AND x.attempt = kept.attempt
        WHERE kept.task = task.sequence)
      WHERE sequence IN (SELECT task FROM kept_origin AS kept JOIN run ON run.id = kept.run
        JOIN task AS x ON x.run = run.sequence AND x.step = kept.step AND x.path = kept.path AND x.attempt = kept.attempt)`);
    db.exec(`REPLACE INTO child_run (run, step, path, call, inputs_digest, child)
      SELECT kept.run, kept.step, kept.path, kept.call, kept.inputs, run.sequence
      FROM kept_call AS kept JOIN run ON run.id = kept.child`);
    this.#sayLines();
    // What is said from here on is news to the bucket.
    db.prepare("INSERT INTO bucket (id, log_number, log_digest) VALUES (1, ?, ?)").run(
      end.number,
      bytesOfDigest(end.digest),
    );
    this.#leaveUnended(by);
    db.exec(`UPDATE deleted_run AS gone SET flow = coalesce(
      (SELECT x.flow FROM flow_name AS x WHERE x.project = gone.project AND x.name = gone.flow_name), flow)`);
    db.exec(restoreHeldTags);
    db.exec("DELETE FROM flow WHERE id NOT IN (SELECT flow FROM flow_name)"); // Became a part of another one.
    db.exec(COUNTERS);
    db.exec(UNNAMED);
    return [...this.#missingValues(), ...this.#brokenLog(), ...this.#brokenReferences()];
  }

  #sayLines(): void {
    const sequenceOf = this.#db.prepare("SELECT sequence FROM run WHERE id = ?").pluck();
    const taskOf = this.#db
      .prepare("SELECT sequence FROM task WHERE run = ? AND step = ? AND path = ? AND attempt = ?")
      .pluck();
    const isSigned = this.#db.prepare("SELECT 1 FROM run_signature WHERE run = ? AND position = ?");
    for (const text of this.#db.prepare("SELECT line FROM kept_line ORDER BY number").pluck().all() as string[]) {
      const line = JSON.parse(text) as LogLine;
      if (line.kind !== "signature" && line.kind !== "gone" && line.kind !== "request") continue;
      const run = sequenceOf.get(line.run) as number | undefined;
      if (run === undefined) continue;
      if (line.kind === "signature") {
        if (isSigned.get(run, line.position) === undefined)
          insertSignatureAt(this.#statements, run, line.position, line);
      } else if (line.kind === "gone") {
        const task = taskOf.get(run, line.step, line.path, line.attempt) as number | undefined;
        if (task !== undefined) giveUpArtifact(this.#db, { run, task, name: line.name }, line.at);
      } else this.#sayRequest(run, line);
    }
  }

  #sayRequest(run: number, line: LogLine & { readonly kind: "request" }): void {
    const { tag, status, at, actor, host, via } = line;
    if (status === undefined) this.#statements.run(deleteTagRequest, { run, tag });
    else
      this.#statements.run(putTagRequest, {
        run,
        tag,
        at: at!,
        actor: actor!,
        host: host!,
        via: via!,
        reason: line.reason ?? null,
        status,
        why: line.why ?? null,
      });
  }

  /** Runs that were begun and of which the bucket has nothing: their numbers stay given. */
  #leaveUnended({ at, actor, host }: { readonly at: Date; readonly actor: string; readonly host: string }): void {
    const rows = this.#db
      .prepare(
        `SELECT line FROM kept_run AS kept WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.id = kept.id AND run.number = kept.number)
          AND NOT EXISTS (SELECT 1 FROM deleted_run AS gone WHERE gone.id = kept.id AND gone.number = kept.number)`,
      )
      .pluck()
      .all() as string[];
    for (const text of rows) {
      const line = JSON.parse(text) as LogLine & { readonly kind: "begun" };
      this.unread.push({ id: line.id, run: `${line.name}/${line.number}`, usedBy: this.#usersOf(line.id) });
      const reason = "its records were not in the bucket";
      const by = { deletedAt: at.getTime(), actor, host, via: REBUILD_VIA, reason };
      this.#insertDeleted({ ...line, kind: "deleted", status: "lost", ...by });
    }
    const highest = `max((SELECT coalesce(max(sequence), 0) FROM run), (SELECT coalesce(max(sequence), 0) FROM deleted_run))`;
    this.#db.exec("DELETE FROM sqlite_sequence WHERE name = 'run'");
    this.#db.exec(`INSERT INTO sqlite_sequence (name, seq) SELECT 'run', max(0, ${highest})`);
  }

  #usersOf(id: string): readonly string[] {
    return prepared(
      this.#db,
      `SELECT x.flow_name || '/' || x.number FROM run AS x WHERE x.sequence IN (
          SELECT run FROM upstream WHERE producer = :id UNION SELECT run FROM upstream_read WHERE producer = :id
          UNION SELECT task.run FROM kept_origin AS kept JOIN task ON task.sequence = kept.task WHERE kept.run = :id
          UNION SELECT run FROM kept_call WHERE child = :id)
        OR x.origin = :id OR x.parent ->> '$.run' = :id ORDER BY x.sequence LIMIT ${MAX_FAULTS}`,
    )
      .pluck()
      .all({ id }) as string[];
  }

  #insertDeleted(line: Deleted): void {
    const flow = this.#flowNamed(line.project, line.name) ?? line.flow;
    prepared(
      this.#db,
      `REPLACE INTO deleted_run (id, sequence, flow, project, flow_name, number, status, created_at, deleted_at, actor, host, via, reason)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      line.id,
      line.sequence,
      flow,
      line.project,
      line.name,
      line.number,
      line.status,
      line.createdAt,
      line.deletedAt,
      line.actor,
      line.host,
      line.via,
      line.reason,
    );
  }

  /** Large values that records name and the bucket does not hold; one that lies there in its other form is recorded so. */
  #missingValues(): readonly RebuildFault[] {
    this.#db.exec(`UPDATE blob SET compression = found.compression, stored_bytes = found.size FROM found
      WHERE found.digest = blob.digest AND blob.stored IS NULL AND NOT EXISTS (
        SELECT 1 FROM found AS same WHERE same.digest = blob.digest AND same.compression = blob.compression)`);
    const rows = this.#db
      .prepare(
        `SELECT lower(hex(blob.digest)) AS digest, blob.stored_bytes AS wanted, found.size AS found, (
            SELECT coalesce((SELECT run.flow_name || '/' || run.number FROM artifact JOIN task ON task.sequence = artifact.task
              JOIN run ON run.sequence = task.run WHERE artifact.digest = blob.digest LIMIT 1),
            (SELECT run.flow_name || '/' || run.number FROM run_value JOIN run ON run.sequence = run_value.run
              WHERE run_value.digest = blob.digest LIMIT 1))) AS run
          FROM blob LEFT JOIN found ON found.digest = blob.digest AND found.compression = blob.compression
          WHERE blob.stored IS NULL AND found.size IS NOT blob.stored_bytes`,
      )
      .all() as {
      readonly digest: string;
      readonly wanted: number;
      readonly found: number | null;
      run: string | null;
    }[];
    return rows.map(({ digest, wanted, found, run }) => ({
      ...(run === null ? {} : { run }),
      without: this.#runsWith(digest),
      message:
        found === null
          ? `the value ${digest} is not in the bucket`
          : `the value ${digest} has ${found} bytes in the bucket, and ${wanted} were stored`,
    }));
  }

  /** All runs that name a value, also by their code. */
  #runsWith(digest: string): readonly RunId[] {
    return prepared(
      this.#db,
      `SELECT id FROM run WHERE sequence IN (
          SELECT task.run FROM artifact AS x JOIN task ON task.sequence = x.task WHERE x.digest = :digest
          UNION SELECT task.run FROM item_page AS x JOIN task ON task.sequence = x.split WHERE x.digest = :digest
          UNION SELECT run FROM run_value WHERE digest = :digest
          UNION SELECT y.run FROM code_package_blob AS x JOIN execution AS y ON y.package_digest = x.package WHERE x.digest = :digest)
        OR package_digest IN (SELECT package FROM code_package_blob WHERE digest = :digest)`,
    )
      .pluck()
      .all({ digest: Buffer.from(digest, "hex") }) as RunId[];
  }

  #brokenLog(): readonly RebuildFault[] {
    const report = tagLogReport(this.#db);
    return report.kind === "whole"
      ? []
      : [{ message: `event ${report.sequence} of the log of tags: ${report.reason}` }];
  }

  #brokenReferences(): readonly RebuildFault[] {
    const rows = this.#db.pragma("foreign_key_check") as { readonly table: string; readonly parent: string }[];
    return [...Map.groupBy(rows, ({ table, parent }) => `${table} ${parent}`)].map(([, [first, ...more]]) => ({
      message: `${more.length + 1} rows of the table ${first!.table} name what the table ${first!.parent} does not have`,
    }));
  }
}
