/**
 * References between records, one check each: rows that name a row which is not there. SQLite enforces some of them while
 * it writes; none of them survives a hand that writes without it, or a page that was lost.
 */
import type { RecordCheckId, Remedy } from "../../record-audit.ts";

/**
 * A query whose rows are faults. Columns that it may give: `run` and `task` (numbers, which become names), `artifact`,
 * `digest` (bytes) and whatever `say` wants. A query over a large table is asked in windows of the column `by`.
 */
export interface RecordCheck {
  readonly check: RecordCheckId;
  readonly table: string;
  readonly sql: string;
  /** The column of `table` (as `x`) by which windows are cut; the query then binds `:after` and `:upTo`. */
  readonly by?: string;
  /** The schema that has the table, where an older one is shown without it. */
  readonly schema?: number;
  readonly remedy: Remedy;
  readonly kind?: "note";
  /** What was seen; `{run}` and `{task}` stand for the names. */
  readonly say: (row: FaultRow) => string;
}

export interface FaultRow {
  readonly run: number | null;
  readonly task: number | null;
  readonly artifact: string | null;
  readonly digest: Uint8Array | null;
  readonly found: string | number | null;
  readonly wanted: string | number | null;
}

interface Reference {
  readonly from: string;
  readonly column: string;
  readonly to: string;
  readonly key: string;
  /** Expressions over `x`, the row that refers. */
  readonly run?: string;
  readonly task?: string;
  readonly artifact?: string;
  readonly by?: string;
  readonly what: string;
  readonly where?: string;
  readonly remedy?: Remedy;
  readonly kind?: "note";
}

const RUN_OF_TASK = "(SELECT run FROM task WHERE sequence = x.task)";

const references: readonly Reference[] = [
  { from: "flow_name", column: "flow", to: "flow", key: "id", what: "the flow of a name" },
  { from: "run", column: "flow", to: "flow", key: "id", run: "x.sequence", what: "the flow of {run}" },
  {
    from: "run",
    column: "origin",
    to: "run",
    key: "id",
    run: "x.sequence",
    what: "the run that {run} was forked from",
    // It may have been deleted, and is not in a store that only the fork was moved to.
    where: "x.sequence > 0 AND NOT EXISTS (SELECT 1 FROM deleted_run WHERE id = x.origin)",
  },
  {
    from: "run",
    column: "end_task",
    to: "task",
    key: "sequence",
    run: "x.sequence",
    what: "the task that ended {run}",
  },
  { from: "run_tag", column: "run", to: "run", key: "sequence", what: "the run of a tag" },
  { from: "tag_request", column: "run", to: "run", key: "sequence", what: "the run of a tag that was asked for" },
  { from: "run_signature", column: "run", to: "run", key: "sequence", what: "the run of a signature" },
  { from: "webhook_delivery", column: "webhook", to: "webhook", key: "id", what: "the webhook of a move" },
  { from: "run_parameter", column: "run", to: "run", key: "sequence", what: "the run of a parameter" },
  { from: "run_value", column: "run", to: "run", key: "sequence", artifact: "x.name", what: "the run of a value" },
  { from: "upstream", column: "run", to: "run", key: "sequence", what: "the run of an upstream" },
  {
    from: "upstream",
    column: "producer",
    to: "run",
    key: "id",
    run: "x.run",
    artifact: "x.name",
    what: "the run that {run} reads from",
    kind: "note",
  },
  { from: "execution", column: "run", to: "run", key: "sequence", what: "the run of an execution" },
  { from: "child_run", column: "run", to: "run", key: "sequence", what: "the run whose step started another run" },
  { from: "child_run", column: "child", to: "run", key: "sequence", run: "x.run", what: "a run that {run} started" },
  {
    from: "task",
    column: "run",
    to: "run",
    key: "sequence",
    task: "x.sequence",
    by: "sequence",
    what: "the run of {task}",
  },
  {
    from: "task",
    column: "inherits",
    to: "task",
    key: "sequence",
    run: "x.run",
    task: "x.sequence",
    by: "sequence",
    what: "the task that {task} starts from",
  },
  {
    from: "task",
    column: "origin",
    to: "task",
    key: "sequence",
    run: "x.run",
    task: "x.sequence",
    by: "sequence",
    what: "the task that {task} was taken over from",
    // Tasks go with their run, and 0 says that it is in another store: of a run that is there they are there.
    where: `x.origin <> 0 AND x.origin_kind = 'resume'
      AND EXISTS (SELECT 1 FROM run AS fork JOIN run AS source ON source.id = fork.origin WHERE fork.sequence = x.run)`,
  },
  {
    from: "artifact",
    column: "task",
    to: "task",
    key: "sequence",
    artifact: "x.name",
    by: "task",
    what: "the task of an artifact",
  },
  { from: "item_page", column: "split", to: "task", key: "sequence", by: "split", what: "the task of a page of items" },
  {
    from: "upstream_read",
    column: "task",
    to: "task",
    key: "sequence",
    run: "x.run",
    artifact: "x.artifact",
    by: "run",
    what: "a task of {run} that read an artifact",
  },
  { from: "upstream_read", column: "run", to: "run", key: "sequence", by: "run", what: "the run of a read" },
  {
    from: "metric",
    column: "task",
    to: "task",
    key: "sequence",
    run: "x.run",
    by: "run",
    what: "a task of {run} that recorded a metric",
  },
  { from: "metric", column: "run", to: "run", key: "sequence", by: "run", what: "the run of a metric" },
  { from: "run_metric", column: "run", to: "run", key: "sequence", what: "the run of a metric's last value" },
  { from: "log", column: "task", to: "task", key: "sequence", by: "sequence", what: "the task of a line of output" },
  { from: "cache_entry", column: "task", to: "task", key: "sequence", what: "the task of an entry of the step cache" },
  {
    from: "code_package_blob",
    column: "package",
    to: "code_package",
    key: "digest",
    what: "the code package of a file",
  },
];

/** Values that records name and that have no row. */
const blobReferences: readonly Omit<Reference, "to" | "key" | "column">[] = [
  {
    from: "artifact",
    run: RUN_OF_TASK,
    task: "x.task",
    artifact: "x.name",
    by: "task",
    what: 'the value of "{artifact}" of {task}',
  },
  {
    from: "item_page",
    run: "(SELECT run FROM task WHERE sequence = x.split)",
    task: "x.split",
    artifact: "'items'",
    by: "split",
    what: "the items of {task}",
  },
  { from: "run_value", run: "x.run", artifact: "x.name", what: 'the value of "{artifact}" of {run}' },
  {
    from: "code_package_blob",
    run: "(SELECT min(sequence) FROM run WHERE package_digest = x.package)",
    what: "a file of the code package of {run}",
  },
  {
    from: "upstream_read",
    run: "x.run",
    task: "x.task",
    artifact: "x.artifact",
    by: "run",
    what: 'the value of "{artifact}", which {task} read,',
    where: "EXISTS (SELECT 1 FROM run WHERE id = x.producer)",
  },
];

export const referenceChecks: readonly RecordCheck[] = [
  ...references.map(
    (reference): RecordCheck => ({
      check: "S02",
      table: reference.from,
      sql: danglingSql(reference),
      ...(reference.by === undefined ? {} : { by: reference.by }),
      ...(reference.kind === undefined ? {} : { kind: reference.kind }),
      remedy: reference.remedy ?? "copy",
      say: ({ wanted }) =>
        reference.kind === "note"
          ? `${reference.what}, ${wanted}, is not in this store`
          : `${reference.what} is not in the store: ${reference.from}.${reference.column} is ${wanted}`,
    }),
  ),
  ...blobReferences.map(
    (reference): RecordCheck => ({
      check: "S03",
      table: reference.from,
      sql: danglingSql({ ...reference, column: "digest", to: "blob", key: "digest" }),
      ...(reference.by === undefined ? {} : { by: reference.by }),
      remedy: "rerun",
      say: () => `${reference.what} is not in the store: no value of this digest is recorded`,
    }),
  ),
];

function danglingSql({ from, column, to, key, run, task, artifact, by, where }: Reference): string {
  const isDigest = column === "digest";
  return `SELECT ${run ?? "NULL"} AS run, ${task ?? "NULL"} AS task, ${artifact ?? "NULL"} AS artifact,
      ${isDigest ? "x.digest" : "NULL"} AS digest, NULL AS found,
      ${isDigest || column === "package" ? `lower(hex(x.${column}))` : `x.${column}`} AS wanted
    FROM ${from} AS x LEFT JOIN ${to} AS y ON y.${key} = x.${column}
    WHERE x.${column} IS NOT NULL AND y.${key} IS NULL${by === undefined ? "" : ` AND x.${by} > :after AND x.${by} <= :upTo`}${where === undefined ? "" : ` AND ${where}`}`;
}
