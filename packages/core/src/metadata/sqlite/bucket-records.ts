/** What the records know of their bucket: the rows behind `BucketRecords`. Written as text, since the lines are made by the triggers' own expressions. */
import type { Digest } from "../../artifact/artifact.ts";
import type { RunId } from "../../ids/run-id.ts";
import type { BucketRecords, LogEnd, PlannedEnd } from "../bucket-records.ts";
import type { TaskSequence } from "../metadata-store.ts";
import { newsLine } from "../sql/migrations/0009-buckets.ts";
import { bytesOfDigest, digestOfBytes } from "../sql/rows.ts";
import type { FinishRun } from "../tick.ts";
import type { Connection } from "./connection.ts";
import { finishRun } from "./finish-run.ts";
import { prepared } from "./prepared.ts";
import type { Statements } from "./statements.ts";

/** Runs statements in one transaction, as the store that holds them does. */
type Transaction = <T>(action: string, work: (on: Statements) => T) => Promise<T>;

/** In this order a reader can follow: what a line names was said before it. */
const STORY = [
  `SELECT ${newsLine.flow("x")} FROM flow AS x ORDER BY id`,
  `SELECT ${newsLine.flowName("x")} FROM flow_name AS x ORDER BY project, name`,
  `SELECT ${newsLine.begun("x")} FROM run AS x ORDER BY sequence`,
  `SELECT ${newsLine.event("x")} FROM tag_event AS x ORDER BY sequence`,
  `SELECT ${newsLine.signature("x")} FROM run_signature AS x ORDER BY run, position`,
  `SELECT ${newsLine.gone("x")} FROM gone_artifact AS x WHERE reason = 'ttl' ORDER BY task, name`,
  `SELECT ${newsLine.request("x")} FROM tag_request AS x ORDER BY run, tag`,
  `SELECT ${newsLine.deleted("x")} FROM deleted_run AS x ORDER BY deleted_at, id, number`,
];

export function bucketRecords(
  db: Connection,
  read: <T>(work: () => T) => Promise<T>,
  write: Transaction,
): BucketRecords {
  return {
    told: () => read(() => readEnd(db)),
    story: () => read(() => readStory(db)),
    attach: (end, known) =>
      write("Cannot tie the records to their bucket", () => {
        if (readEnd(db) !== undefined) return;
        const note = db.prepare("INSERT INTO bucket_news (line) VALUES (?)");
        for (const line of readStory(db)) if (!known.has(line)) note.run(line);
        db.prepare("INSERT INTO bucket (id, log_number, log_digest) VALUES (1, ?, ?)").run(
          end.number,
          bytesOfDigest(end.digest),
        );
      }),
    news: (limit) =>
      read(
        () =>
          prepared(db, "SELECT number, line FROM bucket_news ORDER BY number LIMIT ?").all(limit) as {
            readonly number: number;
            readonly line: string;
          }[],
      ),
    lastNews: () =>
      read(
        () =>
          (prepared(db, "SELECT seq FROM sqlite_sequence WHERE name = 'bucket_news'").get() as { seq: number })?.seq ??
          0,
      ),
    advance: (before, end, upTo) =>
      write("Cannot record what the bucket was told", () => {
        const { changes } = db
          .prepare("UPDATE bucket SET log_number = ?, log_digest = ? WHERE log_number = ? AND log_digest = ?")
          .run(end.number, bytesOfDigest(end.digest), before.number, bytesOfDigest(before.digest));
        if (changes > 0) db.prepare("DELETE FROM bucket_news WHERE number <= ?").run(upTo);
        return changes > 0;
      }),
    plannedEnd: (finish) => write("Cannot look ahead to the end of the run", (on) => planEnd(db, on, finish)),
    startedRuns: (run) =>
      read(() =>
        (
          prepared(
            db,
            `SELECT x.step, x.path, x.call, x.inputs_digest, child.id AS child FROM child_run AS x
              JOIN run AS child ON child.sequence = x.child WHERE x.run = ? ORDER BY x.step, x.path, x.call, x.inputs_digest`,
          ).all(run) as { step: string; path: string; call: number; inputs_digest: Uint8Array; child: RunId }[]
        ).map(({ inputs_digest, ...row }) => ({ ...row, inputs: digestOfBytes(inputs_digest) })),
      ),
    terms: (run) =>
      read(() =>
        (
          prepared(
            db,
            "SELECT task, name, transient, expires_at FROM artifact_term WHERE run = ? ORDER BY task, name",
          ).all(run) as { task: TaskSequence; name: string; transient: number; expires_at: number | null }[]
        ).map(({ task, name, transient, expires_at }) => ({
          task,
          name,
          transient: transient === 1,
          expiresAt: expires_at === null ? null : new Date(expires_at),
        })),
      ),
    offers: (run) =>
      read(() =>
        (
          prepared(
            db,
            `SELECT x.task, x.key, x.reads, x.created_at, x.record_digest FROM cache_entry AS x
              JOIN task ON task.sequence = x.task WHERE task.run = ? ORDER BY x.task, x.key`,
          ).all(run) as {
            task: TaskSequence;
            key: Uint8Array;
            reads: string;
            created_at: number;
            record_digest: Uint8Array | null;
          }[]
        ).map((row) => ({
          task: row.task,
          key: digestOfBytes(row.key),
          reads: row.reads,
          createdAt: new Date(row.created_at),
          ...(row.record_digest === null ? {} : { recordDigest: digestOfBytes(row.record_digest) }),
        })),
      ),
    flowOf: (run) => read(() => prepared(db, "SELECT flow FROM run WHERE sequence = ?").pluck().get(run) as number),
  };
}

export function readEnd(db: Connection): LogEnd | undefined {
  const row = prepared(db, "SELECT log_number, log_digest FROM bucket").get() as
    | { readonly log_number: number; readonly log_digest: Uint8Array }
    | undefined;
  return row === undefined ? undefined : { number: row.log_number, digest: digestOfBytes(row.log_digest) };
}

export function readStory(db: Connection): readonly string[] {
  return STORY.flatMap((sql) => db.prepare(sql).pluck().all() as string[]);
}

/** Thrown to take back what was written. */
class TakenBack extends Error {}

/** The end itself, written and taken back: what will stand there is what would stand there. */
function planEnd(db: Connection, on: Statements, finish: FinishRun): PlannedEnd {
  let digest: Digest | undefined;
  const gone = new Map<TaskSequence, Set<string>>();
  try {
    db.transaction(() => {
      finishRun(db, on, finish);
      const { run, execution, finishedAt } = finish;
      digest = digestOfBytes(
        db
          .prepare("SELECT end_digest FROM execution WHERE run = ? AND number = ?")
          .pluck()
          .get(run, execution) as Buffer,
      );
      const rows = db
        .prepare(
          `SELECT gone.task, gone.name FROM gone_artifact AS gone JOIN task ON task.sequence = gone.task
            WHERE task.run = ? AND gone.reason = 'transient' AND gone.gone_at = ?`,
        )
        .all(run, finishedAt.getTime()) as { readonly task: TaskSequence; readonly name: string }[];
      for (const { task, name } of rows) gone.set(task, (gone.get(task) ?? new Set()).add(name));
      throw new TakenBack();
    })();
  } catch (error) {
    if (!(error instanceof TakenBack)) throw error;
  }
  return { digest: digest!, gone };
}
