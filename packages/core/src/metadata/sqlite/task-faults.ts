/**
 * What finished tasks left against the digests that were written with it. Workers ask it of a task whose outcome they would
 * take: few files are loaded.
 */
import { firstTaskDigest, type TaskRecord, type TermReason, taskDigest } from "../record-digest.ts";
import { readObject } from "../stored-json.ts";
import type { Connection } from "./connection.ts";
import { prepared } from "./prepared.ts";
import { metricsOfTasks } from "./recorded-metrics.ts";

/** What does not fit; `{run}` and `{task}` in the evidence stand for the names. */
export interface RecordMismatch {
  readonly run: number;
  readonly task?: number;
  readonly artifact?: string;
  readonly table: string;
  readonly evidence: string;
}

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
  readonly value_reads: string | null;
  readonly digest: string;
  readonly parent: string;
}

const tasksOf = (
  run: number | undefined,
) => `SELECT x.sequence, x.run, x.step, x.path, x.status, x.fan_out, x.choice, x.terms, x.value_reads,
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
  const tasks = prepared(db, tasksOf(run)).all(after, upTo, ...(run === undefined ? [] : [run])) as TaskFacts[];
  if (tasks.length === 0) return [];
  const window = { after, upTo, ...(run === undefined ? {} : { run }) };
  const artifacts = Map.groupBy(prepared(db, artifactsOf(run)).raw().all(window) as ArtifactFacts[], ([task]) => task);
  const pages = Map.groupBy(prepared(db, pagesOf(run)).raw().all(window) as PageFacts[], ([split]) => split);
  const metrics = metricsOfTasks(db, window);
  const found: RecordMismatch[] = [];
  for (const task of tasks) {
    const own = artifacts.get(task.sequence) ?? [];
    const record: TaskRecord = {
      step: task.step,
      path: task.path,
      status: task.status,
      fanOut: task.fan_out,
      choice: task.choice,
      parent: task.parent === "" ? null : task.parent,
      terms: task.terms,
      valueReads: task.value_reads,
      metrics: metrics.get(task.sequence) ?? [],
      artifacts: own.map(([, name, codec, value]) => [name, codec, value]),
      pages: (pages.get(task.sequence) ?? []).map(([, ...page]) => page),
    };
    const about = { run: task.run, task: task.sequence };
    if (taskDigest(record) !== task.digest && firstTaskDigest(record) !== task.digest)
      found.push({
        ...about,
        table: "task",
        evidence: `the records of {task} are not those that it left: its outcome, one of its ${own.length} artifacts, its metrics, its items, what it read or the task that it starts from was changed, added or taken away`,
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

/** Whether the rows of a finished task are those that it left. */
export function isAsLeft(db: Connection, task: number): boolean {
  return taskMismatches(db, { after: task - 1, upTo: task }).length === 0;
}
