/**
 * Runs one task inside a worker: builds the flow, gives it lazy inputs, calls the step, then encodes and hashes what the
 * step left behind. Nothing of a task that fails is stored: a result is complete or it is a failure.
 *
 * A task with a `fallback` does not call its step: it stands for attempts that have all failed, and leaves what was
 * inherited and their failure.
 */
import type { ArtifactStore } from "../../artifact/artifact-store.ts";
import { type SerializedError, serializeError } from "../../errors/flow-error.ts";
import { bindFlow } from "../../flow/bind-flow.ts";
import { runStepAsTask } from "../../flow/current.ts";
import type { Flow } from "../../flow/flow.ts";
import type { FlowClass } from "../../flow/public-types.ts";
import { taskInstance } from "../../flow/task-instance.ts";
import type { CachePlan } from "../cache-basis.ts";
import type { BatchTask, StepContract, TaskResult } from "../protocol.ts";
import { TaskCache, taskCache } from "./cache/task-cache.ts";
import { watchedCurrent } from "./cache/watched-current.ts";
import { collectYield } from "./collect-yield.ts";
import type { CallLine } from "./flow-calls.ts";
import { joinInputs } from "./join-inputs.ts";
import type { ReadWatch } from "./read-watch.ts";
import { RunningTask } from "./running-task.ts";
import { TaskArrays } from "./task-arrays.ts";
import { NO_ROWS, TaskBinding } from "./task-binding.ts";
import { TaskNotes } from "./task-notes.ts";
import type { WorkerRun } from "./worker-run.ts";

/** The flow class of the code package and what it needs to run in this worker. */
export interface TaskEnvironment {
  readonly flowClass: FlowClass<Flow>;
  readonly artifacts: ArtifactStore;
  readonly signal: AbortSignal;
  /** An error as plain data, with the user's own stack lines. */
  readonly describeError: (thrown: unknown) => SerializedError;
  /** Of a step that asked for the step cache. */
  readonly cache?: CachePlan;
  /** By which the task asks for runs of other flows; without it none can be started. */
  readonly calls?: CallLine;
  /** Told the very object that a task threw, for those who are in the same thread. */
  readonly onThrown?: (thrown: unknown) => void;
}

export type ExecutedTask = Omit<TaskResult, "logs" | "liveChunks">;

export async function executeTask(
  environment: TaskEnvironment,
  run: WorkerRun,
  step: StepContract,
  task: BatchTask,
): Promise<ExecutedTask> {
  const startedAt = new Date();
  const begin = performance.now();
  const notes = new TaskNotes(run, task);
  let outcome: TaskResult["outcome"];
  try {
    outcome = await attempt(environment, run, step, task, notes);
  } catch (thrown) {
    environment.onThrown?.(thrown);
    outcome = environment.signal.aborted
      ? { kind: "cancelled" }
      : { kind: "failed", error: describe(environment, thrown) };
    notes.blobs.clear();
  }
  notes.endLog();
  const { sequence, attempt: number } = task;
  return { sequence, attempt: number, startedAt, durationMs: performance.now() - begin, outcome, ...notes.taken() };
}

async function attempt(
  environment: TaskEnvironment,
  run: WorkerRun,
  step: StepContract,
  task: BatchTask,
  notes: TaskNotes,
): Promise<TaskResult["outcome"]> {
  const inherited = task.inherits === undefined ? NO_ROWS : run.visible(task.inherits);
  const { flowClass, artifacts } = environment;
  run.ahead.begins(flowClass, step.name, inherited);
  const { record } = notes;
  const cache = taskCache(environment.cache, { run, step, task, flowClass, inherited, artifacts });
  const hit = cache instanceof TaskCache ? cache.find(record, notes.valueReads) : undefined;
  if (hit !== undefined) return { kind: "succeeded", ...hit };
  const watched = cache instanceof TaskCache ? { cache } : {};
  const arrays = new TaskArrays(run.loader, step);
  const binding = new TaskBinding({ environment, run, step, inherited, notes, arrays, ...watched });
  const bound = bindFlow(flowClass, binding, (each) => taskInstance(each, watched.cache?.log));
  binding.bound = bound;
  const flow = bound.flow as Record<string, unknown>;
  let skipped: string | undefined;
  if (task.fallback !== undefined) {
    flow[task.fallback.field] = task.fallback.failure;
  } else {
    const log = watched.cache?.log;
    if (step.shared !== undefined) await arrays.readAhead(inherited);
    const parameters = stepArguments(run, step, task, (name) => flow[name], log);
    const method = flow[step.name] as (...parameters: unknown[]) => unknown;
    const facts = new RunningTask(run, task, notes, environment.calls);
    const current = log === undefined ? facts : watchedCurrent(facts, log);
    if (log !== undefined) log.isOn = true;
    try {
      skipped = await runStepAsTask(current, () => method.apply(flow, parameters));
    } catch (thrown) {
      arrays.giveUp();
      throw thrown;
    } finally {
      facts.close();
    }
    arrays.check();
  }
  // What a step leaves that watches its signal may be half of what it should be.
  if (environment.signal.aborted && notes.sawSignal) return { kind: "cancelled" };
  const isCaught = task.fallback !== undefined;
  const { merged } = binding;
  const source = { flowClass, artifacts, bound, step, values: run.values, inherited, merged, arrays, isCaught };
  const left = await collectYield(source, notes.blobs);
  if (isCaught) return { kind: "caught", ...left };
  const recorded = notes.endLog();
  const kept = recorded.length === 0 ? left : { ...left, metrics: recorded };
  if (skipped !== undefined) return { kind: "skipped", reason: skipped, ...kept };
  return { kind: "succeeded", ...kept, ...(cache instanceof TaskCache ? cache.offer(bound, left) : cache) };
}

function stepArguments(
  run: WorkerRun,
  step: StepContract,
  task: BatchTask,
  fields: (name: string) => unknown,
  watch: ReadWatch | undefined,
): unknown[] {
  if (task.inputs !== undefined) {
    const before = task.before === undefined ? {} : { before: task.before };
    return [joinInputs(run, step, { inputs: task.inputs, ...before }, fields, watch)];
  }
  if (task.item === undefined) return [];
  return [run.item(task, task.item, step), task.item.index];
}

function describe(environment: TaskEnvironment, thrown: unknown): SerializedError {
  try {
    return environment.describeError(thrown);
  } catch {
    return serializeError(thrown);
  }
}
