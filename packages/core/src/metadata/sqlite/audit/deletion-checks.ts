/** What is left of deleted runs, and what is said of values that are not kept for ever. */
import type { FaultRow, RecordCheck } from "./reference-checks.ts";

const WHAT = "x.flow_name || '/' || x.number";

const tombstone = (where: string, found: string, say: (row: FaultRow) => string): RecordCheck => ({
  check: "S06",
  table: "deleted_run",
  schema: 3,
  sql: `SELECT NULL AS run, NULL AS task, NULL AS artifact, NULL AS digest, ${found} AS found, ${WHAT} AS wanted
    FROM deleted_run AS x ${where}`,
  remedy: "copy",
  say,
});

const tombstones: readonly RecordCheck[] = [
  tombstone(
    // Its id alone may come back: with an import, under a number of its own.
    "JOIN run AS y ON y.id = x.id AND y.number = x.number",
    "y.sequence",
    ({ wanted }) => `${wanted} is recorded as deleted, and it is there`,
  ),
  tombstone(
    // Below zero are runs that came from elsewhere: their places are given again.
    "JOIN run AS y ON y.sequence = x.sequence WHERE x.sequence > 0",
    "y.flow_name || '/' || y.number",
    ({ found, wanted }) => `${wanted} is recorded as deleted, and ${found} has its place in the order of all runs`,
  ),
  tombstone(
    "WHERE x.status NOT IN ('succeeded', 'failed', 'cancelled', 'lost')",
    "x.status",
    ({ found, wanted }) => `${wanted} is recorded as deleted while it was "${found}", in which no run is deleted`,
  ),
  tombstone(
    "WHERE x.number < 1 OR length(x.id) <> 36 OR x.flow_name = '' OR x.via = ''",
    "x.id",
    ({ found, wanted }) => `what is left of ${wanted} (${found}) lacks what each deleted run leaves`,
  ),
  tombstone(
    // Which of the two was changed cannot be told: a repair that believed this one would skip numbers for ever.
    "JOIN flow AS y ON y.id = x.flow WHERE x.number > y.last_number",
    "y.last_number",
    ({ found, wanted }) => `${wanted} is recorded as deleted, and its flow has given numbers up to ${found}`,
  ),
  tombstone(
    "WHERE NOT EXISTS (SELECT 1 FROM flow AS y WHERE y.id = x.flow)",
    "x.flow",
    ({ found, wanted }) =>
      `the flow of ${wanted}, which was deleted, is not in the store: deleted_run.flow is ${found}`,
  ),
];

/** Whether the task (`y`) of a row of `artifact_term` (`x`) has said so itself. */
const saysSo = (reason: string) => `EXISTS (
    SELECT 1 FROM json_each(CASE WHEN json_valid(y.terms) THEN y.terms END) AS term, json_each(
      CASE WHEN term.type = 'array' THEN term.value ELSE '[]' END) AS agreed
    WHERE term.key = x.name AND agreed.value = '${reason}')`;

const terms: readonly RecordCheck[] = [
  {
    check: "S06",
    table: "artifact_term",
    schema: 3,
    sql: `SELECT y.run AS run, x.task AS task, x.name AS artifact, NULL AS digest,
        CASE WHEN x.run <> y.run THEN 'another run' WHEN x.transient = 1 AND NOT ${saysSo("transient")} THEN 'transient' ELSE 'ttl' END AS found,
        NULL AS wanted
      FROM artifact_term AS x JOIN task AS y ON y.sequence = x.task
      WHERE x.run <> y.run OR (y.record_digest IS NOT NULL
        AND ((x.transient = 1 AND NOT ${saysSo("transient")}) OR (x.expires_at IS NOT NULL AND NOT ${saysSo("ttl")})))`,
    remedy: "copy",
    say: ({ found }) =>
      found === "another run"
        ? 'when "{artifact}" of {task} is given up is recorded for another run'
        : `"{artifact}" of {task} is recorded to be given up (${found}), and its task said that it is kept`,
  },
  {
    check: "S06",
    table: "task",
    schema: 3,
    by: "sequence",
    // What an import or a fork of one brings has terms that are over: nothing of it is given up here.
    sql: `SELECT x.run AS run, x.sequence AS task, term.key AS artifact, NULL AS digest, NULL AS found, NULL AS wanted
      FROM task AS x, json_each(CASE WHEN json_valid(x.terms) THEN x.terms END) AS term
      WHERE x.sequence > :after AND x.sequence <= :upTo AND x.run > 0 AND x.origin IS NULL AND x.record_digest IS NOT NULL
        AND EXISTS (SELECT 1 FROM artifact WHERE task = x.sequence AND name = term.key)
        AND NOT EXISTS (SELECT 1 FROM artifact_term WHERE run = x.run AND task = x.sequence AND name = term.key)`,
    remedy: "copy",
    say: () => 'the task {task} said that "{artifact}" is not kept for ever, and when it is given up is not recorded',
  },
];

export const deletionChecks: readonly RecordCheck[] = [...tombstones, ...terms];
