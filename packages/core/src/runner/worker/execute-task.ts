/**
 * Runs one task inside a worker: builds the flow, gives it lazy inputs, calls the step, then encodes and hashes what the
 * step left behind. Nothing of a task that fails is stored: a result is complete or it is a failure.
 *
 * A task with a `fallback` does not call its step: it stands for attempts that have all failed, and leaves what was
 * inherited and their failure.
 */
import type { NewBlob } from "../../artifact/artifact.ts";
import type { ArtifactStore } from "../../artifact/artifact-store.ts";
import { type SerializedError, serializeError } from "../../errors/flow-error.ts";
import { type BoundFlow, bindFlow } from "../../flow/bind-flow.ts";
import { upstreamClassOf } from "../../flow/check-consumed-artifact.ts";
import { type CurrentTask, runStepAsTask } from "../../flow/current.ts";
import type { Flow } from "../../flow/flow.ts";
import type { FlowClass } from "../../flow/public-types.ts";
import { taskInstance } from "../../flow/task-instance.ts";
import type { ArtifactRow, UpstreamRead } from "../../metadata/metadata-store.ts";
import type { CachePlan } from "../cache-basis.ts";
import type { BatchTask, StepContract, TaskResult } from "../protocol.ts";
import { TaskCache, taskCache } from "./cache/task-cache.ts";
import { watchedCurrent } from "./cache/watched-current.ts";
import { collectYield } from "./collect-yield.ts";
import { type CallLine, FlowCalls } from "./flow-calls.ts";
import { joinInputs } from "./join-inputs.ts";
import { mergeArtifacts } from "./merge-artifacts.ts";
import { MetricLog } from "./metric-log.ts";
import type { ReadWatch } from "./read-watch.ts";
import { TaskArrays } from "./task-arrays.ts";
import { upstreamValue } from "./upstream-value.ts";
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

/** What a task notes while it runs; all of it counts for nothing but the reads when it fails. */
interface Notes {
  readonly blobs: Map<string, NewBlob>;
  readonly reads: Map<string, UpstreamRead>;
  /** Of values and upstreams of the run. */
  readonly valueReads: Set<string>;
  readonly log: MetricLog;
  /** Whether the step has looked at `this.signal`. */
  sawSignal: boolean;
}

export async function executeTask(
  environment: TaskEnvironment,
  run: WorkerRun,
  step: StepContract,
  task: BatchTask,
): Promise<ExecutedTask> {
  const startedAt = new Date();
  const begin = performance.now();
  const notes: Notes = {
    blobs: new Map(),
    reads: new Map(),
    valueReads: new Set(),
    log: new MetricLog(nameOf(run, task)),
    sawSignal: false,
  };
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
  notes.log.end();
  return {
    sequence: task.sequence,
    attempt: task.attempt,
    startedAt,
    durationMs: performance.now() - begin,
    outcome,
    blobs: [...notes.blobs.values()],
    reads: [...notes.reads.values()],
    valueReads: [...notes.valueReads],
  };
}

async function attempt(
  environment: TaskEnvironment,
  run: WorkerRun,
  step: StepContract,
  task: BatchTask,
  notes: Notes,
): Promise<TaskResult["outcome"]> {
  const inherited = task.inherits === undefined ? new Map<string, ArtifactRow>() : run.visible(task.inherits);
  const merged = new Map<string, ArtifactRow>();
  const record = (read: Omit<UpstreamRead, "task">): void => {
    notes.reads.set(`${read.upstream} ${read.producer} ${read.artifact}`, { task: task.sequence, ...read });
  };
  const { flowClass, artifacts } = environment;
  const cache = taskCache(environment.cache, { run, step, task, flowClass, inherited, artifacts });
  const hit = cache instanceof TaskCache ? cache.find(record, notes.valueReads) : undefined;
  if (hit !== undefined) return { kind: "succeeded", ...hit };
  const watched = cache instanceof TaskCache ? { cache } : {};
  const arrays = new TaskArrays(run.loader, step);
  const bound = bind(environment, run, step, { inherited, merged, notes, record, arrays, ...watched });
  const flow = bound.flow as Record<string, unknown>;
  let skipped: string | undefined;
  if (task.fallback !== undefined) {
    flow[task.fallback.field] = task.fallback.failure;
  } else {
    const log = watched.cache?.log;
    await arrays.readAhead(inherited);
    const parameters = stepArguments(run, step, task, (name) => flow[name], log);
    const method = flow[step.name] as (...parameters: unknown[]) => unknown;
    const calls = environment.calls === undefined ? undefined : new FlowCalls(environment.calls, task.sequence);
    const facts = {
      ...currentFacts(run, task),
      log: notes.log,
      recordRead: record,
      ...(calls === undefined ? {} : { callFlow: calls.call.bind(calls) }),
    };
    const current = log === undefined ? facts : watchedCurrent(facts, log);
    if (log !== undefined) log.isOn = true;
    try {
      skipped = await runStepAsTask(current, () => method.apply(flow, parameters));
    } catch (thrown) {
      arrays.giveUp();
      throw thrown;
    } finally {
      calls?.close();
    }
    arrays.check();
  }
  // What a step leaves that watches its signal may be half of what it should be.
  if (environment.signal.aborted && notes.sawSignal) return { kind: "cancelled" };
  const isCaught = task.fallback !== undefined;
  const source = { flowClass, artifacts, bound, step, values: run.values, inherited, merged, arrays, isCaught };
  const left = await collectYield(source, notes.blobs);
  if (isCaught) return { kind: "caught", ...left };
  const recorded = notes.log.end();
  const kept = recorded.length === 0 ? left : { ...left, metrics: recorded };
  if (skipped !== undefined) return { kind: "skipped", reason: skipped, ...kept };
  return { kind: "succeeded", ...kept, ...(cache instanceof TaskCache ? cache.offer(bound, left) : cache) };
}

/** The flow object of a task, whose fields load when they are read. */
function bind(
  environment: TaskEnvironment,
  run: WorkerRun,
  step: StepContract,
  task: {
    readonly inherited: ReadonlyMap<string, ArtifactRow>;
    readonly merged: Map<string, ArtifactRow>;
    readonly notes: Notes;
    readonly record: (read: Omit<UpstreamRead, "task">) => void;
    readonly arrays: TaskArrays;
    readonly cache?: TaskCache;
  },
): BoundFlow {
  const log = task.cache?.log;
  const values: Record<string, () => unknown> = {};
  for (const name of [...run.values.keys(), ...Object.keys(run.context.secrets)])
    values[name] = () => {
      task.notes.valueReads.add(name);
      return run.runValue(name);
    };
  for (const [name, row] of run.upstreams)
    values[name] = () => {
      task.notes.valueReads.add(name);
      const producerClass = upstreamClassOf(environment.flowClass, name);
      const reading = { record: task.record, ...(log && { watch: log }), ...(producerClass && { producerClass }) };
      return upstreamValue(run, row, name, reading);
    };
  const inputs: Record<string, () => unknown> = {};
  for (const [name, row] of task.inherited) inputs[name] = () => task.arrays.load(row, run.context.name);
  const bound: BoundFlow = bindFlow(
    environment.flowClass,
    {
      values,
      inputs,
      onRead: () => {},
      log: task.notes.log,
      get signal() {
        task.notes.sawSignal = true;
        return environment.signal;
      },
      merge: (_flow, given, options) => {
        task.cache?.merged(bound, options);
        for (const row of mergeArtifacts(run, step.name, given, options, (name) => bound.isSet(name))) {
          task.merged.set(row.name, row);
          bound.addInput(row.name, () => task.arrays.load(row, run.context.name));
        }
      },
    },
    (flowClass) => taskInstance(flowClass, log),
  );
  return bound;
}

function nameOf({ context: { name } }: WorkerRun, { step, path }: BatchTask): string {
  return path === "" ? `${name}/${step}` : `${name}/${step}/${path}`;
}

function currentFacts(run: WorkerRun, task: BatchTask): CurrentTask {
  const { context } = run;
  return {
    run: { id: context.id, name: context.name, flow: context.flow, project: context.project, tags: context.tags },
    step: task.step,
    path: task.path,
    attempt: task.attempt,
  };
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
