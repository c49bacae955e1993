/** What must agree between records: sizes, states of runs and tasks, executions and pages of items. */

import { BROKEN_PAGES, sayBrokenPages, sayTwoStates, TWO_STATES } from "../record-faults.ts";
import { STATE_IS_SURE } from "./derived.ts";
import type { FaultRow, RecordCheck } from "./reference-checks.ts";

const FINAL = "('succeeded', 'failed', 'cancelled', 'lost')";
const FINAL_TASK = "('succeeded', 'failed', 'caught', 'cancelled', 'lost', 'skipped')";
/** What was lost has no end that anybody saw, where it was imported or rebuilt so; whoever continues a run gives it one. */
const HAS_AN_END = "x.status <> 'lost'";
/** A task that its successors can build on. */
const COMPLETE = "('succeeded', 'caught', 'skipped')";

interface Columns {
  readonly run?: string;
  readonly task?: string;
  readonly artifact?: string;
  readonly digest?: string;
  readonly found?: string;
  readonly wanted?: string;
}

function select(columns: Columns, rest: string): string {
  const { run = "NULL", task = "NULL", artifact = "NULL", digest = "NULL", found = "NULL", wanted = "NULL" } = columns;
  return `SELECT ${run} AS run, ${task} AS task, ${artifact} AS artifact, ${digest} AS digest, ${found} AS found,
      ${wanted} AS wanted ${rest}`;
}

const windowOf = (by: string) => `x.${by} > :after AND x.${by} <= :upTo`;

interface SizeCheck {
  readonly table: string;
  readonly run: string;
  readonly task?: string;
  readonly artifact: string;
  readonly by?: string;
  readonly what: string;
}

const sizeChecks = (
  [
    {
      table: "artifact",
      run: "(SELECT run FROM task WHERE sequence = x.task)",
      task: "x.task",
      artifact: "x.name",
      by: "task",
      what: '"{artifact}" of {task}',
    },
    {
      table: "item_page",
      run: "(SELECT run FROM task WHERE sequence = x.split)",
      task: "x.split",
      artifact: "'items'",
      by: "split",
      what: "a page of the items of {task}",
    },
    { table: "run_value", run: "x.run", artifact: "x.name", what: '"{artifact}" of {run}' },
  ] satisfies readonly SizeCheck[]
).map(
  ({ what, ...each }: SizeCheck): RecordCheck => ({
    check: "S05",
    table: each.table,
    ...(each.by === undefined ? {} : { by: each.by }),
    sql: select(
      { ...each, digest: "x.digest", found: "x.size_bytes", wanted: "blob.size_bytes" },
      `FROM ${each.table} AS x JOIN blob ON blob.digest = x.digest
       WHERE x.size_bytes <> blob.size_bytes${each.by === undefined ? "" : ` AND ${windowOf(each.by)}`}`,
    ),
    remedy: "repair",
    say: ({ found, wanted }) => `${what} is recorded with ${found} bytes, and its value with ${wanted}`,
  }),
);

const states: readonly RecordCheck[] = [
  state("run", {
    columns: { run: "x.sequence", found: "x.status" },
    rest: `FROM run AS x WHERE (x.status IN ${FINAL}) <> (x.finished_at IS NOT NULL) AND ${HAS_AN_END}`,
    say: ({ found }) => `{run} is ${found}, and its end is ${found === "running" ? "recorded" : "not recorded"}`,
  }),
  state("run", {
    columns: { run: "x.sequence" },
    rest: "FROM run AS x WHERE x.status = 'succeeded' AND x.end_task IS NULL",
    say: () => "{run} succeeded, and no task is recorded as its end",
  }),
  state("run", {
    columns: { run: "x.sequence", task: "y.sequence", found: "y.status" },
    rest: `FROM run AS x JOIN task AS y ON y.sequence = x.end_task WHERE y.run <> x.sequence OR y.status NOT IN ${COMPLETE}`,
    say: ({ found }) =>
      `{run} is recorded to end with {task}, which is ${found} and must be a finished task of that run`,
  }),
  state("run", {
    columns: { run: "x.sequence", found: "x.flow_name" },
    // The name that a flow goes by now is looked at by itself: it is known from the flow.
    rest: `FROM run AS x WHERE NOT EXISTS (SELECT 1 FROM flow_name AS y WHERE y.project = x.project AND y.name = x.flow_name AND y.flow = x.flow)
      AND NOT EXISTS (SELECT 1 FROM flow AS y WHERE y.id = x.flow AND y.project = x.project AND y.name = x.flow_name)`,
    say: ({ found }) => `{run} ran as "${found}", which is no name of its flow`,
  }),
  state("flow", {
    columns: { found: "x.name", wanted: "x.project" },
    rest: `FROM flow AS x JOIN flow_name AS y ON y.project = x.project AND y.name = x.name WHERE y.flow <> x.id`,
    say: ({ found, wanted }) => `the name "${wanted}/${found}" leads to another flow than the one that goes by it`,
  }),
  state("run", {
    columns: { run: "x.sequence", found: "x.parent" },
    rest: `FROM run AS x LEFT JOIN child_run AS y ON y.child = x.sequence WHERE (x.parent IS NULL) <> (y.child IS NULL)`,
    say: ({ found }) =>
      found === null
        ? "{run} does not say that a step started it, and the record of that step does"
        : "{run} says that a step started it, and there is no record of that call",
  }),
  state("execution", {
    columns: { run: "x.sequence", found: "x.execution" },
    rest: "FROM run AS x LEFT JOIN execution AS y ON y.run = x.sequence AND y.number = x.execution WHERE y.run IS NULL",
    say: ({ found }) => `execution ${found} of {run}, its current one, is not recorded`,
    remedy: "repair",
  }),
  state("execution", {
    columns: { run: "x.sequence", found: "y.status", wanted: "x.status" },
    rest: TWO_STATES,
    say: ({ found, wanted }) => sayTwoStates(found, wanted),
  }),
  state("execution", {
    columns: { run: "x.sequence", found: "y.status" },
    rest: `FROM run AS x JOIN execution AS y ON y.run = x.sequence AND y.number = x.execution
      WHERE y.status <> 'running' AND y.ended_at IS NULL AND y.status = x.status AND ${HAS_AN_END}`,
    say: ({ found }) => `the current execution of {run} is ${found}, and its end is not recorded`,
    remedy: "repair",
  }),
  state("execution", {
    columns: { run: "x.sequence" },
    rest: `FROM run AS x JOIN execution AS y ON y.run = x.sequence AND y.number = x.execution
      WHERE y.status = 'running' AND y.ended_at IS NOT NULL`,
    say: () => "the current execution of {run} is running, and its end is recorded",
  }),
  state("run_tag", {
    columns: { run: "x.run", artifact: "x.tag", found: "x.status", wanted: "y.status" },
    rest: `FROM run_tag AS x JOIN run AS y ON y.sequence = x.run WHERE x.status <> y.status AND NOT ${STATE_IS_SURE}`,
    say: ({ found, wanted }) => `{run} is ${wanted} by its own record, and ${found} beside its tag "{artifact}"`,
  }),
  state("execution", {
    columns: { run: "x.run", found: "x.number", wanted: "y.execution" },
    rest: `FROM execution AS x JOIN run AS y ON y.sequence = x.run
      WHERE x.number > y.execution OR (x.number < y.execution AND x.status = 'running')`,
    say: ({ found, wanted }) =>
      `execution ${found} of {run} is recorded as ${Number(found) < Number(wanted) ? "running" : "begun"}, while execution ${wanted} is the current one`,
  }),
  state("execution", {
    columns: { run: "x.sequence", found: "count(y.number)", wanted: "x.execution" },
    rest: `FROM run AS x JOIN execution AS y ON y.run = x.sequence AND y.number < x.execution
      GROUP BY x.sequence HAVING count(y.number) <> x.execution - 1`,
    say: ({ found, wanted }) => `{run} is in execution ${wanted}, and ${found} earlier ones are recorded`,
  }),
  state("execution", {
    columns: { run: "x.sequence", found: "0", wanted: "x.execution" },
    rest: `FROM run AS x WHERE x.execution > 1 AND NOT EXISTS (SELECT 1 FROM execution AS y WHERE y.run = x.sequence AND y.number < x.execution)`,
    say: ({ wanted }) => `{run} is in execution ${wanted}, and no earlier one is recorded`,
  }),
  state("run_signature", {
    columns: { run: "x.run", found: "lower(hex(x.key_id))" },
    rest: `FROM run_signature AS x JOIN run AS y ON y.sequence = x.run
      LEFT JOIN execution AS z ON z.run = x.run AND z.number = y.execution
      WHERE CASE WHEN json_valid(x.statement) THEN json_extract(x.statement, '$.run.id') IS NOT y.id
        OR json_extract(x.statement, '$.endDigest') IS NOT lower(hex(z.end_digest)) ELSE 1 END`,
    say: ({ found }) => `the signature of {run} by the key ${found} is of other records`,
  }),
  state("task", {
    columns: { run: "x.run", task: "x.sequence", found: "x.status", wanted: "y.status" },
    rest: `FROM task AS x JOIN run AS y ON y.sequence = x.run
      WHERE x.status NOT IN ${FINAL_TASK} AND y.status IN ${FINAL} AND ${windowOf("sequence")}`,
    by: "sequence",
    say: ({ found, wanted }) => `{task} is ${found}, and its run has ${wanted}`,
  }),
  state("task", {
    columns: { run: "x.run", task: "x.sequence", found: "x.status" },
    rest: `FROM task AS x WHERE (x.status IN ${FINAL_TASK}) <> (x.finished_at IS NOT NULL) AND ${HAS_AN_END} AND ${windowOf("sequence")}`,
    by: "sequence",
    say: ({ found }) => `{task} is ${found}, and its end is ${found === "running" ? "recorded" : "not recorded"}`,
  }),
  state("task", {
    columns: { run: "x.run", task: "x.sequence" },
    rest: `FROM task AS x JOIN task AS y ON y.sequence = x.inherits WHERE y.run <> x.run AND ${windowOf("sequence")}`,
    by: "sequence",
    say: () => "{task} starts from a task of another run",
  }),
  state("task", {
    columns: { run: "x.run", task: "x.sequence" },
    rest: `FROM task AS x WHERE (x.origin IS NULL) <> (x.origin_kind IS NULL) AND ${windowOf("sequence")}`,
    by: "sequence",
    say: () => "{task} is said to be taken over in one column, and not in the other",
  }),
  state("task", {
    columns: { run: "x.run", task: "x.sequence", found: "coalesce(sum(page.count), 0)", wanted: "x.fan_out" },
    rest: `${BROKEN_PAGES.from} WHERE ${windowOf("sequence")} AND ${BROKEN_PAGES.where} ${BROKEN_PAGES.having}`,
    by: "sequence",
    say: ({ found, wanted }) => sayBrokenPages(found, wanted),
    remedy: "rerun",
  }),
  state("cache_entry", {
    columns: { run: "y.run", task: "y.sequence", found: "y.status" },
    rest: "FROM cache_entry AS x JOIN task AS y ON y.sequence = x.task WHERE y.status <> 'succeeded'",
    say: ({ found }) => `the step cache offers {task}, which is ${found}`,
  }),
  state("upstream_read", {
    columns: { run: "x.run", task: "x.task", artifact: "x.artifact" },
    rest: `FROM upstream_read AS x JOIN task AS y ON y.sequence = x.task WHERE y.run <> x.run AND ${windowOf("run")}`,
    by: "run",
    say: () => `the read of "{artifact}" by {task} is recorded for another run`,
  }),
];

export const stateChecks: readonly RecordCheck[] = [...sizeChecks, ...states];

function state(
  table: string,
  {
    columns,
    rest,
    say,
    by,
    remedy = "copy",
  }: {
    readonly columns: Columns;
    readonly rest: string;
    readonly say: (row: FaultRow) => string;
    readonly by?: string;
    readonly remedy?: RecordCheck["remedy"];
  },
): RecordCheck {
  return {
    check: "S06",
    table,
    sql: select(columns, rest),
    ...(by === undefined ? {} : { by }),
    remedy,
    say,
  };
}
