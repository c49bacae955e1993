/**
 * `current`: facts about the task that runs right now, by asynchronous context, so that any function that a step calls
 * can ask. The storage hangs on `globalThis` under a `Symbol.for` key: two copies of this package share it.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { FlowError } from "../errors/flow-error.ts";
import type { RunId } from "../ids/run-id.ts";
import type { TaskPath } from "../ids/task-path.ts";
import { pathIndices } from "../ids/task-path.ts";
import type { CallFlow } from "./flow-call.ts";
import type { Log } from "./log.ts";
import { seededRandom } from "./random.ts";

/** What the runner tells about a task. */
export interface CurrentTask {
  readonly run: CurrentRun;
  readonly step: string;
  readonly path: TaskPath;
  readonly attempt: number;
  /** Index of the item of the innermost foreach; worked out from the path when left out. */
  readonly index?: number;
  /** Takes what the task reads through the client, so that it becomes lineage; left out where nothing is recorded. */
  readonly recordRead?: (read: CurrentRead) => void;
  /** Told what else the task depends on that nobody can compare later: a list of runs, a flow that it started. */
  readonly recordUnknownRead?: (what: string) => void;
  /** Takes its metrics; left out where none are kept. */
  readonly log?: Log;
  /** Asks the task's runner to run a flow; left out where nobody can. */
  readonly callFlow?: CallFlow | undefined;
}

/** One artifact of another run that a task read without an upstream field. */
export interface CurrentRead {
  /** The run that left it. */
  readonly producer: RunId;
  readonly artifact: string;
  readonly codec: string;
  /** The artifact room's type, written out: no arrow leads there from here. */
  readonly digest: string & { readonly __brand: "Digest" };
}

/** The run that the current task belongs to. */
export interface CurrentRun {
  readonly id: string;
  /** The store's alias: `Train/17`. */
  readonly name: string;
  readonly flow: string;
  readonly project: string;
  readonly tags: readonly string[];
}

/** Facts about the task that runs right now. Each property throws `FLOW_FLOW_NOT_RUNNING` outside of a task. */
export interface Current {
  readonly run: CurrentRun;
  readonly step: string;
  /** Where the task stands inside its run: `""`, `"3"`, `"1.2"`. */
  readonly path: TaskPath;
  /** The task for people: `Train/17/fold/1.2`. */
  readonly task: string;
  /** Which attempt of the task this is, as the run's records number it. */
  readonly attempt: number;
  /** Index of the item of the innermost foreach; undefined outside of one. */
  readonly index: number | undefined;
  /** Where metrics are recorded: `this.log` of the step, for the functions that it calls. */
  readonly log: Log;
  /**
   * The next random number in [0, 1). The sequence depends on run id, step and task path only, so that a retry draws
   * the same numbers and no two tasks share a sequence.
   */
  random(): number;
}

interface Entry {
  readonly task: CurrentTask;
  random?: () => number;
  skipped?: { readonly reason: string };
}

const KEY = Symbol.for("millrace.current");
const holder = globalThis as unknown as Record<symbol, AsyncLocalStorage<Entry> | undefined>;

function storage(): AsyncLocalStorage<Entry> {
  holder[KEY] ??= new AsyncLocalStorage<Entry>();
  return holder[KEY];
}

/** Runs a function, and all that it starts, as a task: what the runner calls around a step. */
export function runAsTask<R>(task: CurrentTask, run: () => R): R {
  return storage().run({ task }, run);
}

/** Runs a step as a task, and answers why it asked to be recorded as skipped, if it did. */
export async function runStepAsTask(task: CurrentTask, run: () => unknown): Promise<string | undefined> {
  const entry: Entry = { task };
  await storage().run(entry, run);
  return entry.skipped?.reason;
}

/** Asks that the task that runs here be recorded as skipped. */
export function skipCurrent(reason = "a decorator skipped it"): void {
  entry("skip").skipped ??= { reason };
}

/** Tells the task that runs here, if one does, what it has just read; what the default client does with each read. */
export function recordCurrentRead(read: CurrentRead): void {
  storage().getStore()?.task.recordRead?.(read);
}

/**
 * Tells the task that runs here, if one does, that it depends on what is not recorded read by read: its outcome is then
 * kept from the step cache.
 *
 * @param what completes "it read …"
 */
export function recordUnknownRead(what: string): void {
  storage().getStore()?.task.recordUnknownRead?.(what);
}

/** How the task that runs here, if one does, asks for runs of flows. */
export function currentCallFlow(): CallFlow | undefined {
  return storage().getStore()?.task.callFlow;
}

/** Whether a task is running here. */
export function isInTask(): boolean {
  return storage().getStore() !== undefined;
}

/**
 * The task that runs right now.
 *
 * @throws FlowError FLOW_FLOW_NOT_RUNNING when a property is read outside of a task
 * @example
 * ```ts
 * console.log(`${current.task}, attempt ${current.attempt}`);
 * ```
 */
export const current: Current = Object.freeze({
  get run() {
    return entry("run").task.run;
  },
  get step() {
    return entry("step").task.step;
  },
  get path() {
    return entry("path").task.path;
  },
  get task() {
    const { task } = entry("task");
    task.recordUnknownRead?.("current.task"); // Before its parts tell: it is what the step asked for.
    const { run, step, path } = task;
    return path === "" ? `${run.name}/${step}` : `${run.name}/${step}/${path}`;
  },
  get attempt() {
    return entry("attempt").task.attempt;
  },
  get index() {
    const { task } = entry("index");
    return task.index ?? pathIndices(task.path).at(-1);
  },
  get log() {
    return entry("log").task.log ?? noLog();
  },
  random() {
    const now = entry("random");
    now.task.recordUnknownRead?.("current.random()");
    now.random ??= seededRandom(`millrace:1:${now.task.run.id}:${now.task.step}:${now.task.path}`);
    return now.random();
  },
});

/** In what runs around a run, such as `onSuccess`, no task is left that could keep anything. */
function noLog(): never {
  throw new FlowError("FLOW_FLOW_NOT_RUNNING", {
    message: "Cannot read current.log: nothing is recorded here",
    hint: "Record metrics inside a step",
  });
}

function entry(asked: string): Entry {
  const found = storage().getStore();
  if (found !== undefined) return found;
  throw new FlowError("FLOW_FLOW_NOT_RUNNING", {
    message: `Cannot read current.${asked}: no task is running here`,
    hint: "Read it inside a step, or in a function that a step calls",
  });
}
