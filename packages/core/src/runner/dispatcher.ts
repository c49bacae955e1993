/**
 * Hands ready tasks to the executor in batches and watches over them: how many are out, how many of one step, and
 * whether an attempt has taken longer than it may. What a returned batch means is not decided here.
 *
 * The time of an attempt runs from its beginning in the worker, by the runner's clock: a step that computes without a
 * pause cannot hold it up. When it is over `this.signal` is aborted, and soon after the worker is ended.
 */

import type { AttemptPolicy } from "./attempt-policy.ts";
import { BatchSize } from "./batch-size.ts";
import type { Clock } from "./clock.ts";
import type { Executor, Submission } from "./executor.ts";
import type { Batch, RunContext, StepContract, TaskResult } from "./protocol.ts";
import type { ReadyTask } from "./scheduler/scheduler.ts";
import type { SlotShare } from "./slots.ts";
import { failureOf } from "./task-failure.ts";

/** Tasks of one step as they travel. */
export interface Flight {
  readonly step: string;
  readonly tasks: readonly ReadyTask[];
  readonly sentAt: Date;
  /** The result that a fallback stands in for: its task is sent once more, to catch the failure. */
  readonly failed?: TaskResult;
  /** Set when the attempt took longer than it may. */
  readonly isTimedOut: boolean;
}

/** How a batch came back: with results of its first tasks and the others untouched, or not at all. */
export type Returned =
  | { readonly kind: "results"; readonly results: readonly TaskResult[]; readonly rest: readonly ReadyTask[] }
  | { readonly kind: "lost"; readonly error: unknown };

export interface DispatcherOptions {
  readonly run: RunContext;
  readonly executor: Executor;
  readonly contracts: ReadonlyMap<string, StepContract>;
  readonly policies: ReadonlyMap<string, AttemptPolicy>;
  readonly clock: Clock;
  /** How much of it may run. */
  readonly slots: SlotShare;
  /** Attempts at a task in this execution of the run. */
  readonly triesOf: (task: ReadyTask) => number;
  readonly onReturn: (flight: Flight, returned: Returned) => void;
  /** Something of ours failed while a batch came back. */
  readonly onError: (error: unknown) => void;
  /** The attempt has taken longer than it may, and was told so. */
  readonly onTimeout: (task: ReadyTask) => void;
}

/** What the scheduler offers. */
interface Source {
  readySteps(): Iterable<{ readonly step: string; readonly count: number }>;
  take(step: string, limit: number): readonly ReadyTask[];
}

interface Watched extends Flight {
  isTimedOut: boolean;
  submission?: Submission;
  /** Takes back the timer that waits for the attempt's end. */
  unwatch?: () => void;
  /** Whether its task holds no slot, because it waits for other runs. */
  isWaiting: boolean;
  /** Whether it waits for a slot to go on. */
  isQueued: boolean;
  /** Takes that back. */
  leaveQueue?: () => void;
}

/** How long a step may go on after its time, to end by itself; its worker is ended within two seconds of the limit. */
const TIMEOUT_GRACE_MS = 1_000;
const NO_POLICY: AttemptPolicy = {};

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #sizes: BatchSize;
  readonly #batchesOfStep = new Map<string, number>();
  readonly #watched = new Map<number, Watched>();
  readonly #out = new Set<Watched>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#sizes = options.executor.sizes ?? new BatchSize();
  }

  /** Whether nothing is out. */
  get isIdle(): boolean {
    return this.#out.size === 0;
  }

  /** Whether workers have enough to do for a while. */
  get isBusy(): boolean {
    return this.#options.slots.taken > this.#options.slots.capacity;
  }

  /** Sends as much as there is room for. */
  fill(source: Source, onSend: (tasks: readonly ReadyTask[]) => void): void {
    let hasSent = true;
    while (hasSent) {
      hasSent = false;
      for (const { step, count } of source.readySteps()) {
        if (!this.#hasRoom(step)) continue;
        const tasks = source.take(step, this.#sizeOf(step, count));
        if (tasks.length === 0) continue;
        onSend(tasks);
        this.send(step, tasks);
        hasSent = true;
        break;
      }
    }
  }

  /** Sends tasks of one step; with `failed`, the task of that result once more, to catch its failure. */
  send(step: string, tasks: readonly ReadyTask[], failed?: TaskResult): void {
    const flight: Watched = {
      step,
      tasks,
      sentAt: this.#options.clock.now(),
      isTimedOut: false,
      isWaiting: false,
      isQueued: false,
      ...(failed === undefined ? {} : { failed }),
    };
    const isWatched = this.#policy(step).timeoutMs !== undefined && failed === undefined;
    this.#out.add(flight);
    this.#options.slots.take();
    this.#batchesOfStep.set(step, (this.#batchesOfStep.get(step) ?? 0) + 1);
    flight.submission = this.#options.executor.submit(this.#batch(flight, isWatched));
    if (isWatched) this.#watched.set(tasks[0]!.sequence, flight);
    flight.submission.results
      .then(
        (results): Returned => ({ kind: "results", results, rest: tasks.slice(results.length) }),
        (error: unknown): Returned => ({ kind: "lost", error }),
      )
      .then((returned) => this.#back(flight, returned))
      .catch(this.#options.onError);
  }

  /** A watched attempt has begun in its worker: from now on its time runs. */
  began(sequence: number): void {
    const flight = this.#watched.get(sequence);
    if (flight === undefined) return;
    const { clock } = this.#options;
    flight.unwatch = clock.after(this.#policy(flight.step).timeoutMs!, () => {
      flight.isTimedOut = true;
      flight.submission!.abort("the step took longer than its timeout");
      this.#options.onTimeout(flight.tasks[0]!);
      flight.unwatch = clock.after(TIMEOUT_GRACE_MS, () => flight.submission!.end());
    });
  }

  /** A task does nothing but wait for other runs: its slot is free for them. */
  waits(sequence: number): void {
    const flight = this.#flightOf(sequence);
    if (flight === undefined || flight.isWaiting || flight.isQueued) return;
    flight.isWaiting = true;
    flight.submission!.setWaiting(true);
    this.#options.slots.wait();
  }

  /** A task that waited can go on. Calls back when it has a slot again, and never if it is gone by then. */
  goesOn(sequence: number, onSlot: () => void): void {
    const flight = this.#flightOf(sequence);
    if (flight === undefined || flight.isQueued) return;
    if (!flight.isWaiting) {
      onSlot();
      return;
    }
    flight.isWaiting = false;
    flight.isQueued = true;
    flight.leaveQueue = this.#options.slots.resume(() => {
      flight.isQueued = false;
      flight.submission!.setWaiting(false);
      onSlot();
    });
  }

  #flightOf(sequence: number): Watched | undefined {
    for (const flight of this.#out) if (flight.tasks.some((task) => task.sequence === sequence)) return flight;
    return undefined;
  }

  #back(flight: Watched, returned: Returned): void {
    flight.unwatch?.();
    this.#out.delete(flight);
    this.#freeSlot(flight);
    this.#watched.delete(flight.tasks[0]!.sequence);
    this.#batchesOfStep.set(flight.step, this.#batchesOfStep.get(flight.step)! - 1);
    if (returned.kind === "results" && flight.failed === undefined)
      for (const { durationMs } of returned.results) this.#sizes.measured(flight.step, durationMs);
    this.#options.onReturn(flight, returned);
  }

  #freeSlot(flight: Watched): void {
    const { slots } = this.#options;
    if (flight.isQueued) flight.leaveQueue!();
    else if (flight.isWaiting) slots.stopWaiting();
    else slots.giveBack();
  }

  #batch({ step, tasks, failed }: Flight, isWatched: boolean): Batch {
    const { placement, cache, catch: field } = this.#policy(step);
    const failure = failed?.outcome.kind === "failed" ? failed.outcome.error : undefined;
    return {
      run: this.#options.run,
      step: this.#options.contracts.get(step)!,
      tasks:
        failure === undefined || field === undefined
          ? tasks
          : tasks.map((task) => ({
              ...task,
              fallback: { field, failure: failureOf(failure, this.#options.triesOf(task)) },
            })),
      ...(placement === undefined ? {} : { placement }),
      ...(cache === undefined ? {} : { cache }),
      ...(isWatched ? { isWatched } : {}),
    };
  }

  /** Short tasks may queue some messages a worker ahead, so that no worker waits while the main thread commits. */
  #hasRoom(step: string): boolean {
    const policy = this.#policy(step);
    const mayWait = !travelsAlone(policy) && policy.placement === undefined;
    if (!this.#options.slots.hasRoom(mayWait ? this.#sizes.messagesOf(step) : 1)) return false;
    return policy.maxParallel === undefined || (this.#batchesOfStep.get(step) ?? 0) < policy.maxParallel;
  }

  #sizeOf(step: string, ready: number): number {
    const { capacity } = this.#options.slots;
    const isFirst = (this.#batchesOfStep.get(step) ?? 0) < capacity;
    return travelsAlone(this.#policy(step)) ? 1 : this.#sizes.of(step, ready, capacity, isFirst);
  }

  #policy(step: string): AttemptPolicy {
    return this.#options.policies.get(step) ?? NO_POLICY;
  }
}

/** What a step with limits of its own does must not be at the cost of others in its message. */
function travelsAlone(policy: AttemptPolicy): boolean {
  return policy.timeoutMs !== undefined || policy.placement?.isolate === "process";
}
