/**
 * Runs one task inside a worker: builds the flow, gives it lazy inputs, calls the step, then encodes and hashes what the
 * step left behind. Nothing of a task that fails is stored: a result is complete or it is a failure.
 */
import { types } from "node:util";
import type { EncodedArtifact, NewBlob } from "../../artifact/artifact.ts";
import type { ArtifactStore } from "../../artifact/artifact-store.ts";
import { type ItemPage, ItemPageWriter } from "../../artifact/item-pages.ts";
import { encodeValue } from "../../artifact/value-codec.ts";
import { FlowError, type SerializedError, serializeError } from "../../errors/flow-error.ts";
import { type BoundFlow, bindFlow } from "../../flow/bind-flow.ts";
import { checkDeclaredArtifact } from "../../flow/check-declared-artifact.ts";
import { type CurrentTask, runAsTask } from "../../flow/current.ts";
import type { Flow } from "../../flow/flow.ts";
import type { FlowClass } from "../../flow/public-types.ts";
import { taskInstance } from "../../flow/task-instance.ts";
import type { ArtifactRow, ItemPageRow, UpstreamRead } from "../../metadata/metadata-store.ts";
import type { Batch, StepContract, TaskResult } from "../protocol.ts";
import { joinInputs } from "./join-inputs.ts";
import { mergeArtifacts } from "./merge-artifacts.ts";
import { upstreamValue } from "./upstream-value.ts";
import type { WorkerRun } from "./worker-run.ts";

/** The flow class of the code package and what it needs to run in this worker. */
export interface TaskEnvironment {
  readonly flowClass: FlowClass<Flow>;
  readonly artifacts: ArtifactStore;
  readonly signal: AbortSignal;
  /** An error as plain data, with the user's own stack lines. */
  readonly describeError: (thrown: unknown) => SerializedError;
  /** Told the very object that a task threw, for those who are in the same thread. */
  readonly onThrown?: (thrown: unknown) => void;
}

export type ExecutedTask = Omit<TaskResult, "logs" | "liveChunks">;
type Task = Batch["tasks"][number];
type Success = Extract<TaskResult["outcome"], { kind: "succeeded" }>;

export async function executeTask(
  environment: TaskEnvironment,
  run: WorkerRun,
  step: StepContract,
  task: Task,
): Promise<ExecutedTask> {
  const startedAt = new Date();
  const begin = performance.now();
  const blobs = new Map<string, NewBlob>();
  const reads = new Map<string, UpstreamRead>();
  let outcome: TaskResult["outcome"];
  try {
    outcome = await attempt(environment, run, step, task, blobs, reads);
  } catch (thrown) {
    environment.onThrown?.(thrown);
    outcome = environment.signal.aborted
      ? { kind: "cancelled" }
      : { kind: "failed", error: describe(environment, thrown) };
    blobs.clear();
  }
  return {
    sequence: task.sequence,
    attempt: task.attempt,
    startedAt,
    durationMs: performance.now() - begin,
    outcome,
    blobs: [...blobs.values()],
    reads: [...reads.values()],
  };
}

async function attempt(
  environment: TaskEnvironment,
  run: WorkerRun,
  step: StepContract,
  task: Task,
  blobs: Map<string, NewBlob>,
  reads: Map<string, UpstreamRead>,
): Promise<Success> {
  const inherited = task.inherits === undefined ? new Map<string, ArtifactRow>() : run.visible(task.inherits);
  const merged = new Map<string, ArtifactRow>();
  const record = (read: Omit<UpstreamRead, "task">): void => {
    reads.set(`${read.upstream} ${read.producer} ${read.artifact}`, { task: task.sequence, ...read });
  };
  const values: Record<string, () => unknown> = {};
  for (const name of [...run.values.keys(), ...Object.keys(run.context.secrets)])
    values[name] = () => run.runValue(name);
  for (const [name, row] of run.upstreams) values[name] = () => upstreamValue(run, row, name, record);
  const inputs: Record<string, () => unknown> = {};
  for (const [name, row] of inherited) inputs[name] = () => run.loader.load(row, run.context.name);
  const bound: BoundFlow = bindFlow(
    environment.flowClass,
    {
      values,
      inputs,
      onRead: () => {},
      signal: environment.signal,
      merge: (_flow, given, options) => {
        for (const row of mergeArtifacts(run, step.name, given, options, (name) => bound.isSet(name))) {
          merged.set(row.name, row);
          bound.addInput(row.name, () => run.loader.load(row, run.context.name));
        }
      },
    },
    taskInstance,
  );
  const flow = bound.flow as Record<string, unknown>;
  await runAsTask({ ...currentFacts(run, task), recordRead: record }, () =>
    call(
      flow,
      step.name,
      stepArguments(run, step, task, (name) => flow[name]),
    ),
  );

  const pages = step.foreach === undefined ? undefined : await splitItems(environment, flow, step, blobs);
  const artifacts: ArtifactRow[] = [];
  const changed: EncodedArtifact[] = [];
  const keep = (name: string, value: unknown): void => {
    const before = inherited.get(name) ?? run.values.get(name);
    const encoded = encodeValue(value, { path: `this.${name}`, ...(before === undefined ? {} : { known: before }) });
    if (before !== undefined && before.digest === encoded.digest && before.codec === encoded.codec) return;
    artifacts.push({ name, codec: encoded.codec, digest: encoded.digest, sizeBytes: encoded.sizeBytes });
    changed.push(encoded);
  };
  const emptied = new Set(inherited.keys());
  for (const field of bound.fields()) {
    emptied.delete(field.name);
    if (field.kind === "untouched") {
      const row = merged.get(field.name);
      if (row !== undefined) artifacts.push(row);
      continue;
    }
    if (field.name === step.foreach && isStream(field.value)) {
      // Its items are kept as pages; what gave them is no value, and must not leave an inherited one in its place.
      if (inherited.has(field.name)) emptied.add(field.name);
      continue;
    }
    if (field.declared) checkDeclaredArtifact(environment.flowClass, field.name, field.value);
    keep(field.name, field.value);
  }
  // A field that was inherited and is now undefined, or deleted, must not shine through from the task before.
  for (const name of emptied) keep(name, undefined);
  const choice = step.on === undefined ? {} : { choice: choiceOf(flow, step) };
  // Only now, when nothing can be refused any more: a task that fails leaves no artifact behind. (Pages of a foreach are
  // stored as they fill, so that a million items need little memory; what nothing names is for the garbage collection.)
  for (const encoded of changed)
    if (!blobs.has(encoded.digest)) blobs.set(encoded.digest, exactSize(environment.artifacts.storeSync(encoded)));
  return {
    kind: "succeeded",
    artifacts,
    pages: pages?.rows ?? [],
    ...(pages === undefined ? {} : { fanOut: pages.count }),
    ...choice,
  };
}

function currentFacts(run: WorkerRun, task: Task): CurrentTask {
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
  task: Task,
  fields: (name: string) => unknown,
): readonly unknown[] {
  if (task.inputs !== undefined)
    return [
      joinInputs(
        run,
        step,
        { inputs: task.inputs, ...(task.before === undefined ? {} : { before: task.before }) },
        fields,
      ),
    ];
  if (task.item === undefined) return [];
  return [run.item(task.item.split, task.item.index), task.item.index];
}

async function call(flow: Record<string, unknown>, step: string, parameters: readonly unknown[]): Promise<void> {
  await (flow[step] as (...parameters: readonly unknown[]) => unknown)(...parameters);
}

async function splitItems(
  environment: TaskEnvironment,
  flow: Record<string, unknown>,
  step: StepContract,
  blobs: Map<string, NewBlob>,
): Promise<{ readonly rows: readonly Omit<ItemPageRow, "split">[]; readonly count: number }> {
  const field = step.foreach!;
  const items = flow[field] as Iterable<unknown> | AsyncIterable<unknown> | undefined | null;
  if (typeof items !== "object" || items === null || !(Symbol.iterator in items || Symbol.asyncIterator in items)) {
    const found = items === undefined ? "not set" : typeof items === "string" ? "a text" : "not iterable";
    throw new FlowError("FLOW_RUNNER_NOT_ITERABLE", {
      message: `Cannot fan out from "${step.name}": this.${field} is ${found}`,
      hint: `Assign an array or another iterable to this.${field} in "${step.name}" or before it`,
      context: { step: step.name, field },
    });
  }
  const rows: Omit<ItemPageRow, "split">[] = [];
  const writer = new ItemPageWriter({ path: `this.${field}` });
  const keep = (pages: readonly ItemPage[]): void => {
    for (const { first, count, encoded } of pages) {
      const { codec, digest, sizeBytes } = encoded;
      rows.push({ first, count, codec, digest, sizeBytes });
      if (!blobs.has(digest)) blobs.set(digest, exactSize(environment.artifacts.storeSync(encoded)));
    }
  };
  if (Symbol.asyncIterator in Object(items)) {
    for await (const item of items as AsyncIterable<unknown>) keep(writer.add(item));
  } else {
    for (const item of items as Iterable<unknown>) keep(writer.add(item));
  }
  keep(writer.finish());
  return { rows, count: writer.count };
}

function choiceOf(flow: Record<string, unknown>, step: StepContract): string {
  const value = flow[step.on!];
  const text = String(value);
  if (
    step.cases!.includes(text) &&
    (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
  )
    return text;
  throw new FlowError("FLOW_RUNNER_NO_CASE", {
    message: `Cannot choose after "${step.name}": this.${step.on} is ${typeof value === "string" ? JSON.stringify(value) : text}, and no case says where that leads`,
    hint: `Set this.${step.on} to one of ${step.cases!.map((name) => JSON.stringify(name)).join(", ")}`,
    context: { step: step.name, field: step.on, cases: step.cases },
  });
}

/** Whether a value gives its items once, or one after another: an iterator, a generator, a readable stream. */
function isStream(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return (
    types.isGeneratorObject(value) ||
    Symbol.asyncIterator in value ||
    typeof (value as { next?: unknown }).next === "function"
  );
}

/** Cloning a view clones all of its memory, so bytes that travel own theirs. */
function exactSize(blob: NewBlob): NewBlob {
  const { stored } = blob;
  return stored === undefined || stored.byteLength === stored.buffer.byteLength
    ? blob
    : { ...blob, stored: new Uint8Array(stored) };
}

function describe(environment: TaskEnvironment, thrown: unknown): SerializedError {
  try {
    return environment.describeError(thrown);
  } catch {
    return serializeError(thrown);
  }
}
