import type { RunEvent } from "../events/run-event.ts";
import type { Flow } from "./flow.ts";
import type { TagHolding, TagMoved, TagOptions } from "./public-tags.ts";
import type { Params, ReadonlyKey, Run, StepName, Upstreams } from "./public-types.ts";

/** How `run` starts a flow. */
export interface RunOptions<T extends Flow> {
  /** Values of the output type of each parameter's schema. */
  readonly params?: Params<T>;
  /** A tag under a policy is given to the run when it succeeds; any other one at once. */
  readonly tags?: readonly string[];
  /** Why the run is to have its tags: kept in the log, and asked for by some policies. */
  readonly tagReason?: string;
  readonly signal?: AbortSignal;
  /**
   * Whether the run may take the worker threads that an earlier run of the same flow has left to this program, and leaves its own.
   * That saves starting threads and compiling code, 50 to 150 ms a run. The modules of the flow are loaded anew; what a step has changed in
   * Node itself may be seen by the next run. Default false: each run has new threads. Runs inside steps share workers anyway.
   */
  readonly reuseWorkers?: boolean;
  readonly upstreams?: {
    // biome-ignore lint/suspicious/noExplicitAny: a run of any flow; `Run<Flow>` would refuse runs of classes with steps
    readonly [K in keyof Upstreams<T>]?: string | { readonly tags: readonly string[] } | Run<any>;
  };
}

/** How `resume` goes on with a run. */
export interface ResumeOptions<T extends Flow> extends Omit<RunOptions<T>, "reuseWorkers"> {
  /** This step and all after it run again. */
  readonly from?: StepName<T>;
  /** Steps whose code changed since run again, and all that depends on them. */
  readonly changed?: boolean;
  /** Go on with the code that the run had, also where its sources have changed. */
  readonly sameCode?: boolean;
}

/** A run that has been started: await it for the finished run, iterate over it for events. */
export interface Running<T extends Flow> extends AsyncIterable<RunEvent>, PromiseLike<Run<T>> {
  /** The run's global id, as soon as it is created. */
  readonly id: Promise<string>;
  /** Asks the run to stop; a second call waits for no task any more. */
  cancel(reason?: string): void;
  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<Run<T> | B>;
  finally(onSettled?: (() => void) | null): Promise<Run<T>>;
}

/** Which runs are meant: all conditions must hold. */
export interface Query<T extends Flow> {
  readonly tags?: readonly string[];
  readonly status?: Run["status"];
  readonly params?: Params<T>;
  /** What last values of metrics must be; a run without a value fits none, nor does NaN. */
  readonly metrics?: Readonly<Record<string, number | MetricBounds>>;
  /** By what they come instead of by age. Runs without a value are last; a sorted list ends after 1,000 runs. */
  readonly sort?: RunOrder<T>;
  readonly limit?: number;
}

/** Limits of a metric: all that are given must hold. */
export interface MetricBounds {
  readonly above?: number;
  readonly atLeast?: number;
  readonly below?: number;
  readonly atMost?: number;
}

/** By what runs are sorted: the last value of a metric, or a parameter as it is recorded. Default: the highest first. */
export type RunOrder<T extends Flow> = ({ readonly metric: string } | { readonly param: ReadonlyKey<T> & string }) & {
  readonly order?: "descending" | "ascending";
};

/** The runs of a flow, newest first. */
export interface Runs<T extends Flow> extends AsyncIterable<Run<T>> {
  latest(q?: Query<T>): Promise<Run<T>>;
  get(run: number | string): Promise<Run<T>>;
  where(q: Query<T>): Runs<T>;
  /**
   * Gives a tag of this flow back to the run that held it before, or to another one that did (`to`). Twice in a row leads two
   * runs back.
   *
   * @returns the run that holds it now
   * @throws FlowError FLOW_TAG_NO_PREVIOUS (naming a previous run that was deleted), and what policies have against it
   */
  rollback(
    tag: string,
    options?: Pick<TagOptions, "reason" | "forceAge"> & { readonly to?: number | string },
  ): Promise<Run<T>>;
  /** Who held a tag of this flow when, in the order in which it was given; with `at`, at that instant alone. */
  tagHistory(tag: string, options?: { readonly at?: Date }): Promise<readonly TagHolding[]>;
  /**
   * Moves of tags of this flow as they happen, by looking at the log twice a second, until the signal is aborted or the loop
   * left. The way for a program to react to a promotion.
   *
   * @param options.tag a tag, or a pattern such as `prod:*`; default all
   * @param options.after number of the last move that is known already (`sequence`), 0 for all; default those from now on
   * @example
   * ```ts
   * for await (const move of runs(Train).tagMoves({ tag: "prod:*" })) await reload(move.runId);
   * ```
   */
  tagMoves(options?: {
    readonly tag?: string;
    readonly after?: number;
    readonly signal?: AbortSignal;
  }): AsyncIterable<TagMoved>;
}
