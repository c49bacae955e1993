/**
 * Rows against the digests that were written with them, and what the rows of one run say of each other. `flow store verify` asks it
 * of all, `flow validate`, an export and an import of one run. All functions expect to stand inside a read transaction.
 */
import type { Digest } from "../../artifact/artifact.ts";
import { isFlowError } from "../../errors/flow-error.ts";
import type { RunDigests, TaskSequence } from "../metadata-store.ts";
import { type TermReason, taskDigest } from "../record-digest.ts";
import { digestOfBytes } from "../sql/rows.ts";
import { readObject } from "../stored-json.ts";
import { RowNames } from "./audit/row-names.ts";
import type { Connection } from "./connection.ts";
import { endDigestOf, startDigestOf } from "./run-digests.ts";

/** What does not fit; `{run}` and `{task}` in the evidence stand for the names. */
export interface RecordMismatch {
  readonly run: number;
  readonly task?: number;
  readonly artifact?: string;
  readonly table: string;
  readonly evidence: string;
}

/** The first schema that has digests. */
export const DIGEST_SCHEMA = 3;

/** Tasks in a window of numbers, perhaps of one run alone. */
export interface TaskWindow {
  readonly after: number;
  readonly upTo: number;
  readonly run?: number;
}

interface TaskFacts {
  readonly sequence: number;
  readonly run: number;
  readonly step: string;
  readonly path: string;
  readonly status: string;
  readonly fan_out: number | null;
  readonly choice: string | null;
  readonly terms: string | null;
  readonly digest: string;
  readonly parent: string;
}

const tasksOf = (
  run: number | undefined,
) => `SELECT x.sequence, x.run, x.step, x.path, x.status, x.fan_out, x.choice, x.terms,
    lower(hex(x.record_digest)) AS digest, lower(hex(y.record_digest)) AS parent
  FROM task AS x LEFT JOIN task AS y ON y.sequence = x.inherits
  WHERE x.record_digest IS NOT NULL AND x.sequence > ? AND x.sequence <= ?${run === undefined ? "" : " AND x.run = ?"}`;
/** Of one run alone, its tasks are asked one by one: between their numbers may lie those of a million others. */
const ofTasks = (column: string, run: number | undefined): string =>
  run === undefined
    ? `${column} > :after AND ${column} <= :upTo`
    : `${column} IN (SELECT sequence FROM task WHERE run = :run AND sequence > :after AND sequence <= :upTo)`;
const artifactsOf = (
  run: number | undefined,
) => `SELECT task, name, codec, lower(hex(digest)), NULL FROM artifact WHERE ${ofTasks("task", run)}
  UNION ALL SELECT task, name, codec, lower(hex(digest)), reason FROM gone_artifact WHERE ${ofTasks("task", run)}`;
const pagesOf = (run: number | undefined) =>
  `SELECT split, first, count, codec, lower(hex(digest)) FROM item_page WHERE ${ofTasks("split", run)} ORDER BY split, first`;

type ArtifactFacts = readonly [task: number, name: string, codec: string, digest: string, reason: string | null];
type PageFacts = readonly [split: number, first: number, count: number, codec: string, digest: string];

/** Finished tasks whose rows are not those that they left, as far as they have a digest. */
export function taskMismatches(db: Connection, { after, upTo, run }: TaskWindow): readonly RecordMismatch[] {
  const tasks = db.prepare(tasksOf(run)).all(after, upTo, ...(run === undefined ? [] : [run])) as TaskFacts[];
  if (tasks.length === 0) return [];
  const window = { after, upTo, ...(run === undefined ? {} : { run }) };
  const artifacts = Map.groupBy(db.prepare(artifactsOf(run)).raw().all(window) as ArtifactFacts[], ([task]) => task);
  const pages = Map.groupBy(db.prepare(pagesOf(run)).raw().all(window) as PageFacts[], ([split]) => split);
  const found: RecordMismatch[] = [];
  for (const task of tasks) {
    const own = artifacts.get(task.sequence) ?? [];
    const digest = taskDigest({
      step: task.step,
      path: task.path,
      status: task.status,
      fanOut: task.fan_out,
      choice: task.choice,
      parent: task.parent === "" ? null : task.parent,
      terms: task.terms,
      artifacts: own.map(([, name, codec, value]) => [name, codec, value]),
      pages: (pages.get(task.sequence) ?? []).map(([, ...page]) => page),
    });
    const about = { run: task.run, task: task.sequence };
    if (digest !== task.digest)
      found.push({
        ...about,
        table: "task",
        evidence: `the records of {task} are not those that it left: its outcome, one of its ${own.length} artifacts, its items or the task that it starts from was changed, added or taken away`,
      });
    else found.push(...wrongReasons(own, task.terms).map((wrong) => ({ ...about, table: "gone_artifact", ...wrong })));
  }
  return found;
}

/** Values that were given up for a reason that their task did not name. */
function wrongReasons(
  artifacts: readonly ArtifactFacts[],
  text: string | null,
): readonly { readonly artifact: string; readonly evidence: string }[] {
  const gone = artifacts.filter(([, , , , reason]) => reason !== null);
  if (gone.length === 0) return [];
  const terms = readObject<Readonly<Record<string, readonly TermReason[]>>>(text ?? "{}", "task.terms");
  return gone
    .filter(([, name, , , reason]) => !(terms[name] ?? []).includes(reason as TermReason))
    .map(([, name, , , reason]) => ({
      artifact: name,
      evidence: `"${name}" of {task} is recorded as given up (${reason}), and its task said ${terms[name] === undefined ? "that it is kept" : `"${terms[name].join('" or "')}"`}`,
    }));
}

const RUNS = `SELECT x.sequence AS run, x.status, lower(hex(x.start_digest)) AS start, lower(hex(y.end_digest)) AS "end",
    y.status AS ended, y.program_schema AS wrote,
    (SELECT program_schema FROM execution AS z WHERE z.run = x.sequence AND z.number = 1) AS began
  FROM run AS x LEFT JOIN execution AS y ON y.run = x.sequence AND y.number = x.execution`;

interface RunFacts {
  readonly run: number;
  readonly status: string;
  readonly start: string;
  readonly end: string;
  readonly ended: string | null;
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

/** Tasks that one read of a run looks at: numbers of other runs may lie between. */
const WINDOW = 20_000;

/** All that is wrong with the records of one run. */
export function mismatchesOfRun(db: Connection, run: number): readonly RecordMismatch[] {
  const found: RecordMismatch[] = [];
  const version = db.prepare("SELECT schema_version FROM store").pluck().get() as number;
  const { columns, from, where, having } = BROKEN_PAGES;
  const pages = db.prepare(`SELECT ${columns} ${from} WHERE x.run = ? AND ${where} ${having}`).all(run) as {
    readonly task: number;
    readonly found: number;
    readonly wanted: number | null;
  }[];
  for (const page of pages)
    found.push({ run, task: page.task, table: "item_page", evidence: sayBrokenPages(page.found, page.wanted) });
  const state = db.prepare(STATES).get(run) as { readonly found: string; readonly wanted: string } | undefined;
  if (state !== undefined) found.push({ run, table: "execution", evidence: sayTwoStates(state.found, state.wanted) });
  if (version < DIGEST_SCHEMA) return found;
  found.push(...runMismatches(db, run));
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
    after = upTo;
  }
}

/** What is wrong with the records of one run, in words. */
export function describeMismatches(db: Connection, run: number): readonly string[] {
  const names = new RowNames(db);
  return mismatchesOfRun(db, run).map((mismatch) => sayMismatch(names, mismatch));
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
