/** What `runStep` takes and gives, typed by the flow class. */
import type { Flow } from "../flow/flow.ts";
import type { Artifacts, Inputs, Params, ReadonlyKey, StepName, UpstreamValues } from "../flow/public-types.ts";
import type { TaskLog } from "./task-log.ts";

/** Artifacts that a step may find set: any of those of the flow, without its parameters. */
export type Values<T> = {
  -readonly [K in keyof Artifacts<T> as K extends ReadonlyKey<T> ? never : K]?: Artifacts<T>[K];
};

type Arguments<T, K extends keyof T> = T[K] extends (...a: infer A) => unknown ? A : never;

type IsJoin<T extends Flow, K extends keyof T> =
  Arguments<T, K> extends [infer I, ...unknown[]]
    ? Inputs<T> extends I
      ? I extends readonly object[]
        ? true
        : false
      : false
    : false;

/** What a step begins with: an item, the inputs of a join, artifacts of the steps before. */
type StepInputs<T extends Flow, K extends keyof T> =
  IsJoin<T, K> extends true
    ? JoinInputs<T>
    : Arguments<T, K> extends [infer I, ...unknown[]]
      ? { readonly item: I; readonly index?: number; readonly inputs?: Values<T> }
      : { readonly inputs?: Values<T> };

interface JoinInputs<T extends Flow> {
  /**
   * What each way into the join left: as a list, in the order of branches or items; or by step name, where a list behind a
   * name stands for several items, and a step that is left out was not taken.
   */
  readonly inputs: readonly Values<T>[] | { readonly [S in StepName<T>]?: Values<T> | readonly Values<T>[] };
  /** What the split left: `inputs.before`. Nothing unless told. */
  readonly before?: Values<T>;
}

interface StepSettings<T extends Flow> {
  /** Parameters, configs and files; those left out get their defaults. */
  readonly params?: Params<T>;
  /** Artifacts of the runs that the step reads from; one that is not given is an error when it is read. */
  readonly upstreams?: UpstreamValues<T>;
  /** Tags of the run, as `current.run.tags` shows them. */
  readonly tags?: readonly string[];
  /** Which attempt it is, as `current.attempt` shows it. Default 1. */
  readonly attempt?: number;
  /** Becomes `this.signal`. */
  readonly signal?: AbortSignal;
  /** Gives other numbers of `current.random()`; the same seed, step and index give the same ones. Default 1. */
  readonly seed?: number;
  /** Whether what the step writes is captured in `logs`, or shown where it would go without us. Default captured. */
  readonly output?: "captured" | "passed";
}

/** What `runStep` takes for step `K` of flow `T`. */
export type RunStepOptions<T extends Flow, K extends keyof T> = StepInputs<T, K> & StepSettings<T>;

/** What a step left behind. */
export interface StepRun<T extends Flow> {
  /** The artifacts that the steps after this one would see: private copies, read back from what was kept. */
  readonly data: Partial<Artifacts<T>>;
  /** The steps that would run next. After a choice those that it leads to, after an empty foreach its join. */
  readonly next: readonly StepName<T>[];
  /** For a step that chooses: the value of the field that it chooses by, as text. */
  readonly choice?: string;
  /** For a step that fans out: the items, as their tasks would get them. */
  readonly items?: readonly unknown[];
  /** What it recorded with `this.log.metric`, by name. */
  readonly metrics: StepMetrics;
  /** What it wrote, in order. */
  readonly logs: readonly TaskLog[];
  /** Why a decorator skipped it, if one did. */
  readonly skipped?: string;
}

/** Values of metrics by name, each in the order in which they were recorded. */
export type StepMetrics = Readonly<Record<string, readonly { readonly value: number; readonly step?: number }[]>>;
