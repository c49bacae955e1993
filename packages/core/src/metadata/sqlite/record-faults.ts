/**
 * Rows against the digests that were written with them, and what the rows of one run say of each other. `flow store verify` asks it
 * of all, `flow validate`, an export and an import of one run. All functions expect to stand inside a read transaction.
 */
import type { Digest } from "../../artifact/artifact.ts";
import { isFlowError } from "../../errors/flow-error.ts";
import type { RecordPart, RunDigests, TaskSequence } from "../metadata-store.ts";
import { digestOfBytes } from "../sql/rows.ts";
import { readPlace } from "../stored-json.ts";
import { RowNames } from "./audit/row-names.ts";
import type { Connection } from "./connection.ts";
import { prepared } from "./prepared.ts";
import { endDigestOf, startDigestOf } from "./run-digests.ts";
import { type RecordMismatch, taskMismatches } from "./task-faults.ts";

/** The first schema that has digests. */
export const DIGEST_SCHEMA = 3;

const RUNS = `SELECT x.sequence AS run, x.status, lower(hex(x.start_digest)) AS start, lower(hex(y.end_digest)) AS "end",
    y.status AS ended, y.program_schema AS wrote, (SELECT z.run FROM task AS z WHERE z.sequence = x.end_task) AS end_run,
    (SELECT program_schema FROM execution AS z WHERE z.run = x.sequence AND z.number = 1) AS began
  FROM run AS x LEFT JOIN execution AS y ON y.run = x.sequence AND y.number = x.execution`;

interface RunFacts {
  readonly run: number;
  readonly status: string;
  readonly start: string;
  readonly end: string;
  readonly ended: string | null;
  /** Of the end task. */
  readonly end_run: number | null;
  readonly wrote: number | null;
  readonly began: number | null;
}

const OVER: readonly (string | null)[] = ["succeeded", "failed", "cancelled"];

/** The numbers of runs in a window. */
export function runsOf(db: Connection, after: number, upTo: number): readonly number[] {
  return db
    .prepare("SELECT sequence FROM run WHERE sequence > ? AND sequence <= ?")
    .pluck()
    .all(after, upTo) as number[];
}

/** What is wrong with a run against the digests of its beginning and its end. */
export function runMismatches(db: Connection, run: number): readonly RecordMismatch[] {
  const facts = db.prepare(`${RUNS} WHERE x.sequence = ?`).get(run) as RunFacts | undefined;
  if (facts === undefined) return [];
  const found: RecordMismatch[] = [];
  const add = (evidence: string): void => void found.push({ run, table: "run", evidence });
  // An imported run has those digests that it came with: the program that ran it may have known none.
  const isOurs = run > 0;
  if (facts.start !== "") {
    if (!isSame(() => startDigestOf(db, run), facts.start))
      add(
        "{run} was given something else than its records say: its code, parameters, values, upstreams, environment or origin were changed",
      );
  } else if (isOurs && (facts.began ?? 0) >= DIGEST_SCHEMA) add("{run} has lost the digest of what it was given");
  if (facts.end_run !== null && facts.end_run !== run) add("{run} is recorded as ended by a task of another run");
  if (facts.end !== "") {
    if (endDigestOf(db, run) !== facts.end)
      add(`{run} ended otherwise than its records say: its state, its end, its tasks or what they read were changed`);
  } else if (isOurs && (facts.wrote ?? 0) >= DIGEST_SCHEMA && OVER.includes(facts.ended))
    add("{run} has lost the digest of how it ended");
  return found;
}

/** Text that is no JSON has no digest, and is not what was written. */
function isSame(compute: () => string, digest: string): boolean {
  try {
    return compute() === digest;
  } catch (error) {
    if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) throw error;
    return false;
  }
}

/** Whether a run is known to have been given what its row says; undefined where nothing can tell. */
export function isAsGiven(db: Connection, run: number): boolean | undefined {
  const start = db.prepare("SELECT lower(hex(start_digest)) FROM run WHERE sequence = ?").pluck().get(run) as string;
  return start === "" ? undefined : isSame(() => startDigestOf(db, run), start);
}

/** How the pages of a task's items must fit to each other and to their number; over `x`, the task. */
export const BROKEN_PAGES = {
  columns: "x.run AS run, x.sequence AS task, coalesce(sum(page.count), 0) AS found, x.fan_out AS wanted",
  from: "FROM task AS x LEFT JOIN item_page AS page ON page.split = x.sequence",
  where: "(x.fan_out IS NOT NULL OR page.split IS NOT NULL)",
  having: `GROUP BY x.sequence
      HAVING coalesce(sum(page.count), 0) <> coalesce(x.fan_out, -1)
        OR coalesce(max(page.first + page.count), 0) <> coalesce(x.fan_out, -1)
        OR coalesce(min(page.count), 1) < 1 OR coalesce(min(page.first), 0) <> 0`,
} as const;

export function sayBrokenPages(found: unknown, wanted: unknown): string {
  return `{task} split into ${wanted ?? "no"} items, and its pages hold ${found}, or others than these`;
}

/** A run (`x`) that is in another state than its current execution (`y`). */
export const TWO_STATES = `FROM run AS x JOIN execution AS y ON y.run = x.sequence AND y.number = x.execution
      WHERE y.status <> CASE x.status WHEN 'queued' THEN 'running' ELSE x.status END`;
const STATES = `SELECT y.status AS found, x.status AS wanted ${TWO_STATES} AND x.sequence = ?`;

export function sayTwoStates(found: unknown, wanted: unknown): string {
  return `{run} is ${wanted} by its own record, and ${found} by that of its current execution: nothing says which is right`;
}

const WRONG_LAST_METRICS = `SELECT x.name FROM run_metric AS x WHERE x.run = ? AND NOT EXISTS (
    SELECT 1 FROM (SELECT task, step, value FROM metric WHERE run = x.run AND name = x.name
      ORDER BY task DESC, position DESC LIMIT 1) AS last
    WHERE last.task = x.task AND last.step IS x.step AND last.value IS x.value)`;

/** Tasks that one read of a run looks at: numbers of other runs may lie between. */
const WINDOW = 20_000;

/** All that is wrong with the records of one run. */
export function mismatchesOfRun(db: Connection, run: number): readonly RecordMismatch[] {
  const state = db.prepare(STATES).get(run) as { readonly found: string; readonly wanted: string } | undefined;
  return [
    ...(state === undefined
      ? []
      : [{ run, table: "execution", evidence: sayTwoStates(state.found, state.wanted) } satisfies RecordMismatch]),
    ...(hasDigests(db) ? runMismatches(db, run) : []),
    ...mismatchesOfTasks(db, run),
    ...lastMetricFaults(db, run),
  ];
}

/** Last values of metrics by which runs are chosen: they are kept beside the run, and are not those that its tasks recorded. */
function lastMetricFaults(db: Connection, run: number): readonly RecordMismatch[] {
  const names = prepared(db, WRONG_LAST_METRICS).pluck().all(run) as readonly string[];
  return names.map((name) => ({
    run,
    table: "run_metric",
    evidence: `the last value of the metric "${name}" of {run} is another than its tasks recorded`,
  }));
}

/** What is wrong with the records of all tasks of a run. */
function mismatchesOfTasks(db: Connection, run: number): readonly RecordMismatch[] {
  const { columns, from, where, having } = BROKEN_PAGES;
  const pages = db.prepare(`SELECT ${columns} ${from} WHERE x.run = ? AND ${where} ${having}`).all(run) as {
    readonly task: number;
    readonly found: number;
    readonly wanted: number | null;
  }[];
  const found: RecordMismatch[] = pages.map(({ task, found: held, wanted }) => ({
    run,
    task,
    table: "item_page",
    evidence: sayBrokenPages(held, wanted),
  }));
  if (!hasDigests(db)) return found;
  const first = db.prepare("SELECT min(sequence) FROM task WHERE run = ?").pluck().get(run) as number | null;
  const next = db
    .prepare(
      "SELECT max(sequence) FROM (SELECT sequence FROM task WHERE run = ? AND sequence > ? ORDER BY sequence LIMIT ?)",
    )
    .pluck();
  for (let after = (first ?? 0) - 1; ; ) {
    const upTo = next.get(run, after, WINDOW) as number | null;
    if (upTo === null) return found;
    found.push(...taskMismatches(db, { after, upTo, run }));
    after = readPlace(upTo, "task.sequence");
  }
}

function hasDigests(db: Connection): boolean {
  return (prepared(db, "SELECT schema_version FROM store").pluck().get() as number) >= DIGEST_SCHEMA;
}

/** As far as a chain of tasks is followed; no run is as deep. */
const MAX_CHAIN = 100_000;
const CHAIN = `WITH RECURSIVE chain (task, depth) AS (
    SELECT ?, 0 UNION ALL
    SELECT task.inherits, depth + 1 FROM chain JOIN task ON task.sequence = chain.task
    WHERE task.inherits IS NOT NULL AND depth < ${MAX_CHAIN}
  ) SELECT task.sequence, task.run FROM chain JOIN task ON task.sequence = chain.task ORDER BY depth`;

/**
 * Tasks that were found to be as they were left, and runs in the state in which they were: who reads of 100,000 tasks that start
 * from one looks at that one once. One for each connection.
 */
const looked = new WeakMap<Connection, Set<number | string>>();
/** Places that are remembered. */
const MOST_LOOKED = 100_000;

function memoryOf(db: Connection): Set<number | string> {
  const known = looked.get(db) ?? new Set();
  looked.set(db, known);
  if (known.size > MOST_LOOKED) known.clear();
  return known;
}

/** What is wrong with the records by which a task's artifacts are found: its own, and those of the tasks that it starts from. */
function mismatchesOfChain(db: Connection, run: number, task: number): readonly RecordMismatch[] {
  const known = memoryOf(db);
  const seen: number[] = [];
  for (const [sequence, owner] of prepared(db, CHAIN).raw().all(task) as (readonly [number, number])[]) {
    if (owner !== run) return [{ run, task: sequence, table: "task", evidence: "{task} is no task of {run}" }];
    if (known.has(sequence)) break; // And so were those that it starts from.
    const found = taskMismatches(db, { after: sequence - 1, upTo: sequence });
    if (found.length > 0) return found;
    seen.push(sequence);
  }
  for (const sequence of seen) known.add(sequence);
  return [];
}

/** As `runMismatches`, once for each state of a run. */
function mismatchesOfRunOnce(db: Connection, run: number): readonly RecordMismatch[] {
  const state = prepared(
    db,
    "SELECT status || ' ' || execution || ' ' || coalesce(end_task, '') FROM run WHERE sequence = ?",
  );
  const place = `${run} ${String(state.pluck().get(run))}`;
  const known = memoryOf(db);
  if (known.has(place)) return [];
  const found = runMismatches(db, run);
  if (found.length === 0) known.add(place);
  return found;
}

/**
 * What is wrong with the records of one run, in words.
 *
 * @param part of `MetadataReader.recordFaults`
 */
export function describeMismatches(db: Connection, run: number, part?: RecordPart): readonly string[] {
  const names = new RowNames(db);
  return mismatchesOfPart(db, run, part).map((mismatch) => sayMismatch(names, mismatch));
}

function mismatchesOfPart(db: Connection, run: number, part: RecordPart | undefined): readonly RecordMismatch[] {
  if (part === undefined) return mismatchesOfRun(db, run);
  if (typeof part === "object") {
    const stepOf = prepared(db, "SELECT step FROM task WHERE sequence = ?").pluck();
    return mismatchesOfTasks(db, run).filter(({ task }) => !part.exceptSteps.includes(stepOf.get(task) as string));
  }
  if (!hasDigests(db)) return [];
  return part === "run" ? mismatchesOfRunOnce(db, run) : mismatchesOfChain(db, run, part);
}

/** A mismatch in words that name its run and its task. */
export function sayMismatch(names: RowNames, { run, task, evidence }: RecordMismatch): string {
  const of = task === undefined ? evidence : evidence.replace("{task}", names.task(task));
  return of.replace("{run}", names.run(run));
}

/** The digests of a run and of its tasks, as they are recorded. */
export function readDigests(db: Connection, run: number): RunDigests {
  if ((db.prepare("SELECT schema_version FROM store").pluck().get() as number) < DIGEST_SCHEMA)
    return { tasks: new Map() };
  const row = db.prepare(`${RUNS} WHERE x.sequence = ?`).get(run) as RunFacts | undefined;
  const rows = db
    .prepare("SELECT sequence, terms, record_digest FROM task WHERE run = ? AND record_digest IS NOT NULL")
    .raw()
    .iterate(run);
  const tasks = new Map<TaskSequence, { readonly terms?: string; readonly digest: Digest }>();
  for (const [sequence, terms, digest] of rows as Iterable<readonly [TaskSequence, string | null, Uint8Array]>)
    tasks.set(sequence, { digest: digestOfBytes(digest), ...(terms === null ? {} : { terms }) });
  return {
    ...(row === undefined || row.start === "" ? {} : { start: row.start as Digest }),
    ...(row === undefined || row.end === "" ? {} : { end: row.end as Digest }),
    tasks,
  };
}
