import { FlowError, isFlowError } from "../errors/flow-error.ts";
import type { TaskPath } from "../ids/task-path.ts";
import { runName } from "../lineage/run-name.ts";
import type { LogRow, LogSequence, MetadataReader, RunRow, TaskRow, TaskSequence } from "../metadata/metadata-store.ts";
import { isOver } from "../metadata/run-state.ts";
import { listAttempts, listTasks, noTask, taskFilter } from "./list-tasks.ts";
import { taskName } from "./task-name.ts";

/** A piece of what a task wrote, with where it came from. */
export interface LogEntry {
  /** `Train/17/evaluate/3`. */
  readonly task: string;
  readonly attempt: number;
  readonly stream: "stdout" | "stderr";
  /** When the task wrote it; UTC. */
  readonly at: Date;
  readonly text: string;
}

export interface LogQuery {
  readonly step?: string;
  readonly path?: TaskPath;
  readonly stream?: "stdout" | "stderr";
  /** One attempt of each task, or the newest of each; default all, in order. */
  readonly attempt?: number | "last";
}

export interface FollowOptions {
  /** Between two looks at the store while nothing comes; milliseconds, default 200. */
  readonly pollMs?: number;
  /** Lets time pass; a caller that shows something while nothing comes does so here. */
  readonly wait?: (ms: number) => Promise<void>;
  /** Called when all that was there has been given: from now on it comes from many tasks at once. */
  readonly onLive?: () => void;
  /** Ends the following. */
  readonly signal?: AbortSignal;
}

/** Pieces read at once: one has 32 KiB as a rule, so that a page is about a megabyte however much was written. */
const LOG_PAGE = 32;
const POLL_MS = 200;
/** Forks of forks that are followed to the task that wrote something. */
const MAX_ORIGINS = 100;
/** Tasks whose names a follower remembers; the others are asked for again when they write. */
const KNOWN_TASKS = 10_000;

/**
 * What the tasks of a run wrote: task by task in the order in which they were started, of each task attempt by attempt,
 * each in the order of writing. Holds about a megabyte at a time.
 *
 * @throws FlowError FLOW_CLIENT_NO_TASK when the query names a step, task or attempt that the run does not have
 */
export async function* readLogs(metadata: MetadataReader, run: RunRow, query: LogQuery = {}): AsyncGenerator<LogEntry> {
  yield* readUntil(metadata, run, query, undefined);
}

/**
 * What the tasks of a run wrote until now, as `readLogs`, and then what they write, in the order in which it comes, until
 * the run is over: also when another process runs it, and when that process is lost.
 *
 * @returns the run as it stood when the last of its output was read
 * @throws FlowError FLOW_CLIENT_NO_TASK when the run ended without the step, task or attempt that the query names
 */
export async function* followLogs(
  metadata: MetadataReader,
  run: RunRow,
  query: LogQuery = {},
  { pollMs = POLL_MS, wait = pass, onLive, signal }: FollowOptions = {},
): AsyncGenerator<LogEntry, RunRow> {
  // Tasks are read one after the other while they go on writing: what comes behind this mark is for the second part.
  let after = await metadata.logEnd();
  let now = (await metadata.run(run.sequence)) ?? run;
  try {
    yield* readUntil(metadata, run, query, after);
  } catch (error) {
    if (isOver(now.status) || !isFlowError(error, "FLOW_CLIENT_NO_TASK")) throw error; // Else it may still come.
  }
  onLive?.();
  const tasks = new KnownTasks(metadata);
  let hasMore = false;
  while (true) {
    // The status is read first: what was written before the run ended is in the page that is read after it.
    if (!hasMore) now = (await metadata.run(run.sequence)) ?? run;
    const { rows, next } = await metadata.runLogs({ run: run.sequence, after, limit: LOG_PAGE });
    for (const row of rows) {
      const task = await tasks.get(row.task);
      if (task !== undefined && fits(task, row, query)) yield toEntry(run, task, row);
    }
    after = next;
    hasMore = rows.length === LOG_PAGE;
    if (hasMore) continue;
    if (isOver(now.status)) break;
    await wait(pollMs);
    if (signal?.aborted) return now;
  }
  if (query.step !== undefined && (await metadata.tasks({ ...taskFilter(run, query), limit: 1 })).length === 0)
    throw await noTask(metadata, run, query.step, query.path);
  return now;
}

async function* readUntil(
  metadata: MetadataReader,
  run: RunRow,
  query: LogQuery,
  end: LogSequence | undefined,
): AsyncGenerator<LogEntry> {
  let hasTask = false;
  let newest = 0;
  for await (const task of query.attempt === "last"
    ? listTasks(metadata, run, { ...query, newest: true })
    : listAttempts(metadata, run, query)) {
    newest = Math.max(newest, task.attempt);
    if (typeof query.attempt === "number" && task.attempt !== query.attempt) continue;
    hasTask = true;
    yield* readTask(metadata, run, task, query.stream, end);
  }
  if (hasTask) return;
  if (newest > 0 && typeof query.attempt === "number") throw noAttempt(run, query, newest);
  if (query.step !== undefined) throw await noTask(metadata, run, query.step, query.path);
}

async function* readTask(
  metadata: MetadataReader,
  run: RunRow,
  task: TaskRow,
  stream: LogQuery["stream"],
  end: LogSequence | undefined,
): AsyncGenerator<LogEntry> {
  const filter = stream === undefined ? {} : { stream };
  const executed = await executedTask(metadata, task);
  let after: LogSequence | undefined;
  while (true) {
    const key = after === undefined ? {} : { after };
    const page = await metadata.logs({ task: executed, ...filter, ...key, limit: LOG_PAGE });
    for (const row of page) {
      if (end !== undefined && row.sequence > end) return;
      yield toEntry(run, task, row);
    }
    if (page.length < LOG_PAGE) return;
    after = page.at(-1)!.sequence;
  }
}

/** The task that wrote: of one that was taken over from another run, the task of that run. */
async function executedTask(metadata: MetadataReader, task: TaskRow): Promise<TaskSequence> {
  let current = task;
  for (let steps = 0; current.origin !== undefined && steps < MAX_ORIGINS; steps++) {
    const origin = await metadata.task(current.origin.task);
    if (origin === undefined) break;
    current = origin;
  }
  return current.sequence;
}

function noAttempt(run: RunRow, { step, path, attempt }: LogQuery, newest: number): FlowError {
  const where = [runName(run), step, path].filter((part) => part !== undefined && part !== "").join("/");
  const which = path === undefined ? "a task with " : "";
  return new FlowError("FLOW_CLIENT_NO_TASK", {
    message: `Cannot find ${which}attempt ${attempt} ${path === undefined ? "in" : "of"} ${where}`,
    hint: newest <= 1 ? "There is only attempt 1" : `Name one from 1 to ${newest}, or last`,
    context: { run: run.id, attempt },
  });
}

/** Tasks by number, as far as they can have changed nothing that is shown. */
class KnownTasks {
  readonly #metadata: MetadataReader;
  readonly #tasks = new Map<TaskSequence, TaskRow>();

  constructor(metadata: MetadataReader) {
    this.#metadata = metadata;
  }

  async get(sequence: TaskSequence): Promise<TaskRow | undefined> {
    const known = this.#tasks.get(sequence) ?? (await this.#metadata.task(sequence));
    if (known === undefined) return undefined;
    if (this.#tasks.size >= KNOWN_TASKS) this.#tasks.clear();
    this.#tasks.set(sequence, known);
    return known;
  }
}

/** Of what comes live, each attempt was the last when it wrote. */
function fits(task: TaskRow, row: LogRow, { step, path, stream, attempt }: LogQuery): boolean {
  return (
    (step === undefined || task.step === step) &&
    (path === undefined || task.path === path) &&
    (stream === undefined || row.stream === stream) &&
    (typeof attempt !== "number" || task.attempt === attempt)
  );
}

function toEntry(run: RunRow, task: TaskRow, { stream, at, text }: LogRow): LogEntry {
  return { task: taskName(run, task), attempt: task.attempt, stream, at, text };
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
