/**
 * All that the records of one run say against it, in words: what `flow validate` fails for, and what keeps retention from
 * deciding over a run. Expects to stand inside a read transaction.
 */
import { isFlowError } from "../../errors/flow-error.ts";
import type { RunSequence } from "../metadata-store.ts";
import { executionsOfRun } from "../sql/executions.ts";
import { toExecutionRow, toUpstreamRow } from "../sql/rows.ts";
import { upstreamsOfRun } from "../sql/upstreams.ts";
import { RowNames } from "./audit/row-names.ts";
import type { Connection } from "./connection.ts";
import { describeMismatches } from "./record-faults.ts";
import { doubtfulTime, TIMES_OF_RUNS, type TimeTable, wrongTime } from "./record-times.ts";
import { readRun } from "./run-reads.ts";
import type { Statements } from "./statements.ts";

/** Wrong times that are told one by one. */
const MAX_TIMES = 20;

/** What does not fit: its digests, its executions, its times. */
export function describeRunFaults(db: Connection, run: number): readonly string[] {
  return [...describeMismatches(db, run), ...executionFaults(db, run), ...timeFaults(db, run)];
}

/**
 * Why nothing may be decided by the records of a run: one that cannot be read, one that holds another number of tags than the
 * log gave it, an end years before its begin, and what `describeRunFaults` tells.
 */
export function doubtsAbout(db: Connection, statements: Statements, run: RunSequence): readonly string[] {
  try {
    readRun(statements, run, undefined);
    statements.all(executionsOfRun, { run }).map((row) => toExecutionRow(row));
    statements.all(upstreamsOfRun, { run }).map((row) => toUpstreamRow(row));
    return [...describeRunFaults(db, run), ...timeFaults(db, run, doubtfulTime), ...lostTags(db, run)];
  } catch (error) {
    if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) throw error;
    return [lowerFirst(error.message)];
  }
}

function executionFaults(db: Connection, run: number): readonly string[] {
  const lost = db
    .prepare(
      `SELECT execution AS current, (SELECT count(*) FROM execution AS y WHERE y.run = x.sequence AND y.number <= x.execution) AS kept,
        EXISTS (SELECT 1 FROM execution AS y WHERE y.run = x.sequence AND y.number = x.execution) AS isThere
      FROM run AS x WHERE sequence = ?`,
    )
    .get(run) as { readonly current: number; readonly kept: number; readonly isThere: 0 | 1 } | undefined;
  if (lost === undefined || lost.kept === lost.current) return [];
  const name = new RowNames(db).run(run);
  return lost.isThere === 0
    ? [`execution ${lost.current} of ${name}, its current one, is not recorded`]
    : [`${name} is in execution ${lost.current}, and ${lost.kept - 1} earlier ones are recorded`];
}

/** @param ask the expression that says what is wrong with a row, or null */
function timeFaults(
  db: Connection,
  run: number,
  ask: (table: TimeTable) => string | undefined = wrongTime,
): readonly string[] {
  const names = new RowNames(db);
  return TIMES_OF_RUNS.flatMap((table) => {
    const wrong = ask(table);
    if (wrong === undefined) return [];
    const rows = db
      .prepare(
        `SELECT task, wrong FROM (SELECT ${table.task ?? "NULL"} AS task, ${wrong} AS wrong FROM ${table.table} AS x
        WHERE ${table.run} = ?) WHERE wrong IS NOT NULL LIMIT ${MAX_TIMES}`,
      )
      .all(run) as readonly { readonly task: number | null; readonly wrong: string }[];
    return rows.map(({ task, wrong: what }) => `${task === null ? names.run(run) : names.task(task)}: ${what}`);
  });
}

/** Tags that the log gave the run and never took, and that it does not hold: they would keep it. */
function lostTags(db: Connection, run: number): readonly string[] {
  const tags = db
    .prepare(
      `SELECT event.tag FROM run CROSS JOIN tag_event AS event ON event.run = run.id AND event.verb = 'add'
      WHERE run.sequence = :run AND NOT EXISTS (SELECT 1 FROM run_tag WHERE run = :run AND tag = event.tag)
        AND NOT EXISTS (SELECT 1 FROM tag_event AS later
          WHERE later.run = event.run AND later.tag = event.tag AND later.sequence > event.sequence)`,
    )
    .pluck()
    .all({ run }) as readonly string[];
  return tags.map((tag) => `it does not hold "${tag}", which the log of tags gave it and never took`);
}

function lowerFirst(text: string): string {
  return `${text.slice(0, 1).toLowerCase()}${text.slice(1)}`;
}
