/** Columns that hold JSON, each row read as those read it who use it: what they would fall over is told here, with the name of its run. */
import { isFlowError } from "../../../errors/flow-error.ts";
import type { RecordFault, Remedy } from "../../record-audit.ts";
import { readColumn, type StoredColumn } from "../../stored-columns.ts";
import type { Connection } from "../connection.ts";
import type { WindowedInput } from "./digest-faults.ts";
import type { RowNames } from "./row-names.ts";

interface JsonTable {
  readonly table: string;
  readonly columns: readonly string[];
  /** Expressions over `x`, the row. */
  readonly run?: string;
  readonly task?: string;
  /** Default: a copy. */
  readonly remedy?: Remedy;
  /** The column by which a large table is asked in windows. */
  readonly by?: string;
  readonly schema?: number;
  /** The row in words, where it belongs to no run. */
  readonly what?: string;
}

const RUN_OF_TASK = "(SELECT run FROM task WHERE sequence = x.task)";

const TABLES: readonly JsonTable[] = [
  {
    table: "run",
    columns: ["system_tags", "parameters", "secret_parameters", "environment", "failure", "origin_facts", "parent"],
    run: "x.sequence",
    by: "sequence",
  },
  { table: "execution", columns: ["runner", "command", "options"], run: "x.run", by: "run" },
  { table: "upstream", columns: ["selector", "candidates"], run: "x.run", by: "run" },
  { table: "task", columns: ["error", "value_reads"], run: "x.run", task: "x.sequence", by: "sequence" },
  { table: "task", columns: ["terms"], run: "x.run", task: "x.sequence", by: "sequence", schema: 3 },
  { table: "cache_entry", columns: ["reads"], run: RUN_OF_TASK, task: "x.task", remedy: "repair" },
  { table: "tag_policy", columns: ["policy"], what: "'the policy \"' || x.pattern || '\"'", schema: 4 },
  // A manifest is looked at with its package (S09), which knows the run, and the log of tags by its chain (S08).
];

/** Texts that were read before and are right: many rows hold the same. */
const MAX_KNOWN = 1_000;

interface Row {
  readonly run: number | null;
  readonly task: number | null;
  readonly what: string | null;
  readonly [column: string]: string | number | null;
}

export async function* jsonFaults(
  db: Connection,
  names: RowNames,
  { guarded, windowRows, maxFaults, schemaVersion }: WindowedInput,
): AsyncGenerator<RecordFault> {
  for (const table of TABLES) {
    if ((table.schema ?? 1) > schemaVersion) continue;
    let told = 0;
    for (const faults of windows(db, names, table, { guarded, windowRows })) {
      for (const fault of faults) if (told++ < maxFaults) yield fault;
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (told <= maxFaults) continue;
    yield {
      check: "S06",
      kind: "damage",
      evidence: `${told - maxFaults} further rows of ${table.table} cannot be read`,
      subject: { table: table.table },
      remedy: "copy",
    };
  }
}

function* windows(
  db: Connection,
  names: RowNames,
  table: JsonTable,
  { guarded, windowRows }: Pick<WindowedInput, "guarded" | "windowRows">,
): Generator<readonly RecordFault[]> {
  const { table: name, columns, run = "NULL", task = "NULL", what = "NULL", by } = table;
  const all = columns.map((column) => `x.${column}`).join(", ");
  const rows = `SELECT ${run} AS run, ${task} AS task, ${what} AS what, ${all}
    FROM ${name} AS x WHERE coalesce(${all}, NULL) IS NOT NULL`;
  const read = rowReader(names, table);
  const place = `the table ${name}`;
  if (by === undefined) {
    yield guarded(place, () => (db.prepare(rows).all() as Row[]).flatMap(read));
    return;
  }
  const end = `SELECT ${by} FROM ${name} WHERE ${by} > ? ORDER BY ${by} LIMIT 1 OFFSET ?`;
  for (let after = Number.MIN_SAFE_INTEGER; ; ) {
    let upTo: number | undefined;
    yield guarded(place, () => {
      upTo = db.prepare(end).pluck().get(after, windowRows) as number | undefined;
      const window = db.prepare(`${rows} AND x.${by} > ? AND x.${by} <= ?`);
      return (window.all(after, upTo ?? Number.MAX_SAFE_INTEGER) as Row[]).flatMap(read);
    });
    if (upTo === undefined) return;
    after = upTo;
  }
}

/** What is wrong with a row: each of its columns is read. */
function rowReader(
  names: RowNames,
  { table, columns, remedy = "copy" }: JsonTable,
): (row: Row) => readonly RecordFault[] {
  const known = new Map(columns.map((column) => [column, new Set<string>()]));
  const heldBy = (column: string, text: string): string | undefined => {
    const right = known.get(column)!;
    if (right.has(text)) return undefined;
    try {
      readColumn(`${table}.${column}` as StoredColumn, text);
    } catch (error) {
      if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) throw error;
      return String(error.context.held);
    }
    if (right.size < MAX_KNOWN) right.add(text);
    return undefined;
  };
  return (row) =>
    columns.flatMap((column): readonly RecordFault[] => {
      const text = row[column];
      const held = typeof text === "string" ? heldBy(column, text) : undefined;
      if (held === undefined) return [];
      const run = row.run === null ? undefined : names.run(row.run);
      const task = row.task === null ? undefined : names.task(row.task);
      return [
        {
          check: "S06",
          kind: "damage",
          evidence: `${task ?? run ?? row.what ?? `a row of ${table}`} cannot be read: ${table}.${column} is ${held}`,
          subject: {
            ...(run === undefined ? {} : { run }),
            ...(task === undefined ? {} : { task }),
            table,
          },
          remedy,
        },
      ];
    });
}
