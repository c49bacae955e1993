/** What `runFlow` takes and gives, typed by the flow class. */
import type { RunEvent } from "../events/run-event.ts";
import type { TaskStatus } from "../events/run-record.ts";
import type { Flow } from "../flow/flow.ts";
import type { Artifacts, Params, StepName, UpstreamValues } from "../flow/public-types.ts";
import type { FakeClock } from "./fake-clock.ts";
import type { StepMetrics } from "./step-types.ts";
import type { TaskLog } from "./task-log.ts";

/** How `runFlow` runs a flow. */
export interface RunFlowOptions<T extends Flow> {
  /** Parameters, configs and files; those left out get their defaults. */
  readonly params?: Params<T>;
  /** Artifacts of the runs that the flow reads from: all but the optional ones have to be given. */
  readonly upstreams?: UpstreamValues<T>;
  readonly tags?: readonly string[];
  /** Cancels the run: tasks see it as `this.signal`. */
  readonly signal?: AbortSignal;
  /** Default: the machine's clock, except that the delay before another attempt is not waited for. */
  readonly clock?: FakeClock;
  /**
   * Independent tasks start in an order that the seed decides, so that a missing edge shows; `current.random()` depends on
   * it too. Default: another one each time; a failure names it.
   */
  readonly seed?: number;
  /** Behaviour for steps that lack it, as `flow run --with` takes it: `["retry=3"]`. */
  readonly with?: readonly string[];
  /** Whether what does not depend on a failed task still runs. Default: nothing new starts. */
  readonly finishSiblings?: boolean;
  /** Where secrets of steps and parameters with an environment variable come from. Default: nothing is set. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Tasks at the same time: while one waits for something, another goes on. Default 1. */
  readonly slots?: number;
  /** Whether what tasks write becomes their `logs`, or is shown where it would go without us. Default captured. */
  readonly output?: "captured" | "passed";
}

/** A run in memory that has ended. `A` says whether it may have failed. */
export interface FlowRun<T extends Flow, A extends boolean = false> {
  readonly status: A extends true ? "succeeded" | "failed" | "cancelled" : "succeeded";
  /** What the run left behind: artifacts of its last step, parameters and constants. Nothing when it failed. */
  readonly data: A extends true ? Partial<Artifacts<T>> : Artifacts<T>;
  /** The last value of each metric that its tasks recorded. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Every task with its newest attempt, in the order in which they first started. */
  readonly tasks: readonly FlowRunTask<T>[];
  /** What happened, in order; progress is left out. */
  readonly events: readonly RunEvent[];
  /** What the first failing step threw: the very object. */
  readonly error?: unknown;
  /** Starts the tasks in the same order again. */
  readonly seed: number;
}

/** A task of a run in memory. */
export interface FlowRunTask<T extends Flow> {
  readonly step: StepName<T>;
  /** Where it stands: `""`, `"3"`, `"1.2"`. */
  readonly path: string;
  readonly status: TaskStatus;
  /** How many attempts it had. */
  readonly attempts: number;
  /** The artifacts that the steps after it see; decoded when it is read. */
  readonly data: Partial<Artifacts<T>>;
  /** What it recorded with `this.log.metric`, by name. */
  readonly metrics: StepMetrics;
  /** What its attempts wrote, in order. */
  readonly logs: readonly TaskLog[];
}
