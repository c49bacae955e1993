/** What the fields of a task's flow object hold: loaded when they are read, and noted. */
import type { BoundFlow } from "../../flow/bind-flow.ts";
import type { FlowBinding, LazyFields } from "../../flow/bound-flow.ts";
import { upstreamClassOf } from "../../flow/check-consumed-artifact.ts";
import type { Flow } from "../../flow/flow.ts";
import type { FlowClass } from "../../flow/public-types.ts";
import type { ArtifactRow } from "../../metadata/metadata-store.ts";
import type { StepContract } from "../protocol.ts";
import type { TaskCache } from "./cache/task-cache.ts";
import { mergeArtifacts } from "./merge-artifacts.ts";
import type { MetricLog } from "./metric-log.ts";
import type { TaskArrays } from "./task-arrays.ts";
import type { TaskNotes } from "./task-notes.ts";
import { upstreamValue } from "./upstream-value.ts";
import type { WorkerRun } from "./worker-run.ts";

export const NO_ROWS: ReadonlyMap<string, ArtifactRow> = new Map();

export interface TaskBindingOptions {
  readonly environment: { readonly flowClass: FlowClass<Flow>; readonly signal: AbortSignal };
  readonly run: WorkerRun;
  readonly step: StepContract;
  /** What was visible when the task began. */
  readonly inherited: ReadonlyMap<string, ArtifactRow>;
  readonly notes: TaskNotes;
  readonly arrays: TaskArrays;
  readonly cache?: TaskCache;
}

export class TaskBinding implements FlowBinding {
  readonly #options: TaskBindingOptions;
  readonly inputs: LazyFields;
  readonly values: LazyFields;
  bound: BoundFlow | undefined;
  #merged: Map<string, ArtifactRow> | undefined;

  constructor(options: TaskBindingOptions) {
    this.#options = options;
    this.inputs = new InheritedFields(options);
    this.values = new RunFields(options);
  }

  /** What a merge took over, unread. */
  get merged(): ReadonlyMap<string, ArtifactRow> {
    return this.#merged ?? NO_ROWS;
  }

  get log(): MetricLog {
    return this.#options.notes.log;
  }

  get signal(): AbortSignal {
    this.#options.notes.sawSignal = true;
    return this.#options.environment.signal;
  }

  onRead(): void {}

  readonly merge: FlowBinding["merge"] = (_flow, given, options) => {
    const { run, step, cache, arrays } = this.#options;
    const bound = this.bound!;
    cache?.merged(bound, options);
    for (const row of mergeArtifacts(run, step.name, given, options, (name) => bound.isSet(name))) {
      this.#merged ??= new Map();
      this.#merged.set(row.name, row);
      bound.addInput(row.name, () => arrays.load(row, run.context.name));
    }
  };
}

class InheritedFields implements LazyFields {
  readonly #options: TaskBindingOptions;
  readonly #rows: ReadonlyMap<string, ArtifactRow>;

  constructor(options: TaskBindingOptions) {
    this.#options = options;
    this.#rows = options.inherited;
  }

  names(): Iterable<string> {
    return this.#rows.keys();
  }

  has(name: string): boolean {
    return this.#rows.has(name);
  }

  load(name: string): unknown {
    const { arrays, run, step } = this.#options;
    run.ahead.reads(step.name, name);
    return arrays.load(this.#rows.get(name)!, run.context.name);
  }
}

/** Parameters, configs, files, constants, secrets and upstreams. */
class RunFields implements LazyFields {
  readonly #options: TaskBindingOptions;

  constructor(options: TaskBindingOptions) {
    this.#options = options;
  }

  names(): Iterable<string> {
    const { run } = this.#options;
    return [...run.values.keys(), ...Object.keys(run.context.secrets), ...run.upstreams.keys()];
  }

  has(name: string): boolean {
    const { run } = this.#options;
    return run.values.has(name) || run.upstreams.has(name) || Object.hasOwn(run.context.secrets, name);
  }

  load(name: string): unknown {
    const { run, notes, environment, cache } = this.#options;
    notes.valueReads.add(name);
    const upstream = run.upstreams.get(name);
    if (upstream === undefined) return run.runValue(name);
    const producerClass = upstreamClassOf(environment.flowClass, name);
    const reading = {
      record: notes.record,
      ...(cache && { watch: cache.log }),
      ...(producerClass && { producerClass }),
    };
    return upstreamValue(run, upstream, name, reading);
  }
}
