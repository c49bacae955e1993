/**
 * What a task would read under a name, if it ran now: the identity of the value, without loading it. Two tasks for which
 * all names that one of them read have equal identities see the same, and do the same.
 *
 * An identity says by whom a value is given as well as what it is: a parameter cannot be set, an artifact can.
 */
import { isFlowError } from "../../../errors/flow-error.ts";
import { pathIndices } from "../../../ids/task-path.ts";
import type { ArtifactRow, RunRow, UpstreamRow } from "../../../metadata/metadata-store.ts";
import { assertNever } from "../../../util/assert-never.ts";
import { textDigest } from "../../cache-basis.ts";
import type { BatchTask, StepContract } from "../../protocol.ts";
import { type MergeOptions, mergedArtifacts } from "../merge-artifacts.ts";
import { upstreamFacts } from "../upstream-value.ts";
import type { ArtifactTable } from "../visible-artifacts.ts";
import type { WorkerRun } from "../worker-run.ts";
import { type InputRange, parseReadName, type ReadName } from "./read-names.ts";

export interface TaskFactsOptions {
  readonly run: WorkerRun;
  readonly step: StepContract;
  readonly task: BatchTask;
  readonly inherited: ArtifactTable;
}

/** An upstream run that the task may look at, and what it left. */
interface Producer {
  readonly row: RunRow;
  readonly upstreams: ReadonlyMap<string, UpstreamRow>;
  readonly artifacts: () => ArtifactTable;
}

const ABSENT = "absent";

export class TaskFacts {
  readonly #options: TaskFactsOptions;
  readonly #known = new Map<string, string | undefined>();
  /** Of the inputs of a join: by name, then by position. */
  readonly #inputs = new Map<string, (string | undefined)[]>();
  readonly #producers = new Map<string, Producer | undefined>();

  constructor(options: TaskFactsOptions) {
    this.#options = options;
  }

  /** Inputs of the task, if it joins. */
  get inputCount(): number {
    return this.#options.task.inputs?.length ?? 0;
  }

  /** @returns undefined where there is nothing that a task could read under this name without failing */
  identityOf(name: string): string | undefined {
    if (!this.#known.has(name)) {
      const parsed = parseReadName(name);
      this.#known.set(name, parsed === undefined ? undefined : this.#identify(parsed));
    }
    return this.#known.get(name);
  }

  /** Spares a second look at what a join has read of an input. */
  learnInput(index: number, name: string, row: ArtifactRow | undefined): void {
    const known = this.#inputs.get(name);
    const identity = this.#inputIdentity(name, row);
    if (known === undefined) {
      const list: (string | undefined)[] = [];
      list[index] = identity;
      this.#inputs.set(name, list);
    } else known[index] = identity;
  }

  /** The run that is read from at the end of a path of upstream names. */
  producerAt(path: readonly string[]): RunRow | undefined {
    return this.#producer(path)?.row;
  }

  /** The artifact or run value of an upstream run. */
  upstreamArtifact(path: readonly string[], name: string): ArtifactRow | undefined {
    return this.#producer(path)?.artifacts().get(name);
  }

  #identify(name: ReadName): string | undefined {
    switch (name.kind) {
      case "field":
        return this.#field(name.name);
      case "settable":
        return this.#isFixed(name.name) ? "fixed" : "free";
      case "upstream":
        return this.#upstream(name.path);
      case "upstream-run":
        return this.#upstreamFact(name.path, name.fact);
      case "upstream-data":
        return identity(this.upstreamArtifact(name.path, name.name));
      case "upstream-has":
        return this.#ofProducer(name.path, (artifacts) => String(artifacts.has(name.name)));
      case "upstream-names":
        return this.#ofProducer(name.path, (artifacts) => textDigest(JSON.stringify([...artifacts.keys()])));
      case "inputs":
        return this.#inputList(name.range, name.name);
      case "before":
        return this.#before(name.name);
      case "merge":
        return this.#merge(name.options);
      case "current":
        return this.#current(name.fact);
      default:
        return assertNever(name);
    }
  }

  #field(name: string): string | undefined {
    const { run, inherited } = this.#options;
    const upstream = run.upstreams.get(name);
    if (upstream !== undefined) return this.#upstream([name]);
    if (Object.hasOwn(run.context.secrets, name)) return undefined;
    const value = run.values.get(name);
    if (value !== undefined) return `${value.kind === "constant" ? "constant" : "value"} ${identity(value)}`;
    const artifact = inherited.get(name);
    return artifact === undefined ? ABSENT : `artifact ${identity(artifact)}`;
  }

  #isFixed(name: string): boolean {
    const { run } = this.#options;
    return run.values.has(name) || run.upstreams.has(name) || Object.hasOwn(run.context.secrets, name);
  }

  #upstream(path: readonly string[]): string | undefined {
    const last = path.at(-1)!;
    const rows = path.length === 1 ? this.#options.run.upstreams : this.#producer(path.slice(0, -1))?.upstreams;
    const row = rows?.get(last);
    return row === undefined ? undefined : row.producer === undefined ? "no run" : "a run";
  }

  #upstreamFact(path: readonly string[], fact: string): string | undefined {
    const row = this.producerAt(path);
    const facts = row === undefined ? {} : upstreamFacts(row);
    return Object.hasOwn(facts, fact) ? JSON.stringify(facts[fact]) : undefined;
  }

  #ofProducer(path: readonly string[], ask: (artifacts: ArtifactTable) => string): string | undefined {
    const producer = this.#producer(path);
    return producer === undefined ? undefined : ask(producer.artifacts());
  }

  #producer(path: readonly string[]): Producer | undefined {
    const key = path.join(".");
    if (!this.#producers.has(key)) this.#producers.set(key, this.#findProducer(path));
    return this.#producers.get(key);
  }

  #findProducer(path: readonly string[]): Producer | undefined {
    const { run } = this.#options;
    const above = path.slice(0, -1);
    const rows = above.length === 0 ? run.upstreams : this.#producer(above)?.upstreams;
    const id = rows?.get(path.at(-1)!)?.producer;
    const row = id === undefined ? undefined : run.reader.runById(id);
    if (row === undefined) return undefined;
    let artifacts: ArtifactTable | undefined;
    return {
      row,
      upstreams: new Map(run.reader.upstreams(row.sequence).map((each) => [each.name, each])),
      // In the order in which the step would list them: values, then artifacts, which stand before values of their name.
      artifacts: () =>
        (artifacts ??= new Map([
          ...run.reader.runValues(row.sequence).map((value) => [value.name, value] as const),
          ...(row.endTask === undefined ? [] : run.visible(row.endTask)),
        ])),
    };
  }

  #inputList(range: InputRange, name: string): string | undefined {
    const inputs = this.#options.task.inputs ?? [];
    const ranges = range === "*" ? [[0, inputs.length - 1] as const] : range;
    const list: string[] = [];
    for (const [first, last] of ranges) {
      if (last >= inputs.length) return undefined;
      for (let index = first; index <= last; index++) list.push(this.#input(index, name));
    }
    return textDigest(list.join("\n"));
  }

  #input(index: number, name: string): string {
    const known = this.#inputs.get(name)?.[index];
    if (known !== undefined) return known;
    const { run, task } = this.#options;
    const row = run.visibleArtifact(task.inputs![index]!.task, name);
    this.learnInput(index, name, row);
    return this.#inputIdentity(name, row);
  }

  #inputIdentity(name: string, row: ArtifactRow | undefined): string {
    if (row !== undefined) return identity(row)!;
    return this.#isFixed(name) ? "of the run" : ABSENT; // What the run gives is read as a field as well.
  }

  #before(name: string): string | undefined {
    const { run, task } = this.#options;
    return task.before === undefined ? undefined : this.#inputIdentity(name, run.visibleArtifact(task.before, name));
  }

  #merge(text: string): string | undefined {
    const { run, step, task } = this.#options;
    const { set, ...options } = JSON.parse(text) as MergeOptions & { readonly set: readonly string[] };
    const isSet = (name: string): boolean => set.includes(name) || this.#isFixed(name);
    try {
      const rows = mergedArtifacts(run, step.name, task.inputs ?? [], options, isSet);
      return textDigest(JSON.stringify(rows.map(({ name, codec, digest }) => [name, codec, digest])));
    } catch (error) {
      if (!isFlowError(error)) throw error;
      return `${error.code} ${JSON.stringify(error.context)}`; // A step may go on without the merge.
    }
  }

  #current(fact: string): string | undefined {
    const { run, task } = this.#options;
    switch (fact) {
      case "step":
        return task.step;
      case "path":
        return task.path;
      case "index":
        return String(pathIndices(task.path).at(-1));
      case "attempt":
        return String(task.attempt);
      case "run.flow":
        return JSON.stringify(run.context.flow);
      case "run.project":
        return JSON.stringify(run.context.project);
      case "run.tags":
        return JSON.stringify(run.context.tags);
      default:
        return undefined;
    }
  }
}

function identity(row: ArtifactRow | undefined): string | undefined {
  return row === undefined ? undefined : `${row.codec} ${row.digest}`;
}
