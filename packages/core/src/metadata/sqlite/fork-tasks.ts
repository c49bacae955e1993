/**
 * Taking over finished tasks of one run into another one, inside the caller's transaction. Every statement is one over
 * sets: 10,000 tasks are four statements, not 40,000. New task numbers are the old ones moved by one distance, so the links
 * between tasks are moved by plain arithmetic, and no table of pairs is needed; the numbers left out are never used.
 *
 * Written as text because lists go in as JSON, which each database reads in its own way.
 */
import { FlowError } from "../../errors/flow-error.ts";
import type { ForkTasks } from "../replay.ts";
import { runStatus } from "../sql/runs.ts";
import { reserveTasks } from "../sql/tasks.ts";
import type { Connection } from "./connection.ts";
import { noRun, runFinal } from "./run-errors.ts";
import { sqliteCode } from "./sqlite-error.ts";
import type { Statements } from "./statements.ts";

const text = {
  range: "SELECT min(sequence) AS first, max(sequence) AS last FROM task WHERE run = ?",
  tasks: `
    INSERT INTO task (sequence, run, step, path, attempt, status, started_at, finished_at, inherits, fan_out, choice,
      error, origin, origin_kind, value_reads, item_digest, duration_ms)
    SELECT sequence + :distance, :to, step, path, 1, status, started_at, finished_at, inherits + :distance, fan_out, choice,
      error, sequence, 'resume', value_reads, item_digest, duration_ms
    FROM task
    WHERE run = :from AND status IN ('succeeded', 'caught', 'skipped')
      AND step NOT IN (SELECT value FROM json_each(:steps))
      AND step || '/' || path NOT IN (SELECT value FROM json_each(:tasks))
      AND NOT EXISTS (
        SELECT 1 FROM task AS newer WHERE newer.run = task.run AND newer.step = task.step AND newer.path = task.path
          AND newer.attempt > task.attempt
      )`,
  orphan: `
    SELECT task.step || '/' || task.path FROM task LEFT JOIN task AS parent ON parent.sequence = task.inherits
    WHERE task.run = :to AND task.sequence >= :first AND task.inherits IS NOT NULL AND parent.sequence IS NULL LIMIT 1`,
  artifacts: `
    INSERT INTO artifact (task, name, codec, digest, size_bytes)
    SELECT task.sequence, artifact.name, artifact.codec, artifact.digest, artifact.size_bytes
    FROM task CROSS JOIN artifact ON artifact.task = task.origin WHERE task.run = :to AND task.sequence >= :first`,
  pages: `
    INSERT INTO item_page (split, first, count, codec, digest, size_bytes)
    SELECT task.sequence, page.first, page.count, page.codec, page.digest, page.size_bytes
    FROM task CROSS JOIN item_page AS page ON page.split = task.origin WHERE task.run = :to AND task.sequence >= :first`,
  gone: `
    INSERT INTO gone_artifact (task, name, codec, digest, size_bytes, reason, gone_at)
    SELECT task.sequence, gone.name, gone.codec, gone.digest, gone.size_bytes, gone.reason, gone.gone_at
    FROM task CROSS JOIN gone_artifact AS gone ON gone.task = task.origin
    WHERE task.run = :to AND task.sequence >= :first`,
  terms: `
    INSERT INTO artifact_term (run, task, name, transient, expires_at)
    SELECT task.run, task.sequence, term.name, term.transient, term.expires_at
    FROM artifact_term AS term CROSS JOIN task ON task.run = :to AND task.sequence = term.task + :distance
    WHERE term.run = :from`,
  reads: `
    INSERT INTO upstream_read (run, task, upstream, producer, artifact, codec, digest)
    SELECT task.run, task.sequence, seen.upstream, seen.producer, seen.artifact, seen.codec, seen.digest
    FROM task CROSS JOIN upstream_read AS seen ON seen.run = :from AND seen.task = task.origin
    WHERE task.run = :to AND task.sequence >= :first`,
} as const;

/** Answers how many tasks were taken over. */
export function forkTasks(db: Connection, statements: Statements, fork: ForkTasks): number {
  const { from, to, exceptSteps = [], exceptTasks = [] } = fork;
  if (statements.get(runStatus, { sequence: from }) === undefined) throw noRun(from);
  const target = statements.get(runStatus, { sequence: to });
  if (target === undefined) throw noRun(to);
  if (target.status !== "running") throw runFinal(target.id, target.status);

  const range = db.prepare(text.range).get(from) as { readonly first: number | null; readonly last: number | null };
  if (range.first === null || range.last === null) return 0;
  const count = range.last - range.first + 1;
  const first = statements.get(reserveTasks, { count })!.next_task - count;
  const distance = first - range.first;
  const taken = insertTasks(db, {
    from,
    to,
    distance,
    steps: JSON.stringify(exceptSteps),
    tasks: JSON.stringify(exceptTasks.map(({ step, path }) => `${step}/${path}`)),
  });
  const orphan = db.prepare(text.orphan).pluck().get({ to, first });
  if (orphan !== undefined) {
    throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", {
      message: `Cannot take over the task "${String(orphan)}": the task that it starts from is left out`,
      context: { from, to },
    });
  }
  db.prepare(text.artifacts).run({ to, first });
  db.prepare(text.pages).run({ to, first });
  db.prepare(text.gone).run({ to, first });
  db.prepare(text.terms).run({ from, to, distance });
  db.prepare(text.reads).run({ from, to, first });
  return taken;
}

function insertTasks(db: Connection, args: Readonly<Record<string, number | string>>): number {
  try {
    return db.prepare(text.tasks).run(args).changes;
  } catch (error) {
    if (sqliteCode(error) !== "SQLITE_CONSTRAINT_UNIQUE") throw error;
    throw new FlowError("FLOW_METADATA_CONFLICT", {
      message: `Cannot take over tasks into run number ${args.to}: it has one of them already`,
      context: { ...args },
      cause: error,
    });
  }
}
