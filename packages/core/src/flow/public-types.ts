/**
 * The public types of a flow: what the compiler knows about steps, fields, parameters, artifacts and upstreams.
 *
 * Invariants: one signature for each decorator and function, so that an error lands on the literal that is wrong and
 * completions offer only what fits; every mapped type goes over `Own<T>`, the members that the user's class adds.
 * The must-not-compile cases that these types promise are held by `test/types`. Not here: anything that exists at run
 * time.
 */

import type { Lineage, LineageOptions } from "../events/lineage.ts";
import type { ByteSize } from "../util/byte-size.ts";
import type { Duration } from "../util/duration.ts";
import type { Flow } from "./flow.ts";
import type { Signature } from "./public-signatures.ts";
import type { TagOptions } from "./public-tags.ts";

export type { ByteSize } from "../util/byte-size.ts";
export type { Duration } from "../util/duration.ts";
export type { MetricBounds, Query, ResumeOptions, Running, RunOptions, RunOrder, Runs } from "./public-runs.ts";
export type { Signature } from "./public-signatures.ts";
export type { TagHolding, TagMoved, TagOptions } from "./public-tags.ts";

// biome-ignore lint/suspicious/noExplicitAny: the only parameter list that every method is assignable to
type Fn = (...a: any[]) => unknown;
type Own<T> = Exclude<keyof T, keyof Flow>;

/** Names of the methods that a flow class adds to `Flow`. */
export type StepName<T> = { [K in Own<T>]-?: T[K] extends Fn ? K : never }[Own<T>];

/** Steps that a plain transition may lead to: they take nothing, or the inputs of a join. */
type NextStep<T> = {
  [K in Own<T>]-?: T[K] extends Fn ? (T[K] extends (inputs: Inputs<T>) => unknown ? K : never) : never;
}[Own<T>];

/** Steps that a foreach over items of type `E` may lead to. */
type StepTaking<T, E> = {
  [K in Own<T>]-?: T[K] extends Fn ? (T[K] extends (item: E, index: number) => unknown ? K : never) : never;
}[Own<T>];

type Elem<X> = X extends Iterable<infer E> | AsyncIterable<infer E> ? E : never;

type IterableField<T> = {
  [K in Own<T>]-?: NonNullable<T[K]> extends string
    ? never
    : NonNullable<T[K]> extends Iterable<unknown> | AsyncIterable<unknown>
      ? K
      : never;
}[Own<T>];

/** Fields that hold a typed array or a Buffer. */
type ArrayField<T> = {
  [K in Own<T>]-?: NonNullable<T[K]> extends ArrayBufferView & { readonly BYTES_PER_ELEMENT: number } ? K : never;
}[Own<T>];

type Wide<X> = string extends X ? true : number extends X ? true : false;

/** Fields that hold a union of literals: what a choose can look at. */
type UnionField<T> = {
  [K in Own<T>]-?: T[K] extends string | number | boolean ? (Wide<T[K]> extends true ? never : K) : never;
}[Own<T>];

/** Fields that can hold a failure: `failure?: TaskFailure`. */
type FailureField<T> = {
  [K in Own<T>]-?: undefined extends T[K] ? (TaskFailure extends T[K] ? K : never) : never;
}[Own<T>];

type Target<T, F> = [F] extends [never]
  ? NextStep<T>
  : F extends keyof T
    ? StepTaking<T, Elem<NonNullable<T[F]>>>
    : never;

/**
 * What a join receives: its inputs as a list, in declared order of the branches or in the order of the items, and each
 * of them by the name of the step it comes from. Write `Inputs<Train>`, not `Inputs<this>`.
 *
 * @example
 * ```ts
 * @join({ next: "end" })
 * pickBest(inputs: Inputs<Train>) { this.best = Math.max(...inputs.map((input) => input.score)); }
 * ```
 */
export type Inputs<T> = readonly Readonly<T>[] & { readonly [K in StepName<T>]: Readonly<T> } & JoinView<T>;

/** What a join can ask besides its inputs. */
interface JoinView<T> {
  /** What the split left: the step that opened the foreach, or the one from which the branches came. There without items too. */
  readonly before: Readonly<T>;
  /** The input from a step, or undefined when that way was not taken. `inputs.NAME` throws then. */
  maybe(step: StepName<T>): Readonly<T> | undefined;
}

/** Which artifacts `mergeArtifacts` looks at: the included ones, all but the excluded ones, or all. */
export type Merge<T> =
  | { readonly include?: readonly (keyof Artifacts<T>)[]; readonly exclude?: never }
  | { readonly include?: never; readonly exclude?: readonly (keyof Artifacts<T>)[] };

/** What `catch` leaves in its field when all attempts of a task have failed. */
export interface TaskFailure {
  readonly code: string;
  readonly message: string;
  readonly stack?: string;
  readonly attempts: number;
}

/** How a step is executed. Each can also be given to all steps that lack it: `flow run --with retry=3`. */
export interface Behaviour<T> {
  /**
   * Further attempts after a failure, each from clean inputs: their number (waiting 1 s, 2 s, 4 s, … before them), a
   * function of the flow's parameters that gives it, or all settings.
   */
  readonly retry?: number | ((flow: T) => number) | Retry;
  /** The longest time that one attempt may take: `this.signal` is aborted, and soon after the worker is ended. */
  readonly timeout?: Duration;
  /** The field that receives the failure instead of failing the run, when no attempt is left. */
  readonly catch?: FailureField<T>;
  /** Where the step runs: in a worker thread (the default), or in a process that may crash without harm to the run. */
  readonly isolate?: "thread" | "process";
  /** How many tasks of this step may run at once; a whole number from 1. */
  readonly maxParallel?: number;
  /** What a task needs. `memory` is enforced for processes; the rest is recorded, for executors that schedule by it. */
  readonly resources?: Resources;
  /** Environment variables of this step. */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * Secret environment variables of this step: names of variables of the runner, or where each comes from. Their values
   * are never stored, and are masked in what the step writes.
   */
  readonly secrets?: readonly string[] | Readonly<Record<string, SecretFrom>>;
  /** Take over the result of an earlier task with the same code, the same inputs and the same parameters. Default false. */
  readonly cache?: boolean;
  /**
   * Fields with large arrays that this step only reads: its tasks get them in memory that all workers of the run share,
   * instead of a copy for each task. A task that finds such an array changed when its step ends has failed. In a process
   * (`isolate: "process"`) they are copies that must not be changed either.
   */
  readonly shared?: readonly ArrayField<T>[];
}

/** How often and when a failed task is tried again. */
export interface Retry {
  /** Attempts after the first; a whole number from 0. */
  readonly times: number;
  /** The wait before the second attempt. Default 1 s. */
  readonly delay?: Duration;
  /** What the wait is multiplied by each time; from 1. Default 2. */
  readonly factor?: number;
  /** The longest wait. Default 5 m. */
  readonly maxDelay?: Duration;
  /** Share of each wait that is left to chance, 0 to 1. Default 0.25. */
  readonly jitter?: number;
  /** Whether a failure is worth another attempt. Default: all are. */
  readonly when?: (failure: TaskFailure) => boolean;
}

/** What a task needs of a machine. */
export interface Resources {
  /** Processors. */
  readonly cpu?: number;
  readonly memory?: ByteSize;
  /** Graphics processors. */
  readonly gpu?: number;
}

/** Where a secret comes from: an environment variable of the runner, or a file of which the last line break is cut. */
export type SecretFrom = { readonly env: string } | { readonly file: string };

type StepContext<T> = ClassMethodDecoratorContext<T> & { readonly private: false; readonly static: false };

// biome-ignore lint/suspicious/noExplicitAny: the argument list of the decorated method is inferred through it
export type StepDecorator<T> = <A extends any[]>(value: (this: T, ...a: A) => unknown, context: StepContext<T>) => void;
export type JoinDecorator<T> = (value: (this: T, inputs: Inputs<T>) => unknown, context: StepContext<T>) => void;

type CasesOf<T, S extends keyof T> = { readonly [V in `${T[S] & (string | number | boolean)}`]: StepName<T> };

/** What `@step` takes. @see step */
export type StepOptions<T extends Flow, F extends IterableField<T>, N extends Target<T, F>> = {
  readonly foreach?: F;
  readonly next?: N | readonly N[];
} & Behaviour<NoInfer<T>>;

export type { CasesOf, IterableField, Target, UnionField };

/** How a parameter reaches the run. */
export interface ParamOptions<V> {
  /** One letter: `-k 5`. */
  readonly short?: string;
  /** Environment variable to look at; default `MILLRACE_PARAM_` and the name in upper snake case. */
  readonly env?: string;
  /** Leave it out of the help text. */
  readonly hidden?: boolean;
  /** Take it only from the environment or the `--params` file, and never store it. */
  readonly secret?: boolean;
  /** A default that depends on other parameters or configs: `() => this.conf.folds`. */
  readonly default?: () => V;
}

/** How long the value of a declared artifact is kept; without options, as long as its run. */
export interface ArtifactOptions {
  /**
   * Whether the value is given up when the run succeeds. Until then it is there, also for `flow resume`; afterwards its
   * name, codec, size and digest are still known, and reading it is FLOW_ARTIFACT_GONE. Default false.
   */
  readonly transient?: boolean;
  /** Time to live: so long after the end of its task, garbage collection gives the value up. Default: none. */
  readonly ttl?: Duration;
}

/** How a config file is found. */
export interface ConfigOptions {
  /** Path that is read unless another one is given. */
  readonly default?: string;
  readonly short?: string;
  /** Environment variable that may hold the path. */
  readonly env?: string;
}

/** How a file is found and read. */
export interface IncludeFileOptions {
  /** `"utf8"` gives a string; left out, the field is a `Uint8Array`. */
  readonly encoding?: "utf8";
  /** Path that is read unless another one is given. */
  readonly default?: string;
  readonly short?: string;
  /** Environment variable that may hold the path. */
  readonly env?: string;
}

/** What `includeFile` gives for its options. */
export type IncludedFile<O extends IncludeFileOptions> = O extends { readonly encoding: "utf8" } ? string : Uint8Array;

declare const upstreamOf: unique symbol;

/** A run that this run reads from. */
export interface Upstream<T extends Flow = Flow> {
  readonly [upstreamOf]: T;
  /** Which run it is. */
  readonly run: RunFacts;
  /** Its artifacts, read on first use. */
  readonly data: Artifacts<T>;
  /** The runs that it read from in turn, by the names its own class gives them. */
  readonly upstreams: Upstreams<T>;
}

/** What is known of a run without reading its artifacts. */
export interface RunFacts {
  /** The global id, the same in every store. */
  readonly id: string;
  /** The store's alias: `Train/17`. */
  readonly name: string;
  readonly flow: string;
  readonly tags: readonly string[];
  readonly createdAt: Date;
}

type IsUpstream<X> = [X] extends [never]
  ? false
  : NonNullable<X> extends { readonly [upstreamOf]: Flow }
    ? true
    : false;

/** The upstream fields of a flow. */
export type Upstreams<T> = { readonly [K in Own<T> as IsUpstream<T[K]> extends true ? K : never]: NonNullable<T[K]> };

/** What a run of `T` leaves behind: all public fields but methods and upstreams. */
export type Artifacts<T> = {
  readonly [K in Own<T> as T[K] extends Fn ? never : IsUpstream<T[K]> extends true ? never : K]: T[K];
};

/** Artifacts of the runs that a flow reads from, by upstream and name. */
export type UpstreamValues<T> = {
  readonly [U in keyof Upstreams<T>]?: Upstreams<T>[U] extends { readonly [upstreamOf]: infer F extends Flow }
    ? Partial<Artifacts<F>>
    : never;
};

/** A flow class that can be run: no abstract one. */
export type FlowClass<T extends Flow = Flow> = new () => T;

/** Which run an upstream stands for unless the command line says otherwise. */
export interface UpstreamOptions<T extends Flow> {
  /** The very run that another upstream read from, unless --NAME-tag or --NAME-run says otherwise. */
  readonly sameAs?: Upstream<T>;
  /** Tags looked for unless told otherwise. */
  readonly tags?: readonly string[] | (() => readonly string[]);
  /** A run older than this is refused. */
  readonly maxAge?: Duration;
  /** No run found gives `undefined` instead of an error. */
  readonly optional?: boolean;
}

type Writable<X> = { -readonly [P in keyof X]: X[P] };
type IfEq<X, Y, A, B> = (<G>() => G extends X ? 1 : 2) extends <G>() => G extends Y ? 1 : 2 ? A : B;
/** Names of the read-only fields of a flow. */
export type ReadonlyKey<T> = {
  [K in Own<T>]-?: T[K] extends Fn
    ? never
    : IsUpstream<T[K]> extends true
      ? never
      : IfEq<Pick<T, K>, Writable<Pick<T, K>>, never, K>;
}[Own<T>];

/** Values of the read-only fields (parameters, configs, files), all optional. */
export type Params<T> = { readonly [K in ReadonlyKey<T>]?: T[K] };

/** A run as the client sees it; artifacts are promises. */
export interface Run<T extends Flow = Flow> extends RunFacts {
  readonly status: "queued" | "running" | "succeeded" | "failed" | "cancelled" | "lost";
  readonly data: { readonly [K in keyof Artifacts<T>]: Promise<Artifacts<T>[K]> };
  readonly upstreams: {
    readonly [K in keyof Upstreams<T>]: Upstreams<T>[K] extends { readonly [upstreamOf]: infer U extends Flow }
      ? Promise<Run<U>>
      : never;
  };
  /**
   * The last value of each metric: that of the last task, in the order in which they were begun, that recorded it.
   *
   * @example `(await run.metrics()).r2`
   */
  metrics(): Promise<Readonly<Record<string, number>>>;
  /** All values of a metric, task by task in the order in which they were begun; empty when none recorded it. */
  metricValues(name: string): Promise<readonly MetricValue[]>;
  /**
   * Gives tags to the run. A tag under a policy that is given to a run which is not over moves when the run succeeds; an
   * exclusive one is taken from the run that holds it, in the same transaction.
   *
   * @returns the run with the tags that it holds then
   * @throws FlowError FLOW_LINEAGE_BAD_TAG, FLOW_TAG_… with all that policies have against it
   */
  addTags(tags: readonly string[], options?: TagOptions): Promise<Run<T>>;
  /** Takes tags from the run; one that it does not hold is no error. */
  removeTags(tags: readonly string[], options?: TagOptions): Promise<Run<T>>;
  /** Takes one tag from the run and gives it another, in one transaction. */
  replaceTag(tag: string, by: string, options?: TagOptions): Promise<Run<T>>;
  /** Makes this run the one of its flow that holds the tag: it is taken from every other one in the same transaction. */
  promote(to: string, options?: TagOptions): Promise<Run<T>>;
  /**
   * Signs the run with an Ed25519 key: which run it is, the digests over its records, and what it left. The signature is kept in the
   * store; the key is not. A run that this key has signed already stays as it is.
   *
   * @param key private key in PEM form (PKCS #8)
   * @throws FlowError FLOW_SIGN_BAD_KEY, FLOW_SIGN_NOT_SUCCEEDED, FLOW_SIGN_NO_DIGEST, FLOW_SIGN_TOO_MANY,
   *   FLOW_METADATA_CHANGED_RECORDS
   */
  sign(key: string): Promise<Signature>;
  /**
   * The signatures of the run, in the order in which they were added.
   *
   * @param publicKeys those that you trust, in PEM form; a signature by another key is "unknown-key". Default none
   * @throws FlowError FLOW_SIGN_BAD_KEY
   */
  signatures(publicKeys?: readonly string[]): Promise<readonly Signature[]>;
  step<K extends StepName<T>>(
    name: K,
  ): { readonly tasks: AsyncIterable<{ readonly id: string; readonly data: Run<T>["data"] }> };
  /**
   * What the run was made from, or what was made from it; of one artifact when `options.artifact` names it.
   *
   * @throws FlowError FLOW_CLIENT_BAD_QUERY, FLOW_CLIENT_NO_ARTIFACT
   */
  lineage(options?: LineageOptions & { readonly artifact?: keyof Artifacts<T> & string }): Promise<Lineage>;
}

/** One value of a metric. */
export interface MetricValue {
  readonly value: number;
  /** Where in a training it stands, when that was said. */
  readonly step?: number;
  /** The task that recorded it: `Train/17/fit`. */
  readonly task: string;
}
