/**
 * What is derived from other records and kept for speed: counters, what repeats a run's facts beside its tags, and what runs
 * are found by. Each rule says how a fault is seen and how the value is computed again, which gives the right value at any
 * time, whatever was found before.
 */
import { DIGEST_SCHEMA } from "../record-faults.ts";
import type { RecordCheck } from "./reference-checks.ts";

export interface DerivedRule extends RecordCheck {
  /** Statements that compute it again and change nothing where it is right. */
  readonly mend: readonly string[];
  /** What was rebuilt, for the report. */
  readonly done: string;
}

const NO_COLUMNS = "NULL AS task, NULL AS artifact, NULL AS digest";
const COUNT = "(SELECT count(*) FROM run WHERE run.flow = x.id)";
const NEWEST = "coalesce((SELECT max(sequence) FROM run WHERE run.flow = x.id), 0)";
const LAST = "coalesce((SELECT max(number) FROM run WHERE run.flow = x.id), 0)";

/** Whether the execution of a run (`y`) has ended as the run says: otherwise the run's own state may be the wrong one. */
export const STATE_IS_SURE = `EXISTS (SELECT 1 FROM execution AS z WHERE z.run = y.sequence AND z.number = y.execution
    AND z.status = CASE y.status WHEN 'queued' THEN 'running' ELSE y.status END)`;

/**
 * The execution of a run of which none was kept, as the second schema makes it for runs of the first. Where the lost one had
 * digests, this one says so and has none: the run stays one whose records are not those that were written (S11).
 */
const EXECUTION = `SELECT sequence AS run, execution AS number,
    json_object('host', coalesce(json_extract(environment, '$.host'), ''), 'pid', 0) AS runner,
    coalesce(json_extract(environment, '$.actor'), '') AS actor,
    coalesce(json_extract(environment, '$.command'), '[]') AS command, package_digest, '{}' AS options,
    coalesce(started_at, created_at) AS started_at, coalesce(started_at, created_at) AS heartbeat_at,
    finished_at AS ended_at, CASE status WHEN 'queued' THEN 'running' ELSE status END AS status,
    CASE WHEN start_digest IS NULL THEN NULL ELSE ${DIGEST_SCHEMA} END AS program_schema
  FROM run AS x
  WHERE json_valid(environment) AND NOT EXISTS (SELECT 1 FROM execution AS y WHERE y.run = x.sequence AND y.number = x.execution)`;

/** The last row of a metric of a run, as of `x`. */
const lastMetric = (column: string) =>
  `(SELECT ${column} FROM metric WHERE run = x.run AND name = x.name ORDER BY task DESC, position DESC LIMIT 1)`;
const WRONG_METRIC = `x.task IS NOT ${lastMetric("task")} OR x.step IS NOT ${lastMetric("step")}
  OR x.value IS NOT ${lastMetric("value")} OR x.flow IS NOT (SELECT flow FROM run WHERE sequence = x.run)`;
const MISSING_METRIC = `SELECT DISTINCT run, name FROM metric AS m
  WHERE NOT EXISTS (SELECT 1 FROM run_metric AS y WHERE y.run = m.run AND y.name = m.name)`;

export const derivedRules: readonly DerivedRule[] = [
  {
    check: "S07",
    table: "flow",
    sql: `SELECT NULL AS run, ${NO_COLUMNS}, x.project || '/' || x.name || ': ' || x.run_count AS found, ${COUNT} AS wanted
      FROM flow AS x WHERE x.run_count <> ${COUNT}`,
    remedy: "repair",
    say: ({ found, wanted }) => `the runs of ${found} are counted, and ${wanted} are there`,
    mend: [`UPDATE flow AS x SET run_count = ${COUNT} WHERE run_count <> ${COUNT}`],
    done: "counted the runs of each flow",
  },
  {
    check: "S07",
    table: "flow",
    sql: `SELECT NULL AS run, ${NO_COLUMNS}, x.project || '/' || x.name AS found, ${NEWEST} AS wanted
      FROM flow AS x WHERE x.newest_run <> ${NEWEST}`,
    remedy: "repair",
    say: ({ found }) => `the newest run of ${found} is another one than is recorded`,
    mend: [`UPDATE flow AS x SET newest_run = ${NEWEST} WHERE newest_run <> ${NEWEST}`],
    done: "looked up the newest run of each flow",
  },
  {
    check: "S07",
    table: "flow",
    sql: `SELECT NULL AS run, ${NO_COLUMNS}, x.project || '/' || x.name AS found, ${LAST} AS wanted
      FROM flow AS x WHERE x.last_number < ${LAST}`,
    remedy: "repair",
    say: ({ found, wanted }) => `the next run of ${found} would get a number that is taken: there is a run ${wanted}`,
    mend: [`UPDATE flow AS x SET last_number = ${LAST} WHERE last_number < ${LAST}`],
    done: "set the number of each flow's last run",
  },
  {
    check: "S07",
    table: "flow",
    sql: `SELECT NULL AS run, ${NO_COLUMNS}, x.project || '/' || x.name AS found, NULL AS wanted
      FROM flow AS x WHERE NOT EXISTS (SELECT 1 FROM flow_name AS y WHERE y.project = x.project AND y.name = x.name)`,
    remedy: "repair",
    say: ({ found }) => `the flow ${found} is not found by its name`,
    mend: [
      `INSERT INTO flow_name (project, name, flow) SELECT project, name, id FROM flow AS x
        WHERE NOT EXISTS (SELECT 1 FROM flow_name AS y WHERE y.project = x.project AND y.name = x.name)`,
    ],
    done: "entered flows under their names",
  },
  {
    check: "S07",
    table: "store",
    sql: `SELECT NULL AS run, ${NO_COLUMNS}, x.next_task AS found, (SELECT max(sequence) FROM task) AS wanted
      FROM store AS x WHERE x.next_task <= (SELECT max(sequence) FROM task)`,
    remedy: "repair",
    say: ({ found, wanted }) => `the next task would get number ${found}, which is taken: there is a task ${wanted}`,
    mend: [
      `UPDATE store SET next_task = 1 + (SELECT max(sequence) FROM task)
        WHERE next_task <= (SELECT max(sequence) FROM task)`,
    ],
    done: "set the number of the next task",
  },
  {
    check: "S07",
    table: "sqlite_sequence",
    sql: `SELECT NULL AS run, ${NO_COLUMNS}, (SELECT seq FROM sqlite_sequence WHERE name = 'run') AS found,
        max(sequence) AS wanted
      FROM run HAVING max(sequence) > coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'run'), 0)`,
    remedy: "repair",
    say: ({ wanted }) => `the place of the next run in the order of all is not past that of run number ${wanted}`,
    mend: [
      // Pages of other tables that came to lie here.
      `DELETE FROM sqlite_sequence WHERE typeof(seq) <> 'integer' OR name IS NULL
        OR name NOT IN (SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%')`,
      `UPDATE sqlite_sequence SET seq = (SELECT max(sequence) FROM run)
        WHERE name = 'run' AND seq < (SELECT max(sequence) FROM run)`,
      `INSERT INTO sqlite_sequence (name, seq) SELECT 'run', max(sequence) FROM run
        HAVING max(sequence) IS NOT NULL AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'run')`,
    ],
    done: "set the place of the next run",
  },
  {
    check: "S07",
    table: "run_tag",
    sql: `SELECT x.run AS run, ${NO_COLUMNS}, x.tag AS found, NULL AS wanted
      FROM run_tag AS x JOIN run AS y ON y.sequence = x.run WHERE x.flow <> y.flow OR (x.status <> y.status AND ${STATE_IS_SURE})`,
    remedy: "repair",
    say: ({ found }) => `the tag "${found}" of {run} is looked for under another flow or state than the run has`,
    mend: [
      `UPDATE run_tag AS x SET flow = y.flow FROM run AS y WHERE y.sequence = x.run AND x.flow <> y.flow`,
      `UPDATE run_tag AS x SET status = y.status FROM run AS y
        WHERE y.sequence = x.run AND x.status <> y.status AND ${STATE_IS_SURE}`,
    ],
    done: "put tags under the flow and state of their runs",
  },
  {
    check: "S07",
    table: "run_metric",
    sql: `SELECT x.run AS run, ${NO_COLUMNS}, x.name AS found, NULL AS wanted FROM run_metric AS x WHERE ${WRONG_METRIC}
      UNION ALL SELECT x.run AS run, ${NO_COLUMNS}, x.name AS found, NULL AS wanted FROM (${MISSING_METRIC}) AS x`,
    remedy: "repair",
    say: ({ found }) =>
      `the last value of the metric "${found}" of {run} is another one than is recorded beside the run`,
    mend: [
      `DELETE FROM run_metric AS x WHERE ${WRONG_METRIC}`,
      `INSERT INTO run_metric (run, name, flow, task, step, value)
        SELECT x.run, x.name, run.flow, ${lastMetric("task")}, ${lastMetric("step")}, ${lastMetric("value")}
        FROM (${MISSING_METRIC}) AS x JOIN run ON run.sequence = x.run`,
    ],
    done: "looked up the last values of metrics",
  },
  {
    check: "S07",
    table: "execution",
    sql: "",
    remedy: "repair",
    say: () => "",
    mend: [
      `INSERT INTO execution (run, number, runner, actor, command, package_digest, options, started_at, heartbeat_at,
        ended_at, status, program_schema) ${EXECUTION}`,
      // Where the two agree that it is over: which of two states is right cannot be computed.
      `UPDATE execution AS x SET ended_at = y.finished_at FROM run AS y
        WHERE y.sequence = x.run AND y.execution = x.number AND x.ended_at IS NULL
          AND y.status IN ('succeeded', 'failed', 'cancelled') AND x.status = y.status AND y.finished_at IS NOT NULL`,
    ],
    done: "made up lost executions from what their runs say",
  },
];
