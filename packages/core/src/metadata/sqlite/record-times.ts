/**
 * Times of records that cannot be: those that JavaScript cannot tell, and those before 1970. Whoever reads such a row fails, and
 * no program writes one. `flow store verify` asks it of all rows, `flow validate` of one run.
 *
 * Ends that lie years before their begin are doubtful: a machine whose clock starts in 1970 writes them, so they are no damage, but
 * nothing is to be deleted by them.
 */

/** The last millisecond that a `Date` can hold. */
const LAST_MS = 8_640_000_000_000_000;
/** Further than a clock that is kept is set back: ten years. */
const YEARS_MS = 315_576_000_000;

export interface TimeTable {
  readonly table: string;
  readonly columns: readonly string[];
  /** Columns of which the second is doubtful when it lies years before the first. */
  readonly order?: readonly (readonly [begin: string, end: string])[];
  /** Expressions over `x`, the row. */
  readonly run?: string;
  readonly task?: string;
  /** The column by which a large table is asked in windows. */
  readonly by?: string;
  /** The schema that has the table, where that is not the first. */
  readonly schema?: number;
  /** The row in words, where it belongs to no run and no task. */
  readonly what?: string;
}

const RUN_OF_TASK = "(SELECT run FROM task WHERE sequence = x.task)";

/** Tables whose rows belong to a run that is there; all have what names it in `run`. */
export const TIMES_OF_RUNS: readonly TimeTable[] = [
  {
    table: "run",
    columns: ["created_at", "started_at", "finished_at"],
    order: [
      ["created_at", "finished_at"],
      ["started_at", "finished_at"],
    ],
    run: "x.sequence",
  },
  {
    table: "execution",
    columns: ["started_at", "heartbeat_at", "ended_at"],
    order: [
      ["started_at", "ended_at"],
      ["started_at", "heartbeat_at"],
    ],
    run: "x.run",
  },
  {
    table: "task",
    columns: ["started_at", "finished_at"],
    order: [["started_at", "finished_at"]],
    run: "x.run",
    task: "x.sequence",
    by: "sequence",
  },
  { table: "upstream", columns: ["resolved_at"], run: "x.run" },
];

export const TIME_TABLES: readonly TimeTable[] = [
  ...TIMES_OF_RUNS,
  { table: "log", columns: ["at"], run: RUN_OF_TASK, task: "x.task", by: "sequence" },
  { table: "cache_entry", columns: ["created_at"], run: RUN_OF_TASK, task: "x.task" },
  { table: "gone_artifact", columns: ["gone_at"], run: RUN_OF_TASK, task: "x.task", schema: 3 },
  { table: "artifact_term", columns: ["expires_at"], run: "x.run", task: "x.task", schema: 3 },
  {
    table: "deleted_run",
    columns: ["created_at", "deleted_at"],
    order: [["created_at", "deleted_at"]],
    what: "'what is left of ' || x.flow_name || '/' || x.number",
    schema: 3,
  },
  { table: "tag_request", columns: ["at"], run: "x.run", schema: 4 },
  { table: "webhook", columns: ["created_at", "delivered_at"], what: "'webhook ' || x.id", schema: 4 },
];

/** What is wrong with the times of a row (`x`), as text; null when nothing is. */
export function wrongTime({ table, columns }: TimeTable): string {
  const cases = columns.map(
    (column) => `WHEN ${isNoTime(column)} THEN '${table}.${column} is no time: ' || x.${column}`,
  );
  return `CASE ${cases.join(" ")} END`;
}

/** The same of times that are doubtful; undefined for a table that cannot have them. */
export function doubtfulTime({ table, order }: TimeTable): string | undefined {
  const cases = order?.map(
    ([begin, end]) =>
      `WHEN ${isYearsBefore(begin, end)} THEN '${table}.${end} lies years before ${table}.${begin}: ' || ${day(end)} || ' and ' || ${day(begin)}`,
  );
  return cases === undefined ? undefined : `CASE ${cases.join(" ")} END`;
}

/** Whether a time of a row (`x`) cannot be. */
export function isWrongTime({ columns }: TimeTable): string {
  return `(${columns.map(isNoTime).join(" OR ")})`;
}

function isNoTime(column: string): string {
  return `x.${column} NOT BETWEEN 0 AND ${LAST_MS}`;
}

function isYearsBefore(begin: string, end: string): string {
  return `x.${end} < x.${begin} - ${YEARS_MS}`;
}

function day(column: string): string {
  return `coalesce(date(x.${column} / 1000, 'unixepoch'), x.${column})`;
}
