/**
 * Taking over finished tasks of one run into a new one, inside the transaction that creates it. Every statement is one over
 * sets: 10,000 tasks are four statements, not 40,000. New task numbers are the old ones moved by one distance, so the links
 * between tasks are moved by plain arithmetic, and no table of pairs is needed; the numbers left out are never used.
 *
 * Written as text because lists go in as JSON, which each database reads in its own way.
 */
import { FlowError } from "../../errors/flow-error.ts";
import type { TakeOver } from "../replay.ts";
import { runStatus } from "../sql/runs.ts";
import { reserveTasks } from "../sql/tasks.ts";
import type { Connection } from "./connection.ts";
import { noRun } from "./run-errors.ts";
import type { Statements } from "./statements.ts";
import { DERIVE_RUN_METRICS } from "./write-metrics.ts";

const text = {
  range: "SELECT min(sequence) AS first, max(sequence) AS last FROM task WHERE run = ?",
  tasks: `
    INSERT INTO task (sequence, run, step, path, attempt, status, started_at, finished_at, inherits, fan_out, choice,
      error, origin, origin_kind, value_reads, duration_ms, terms, record_digest)
    SELECT sequence + :distance, :to, step, path, 1, status, started_at, finished_at, inherits + :distance, fan_out, choice,
      error, sequence, 'resume', value_reads, duration_ms, terms, record_digest
    FROM task
    WHERE run = :from AND status IN ('succeeded', 'caught', 'skipped')
      AND step NOT IN (SELECT value FROM json_each(:steps))
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
  metrics: `
    INSERT INTO metric (run, name, task, position, step, value)
    SELECT task.run, metric.name, task.sequence, metric.position, metric.step, metric.value
    FROM metric CROSS JOIN task ON task.run = :to AND task.sequence = metric.task + :distance
    WHERE metric.run = :from`,
  // A run that did not succeed belongs to the origin, which may go on with it: the fork's call begins one of its own.
  children: `
    INSERT INTO child_run (run, step, path, call, inputs_digest, child)
    SELECT :to, call.step, call.path, call.call, call.inputs_digest, call.child
    FROM child_run AS call CROSS JOIN run AS child ON child.sequence = call.child
    WHERE call.run = :from AND child.status = 'succeeded' AND call.step NOT IN (SELECT value FROM json_each(:steps))`,
} as const;

/** @param to the new run, which has no tasks yet */
export function takeOver(db: Connection, statements: Statements, { from, exceptSteps }: TakeOver, to: number): void {
  if (statements.get(runStatus, { sequence: from }) === undefined) throw noRun(from);
  const range = db.prepare(text.range).get(from) as { readonly first: number | null; readonly last: number | null };
  if (range.first === null || range.last === null) return;
  const count = range.last - range.first + 1;
  const first = statements.get(reserveTasks, { count })!.next_task - count;
  const distance = first - range.first;
  const steps = JSON.stringify(exceptSteps);
  db.prepare(text.tasks).run({ from, to, distance, steps });
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
  if (db.prepare(text.metrics).run({ from, to, distance }).changes > 0) db.prepare(DERIVE_RUN_METRICS).run(to);
  db.prepare(text.children).run({ from, to, steps });
}
