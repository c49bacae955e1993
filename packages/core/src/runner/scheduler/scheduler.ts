/**
 * Decides which task runs when: state transitions only, without threads, clocks, stores or promises.
 *
 * The caller takes ready tasks, runs them, and reports back after the result is durable; `propagation.ts` says what may
 * run then. A task that a `FinishedTasks` knows is never ready: it is taken over, and what it led to follows at once.
 * Not here: batching, limits of time, when to retry, recording.
 *
 * Task numbers come from outside (`allocate`), so that a replay with the same numbers gives the same tasks; tasks that are
 * taken over keep theirs.
 */
import { FlowError } from "../../errors/flow-error.ts";
import type { StepProgress } from "../../events/run-event.ts";
import type { Graph } from "../../graph/graph.ts";
import type { TaskPath } from "../../ids/task-path.ts";
import type { TaskSequence } from "../../metadata/metadata-store.ts";
import { Adoption, type FinishedTask, type FinishedTasks } from "./finished-tasks.ts";
import { type Firing, Propagation } from "./propagation.ts";
import { type ReadyGroup, ReadyQueue } from "./ready-queue.ts";
import type { ReadyTask, TaskOutcome } from "./ready-task.ts";
import { type Fan, itemOf, itemScope, roundScope, type ScopeInstance, topScope } from "./scope-instance.ts";
import { ProgressCounts } from "./step-counts.ts";
import { mostEdges, planSteps, type StepPlan } from "./step-plan.ts";
import { moveTask, type SuccessState, type TaskState } from "./task-state.ts";

export type { FinishedTask, FinishedTasks } from "./finished-tasks.ts";
export type { ReadyTask, TaskOutcome } from "./ready-task.ts";

export interface SchedulerOptions {
  /** Tasks that are taken over instead of run. */
  readonly finished?: FinishedTasks;
  /** Attempts that a task had in earlier executions of the run: its first one here has the next number. Default: none. */
  readonly attemptsBefore?: (step: string, path: TaskPath) => number;
  /** Numbers from 0 to 1: independent tasks start in shuffled order. Inputs of joins keep theirs. */
  readonly random?: () => number;
  /** Rounds that a loop may have at most; default 1,000. */
  readonly maxRounds?: number;
}

/**
 * A loop that people write ends after a few or some hundred rounds; one that has not ended after so many most likely
 * never will, and each round costs records.
 */
export const MAX_ROUNDS = 1_000;

interface KnownTask {
  readonly task: ReadyTask;
  readonly step: StepPlan;
  readonly scope: ScopeInstance;
  state: TaskState;
}

export class Scheduler {
  readonly #start: StepPlan;
  readonly #end: string;
  readonly #allocate: (count: number) => TaskSequence;
  readonly #attemptsBefore: (step: string, path: TaskPath) => number;
  readonly #maxRounds: number;
  readonly #stepCount: number;
  readonly #mostEdges: number;
  readonly #ready: ReadyQueue<KnownTask>;
  readonly #running = new Map<TaskSequence, KnownTask>();
  readonly #waiting = new Map<TaskSequence, KnownTask>();
  readonly #counts: ProgressCounts;
  readonly #adoption: Adoption;
  readonly #propagation = new Propagation({
    fire: (firing) => this.#fire(firing),
    open: (fan, child) => this.#open(fan, child),
  });
  #endTask: TaskSequence | undefined;

  /**
   * @param allocate gives the first of `count` consecutive task numbers that nobody else uses
   */
  constructor(graph: Graph, allocate: (count: number) => TaskSequence, options: SchedulerOptions = {}) {
    this.#start = planSteps(graph).get(graph.start)!;
    this.#end = graph.end;
    this.#allocate = allocate;
    this.#attemptsBefore = options.attemptsBefore ?? (() => 0);
    this.#maxRounds = options.maxRounds ?? MAX_ROUNDS;
    this.#stepCount = graph.order.length;
    this.#mostEdges = mostEdges(graph.nodes);
    this.#ready = new ReadyQueue((group, index) => this.#makeTask(group, index), options.random);
    this.#counts = new ProgressCounts(graph.order);
    this.#adoption = new Adoption(options.finished);
  }

  /**
   * The largest number of task numbers that the scheduler can ask for while it is told how tasks ended, or by `begin`.
   *
   * @param settled how many tasks it will be told about (by `succeeded`, `caught`, `skipped` or `retry`); 1 for `begin`
   * @param fanOut how many items the foreach steps among them have together
   */
  numbersFor(settled: number, fanOut: number): number {
    // One task can make each step ready once at most, besides the items of its own foreach: what follows from it lies in
    // its own scope and in those around it.
    return settled * (this.#stepCount + 1) + fanOut + this.#adoption.ready(this.#mostEdges);
  }

  /** The end task, once it succeeded. */
  get endTask(): TaskSequence | undefined {
    return this.#endTask;
  }

  /** Whether nothing runs, nothing is ready and nothing waits for its next attempt. */
  get isIdle(): boolean {
    return this.#running.size === 0 && this.#waiting.size === 0 && this.#ready.isEmpty;
  }

  get progress(): readonly StepProgress[] {
    return this.#counts.progress;
  }

  /** Makes the start step ready, or what follows from the tasks that are taken over. */
  begin(): void {
    this.#propagation.enter(this.#start, topScope(), {});
    this.#propagation.settle();
  }

  /** Steps that have ready tasks, with their number, the step that has waited longest first. */
  readySteps(): Iterable<{ readonly step: string; readonly count: number }> {
    return this.#ready.steps();
  }

  /** Takes up to `limit` ready tasks of one step and marks them running. */
  take(step: string, limit: number): readonly ReadyTask[] {
    return this.#ready.take(step, limit).map((known) => {
      this.#move(known, "running");
      this.#running.set(known.task.sequence, known);
      return known.task;
    });
  }

  /**
   * A running task has no result and is ready again, as the same attempt.
   *
   * @param options.isAlone whether it must run in a message of its own: its worker was lost, and it may be why
   */
  giveBack(sequence: TaskSequence, options: { readonly isAlone: boolean }): void {
    const known = this.#leave(sequence, "queued");
    this.#ready.giveBack(known.step.name, known, options.isAlone);
  }

  /**
   * The attempt that runs has failed, and there is another one: a task of its own, with a number of its own. It waits
   * until `requeue`.
   */
  retry(sequence: TaskSequence): ReadyTask {
    const failed = this.#running.get(sequence) ?? missing(sequence, "failed");
    moveTask(failed.state, "failed");
    this.#running.delete(sequence);
    const task = { ...failed.task, sequence: this.#allocate(1), attempt: failed.task.attempt + 1 };
    this.#waiting.set(task.sequence, { ...failed, task, state: "waiting" });
    this.#counts.moved(failed.step.name, "running", "waiting");
    return task;
  }

  /** A task has waited long enough for its next attempt. Nothing happens when it was dropped meanwhile, by `stop`. */
  requeue(sequence: TaskSequence): void {
    const known = this.#waiting.get(sequence);
    if (known === undefined) return;
    this.#waiting.delete(sequence);
    this.#move(known, "queued");
    this.#ready.giveBack(known.step.name, known, false);
  }

  /**
   * Why a task cannot succeed (or be caught, or be skipped) with this outcome, although its step did: its choice begins
   * one more round of a loop that has had all it may have. To be asked before the outcome is recorded.
   *
   * @returns a FlowError FLOW_RUNNER_TOO_MANY_ROUNDS, for which the task has failed; undefined when all is well
   */
  refusal(sequence: TaskSequence, outcome: TaskOutcome): FlowError | undefined {
    const { step, scope } = this.#running.get(sequence) ?? missing(sequence, "succeeded");
    if (step.cases === undefined || outcome.choice === undefined) return undefined;
    const plan = step.cases.get(outcome.choice);
    if (plan === undefined || !plan.edge.repeats) return undefined;
    let place = scope;
    for (let left = 0; left < plan.leaves.length; left++) place = place.round!.outer;
    if (place.round!.number + 1 < this.#maxRounds) return undefined;
    const header = plan.target.name;
    return new FlowError("FLOW_RUNNER_TOO_MANY_ROUNDS", {
      message: `Cannot begin another round of the loop that starts with "${header}": "${step.name}" chose "${outcome.choice}" after ${this.#maxRounds} rounds, and no loop may have more`,
      hint: `Let "${step.name}" choose a way out of the loop in time, or allow more rounds with --max-rounds`,
      context: { step: step.name, header, choice: outcome.choice, maxRounds: this.#maxRounds },
    });
  }

  /** A task succeeded, and that is durable: what it leads to becomes ready. */
  succeeded(sequence: TaskSequence, outcome: TaskOutcome): void {
    this.#finish(sequence, "succeeded", outcome);
  }

  /** A task failed, but its step catches: the run goes on behind it as behind a success. */
  caught(sequence: TaskSequence, outcome: TaskOutcome): void {
    this.#finish(sequence, "caught", outcome);
  }

  /** A task's step was passed over: the run goes on behind it as behind a success. */
  skipped(sequence: TaskSequence, outcome: TaskOutcome): void {
    this.#finish(sequence, "skipped", outcome);
  }

  /** A task failed for good. All that does not wait for it goes on, until `stop`. */
  failed(sequence: TaskSequence): void {
    this.#leave(sequence, "failed");
  }

  cancelled(sequence: TaskSequence): void {
    this.#leave(sequence, "cancelled");
  }

  /**
   * Drops all that is ready or waits: nothing new starts. Running tasks still report.
   *
   * @returns the tasks that waited for their next attempt
   */
  stop(): readonly ReadyTask[] {
    this.#ready.clear();
    const dropped = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const known of dropped) this.#move(known, "cancelled");
    return dropped.map(({ task }) => task);
  }

  #finish(sequence: TaskSequence, state: SuccessState, outcome: TaskOutcome): void {
    const refusal = this.refusal(sequence, outcome);
    if (refusal !== undefined) throw refusal;
    const { step, scope } = this.#leave(sequence, state);
    if (outcome.takenFrom !== undefined) this.#counts.of(step.name).cached++;
    if (step.name === this.#end) this.#endTask = sequence;
    this.#propagation.finished(step, scope, sequence, outcome);
    this.#propagation.settle();
  }

  #fire({ step, scope, inherits, inputs, before }: Firing): void {
    this.#counts.of(step.name).total++;
    const found = this.#adopt(step, scope);
    if (found !== undefined) {
      this.#propagation.finished(step, scope, found.sequence, found);
      return;
    }
    this.#ready.push({
      step,
      base: this.#allocate(1),
      scope,
      next: 0,
      end: 1,
      ...(inherits === undefined ? {} : { inherits }),
      ...(inputs === undefined ? {} : { inputs }),
      ...(before === undefined ? {} : { before }),
    });
  }

  /** The children of a foreach are ready as ranges, with gaps where some are taken over. */
  #open(fan: Fan, child: StepPlan): void {
    this.#counts.of(child.name).total += fan.size;
    if (this.#adoption.isOver) {
      this.#pushRange(fan, child, 0, fan.size);
      return;
    }
    const adopted: { readonly scope: ScopeInstance; readonly found: FinishedTask }[] = [];
    let first = 0;
    for (let index = 0; index < fan.size; index++) {
      const scope = childScope(fan, child, index);
      const found = this.#adopt(child, scope);
      if (found === undefined) continue;
      adopted.push({ scope, found });
      this.#pushRange(fan, child, first, index);
      first = index + 1;
    }
    this.#pushRange(fan, child, first, fan.size);
    for (const { scope, found } of adopted.reverse()) this.#propagation.finished(child, scope, found.sequence, found);
  }

  #pushRange(fan: Fan, step: StepPlan, next: number, end: number): void {
    if (next === end) return;
    this.#ready.push({ step, base: this.#allocate(end - next) - next, fan, inherits: fan.split, next, end });
  }

  /** The finished task that stands for the one that would be ready now, if there is one. */
  #adopt(step: StepPlan, scope: ScopeInstance): FinishedTask | undefined {
    const found = this.#adoption.take(step, scope.path);
    if (found === undefined) return undefined;
    this.#counts.of(step.name).adopted++;
    this.#counts.moved(step.name, undefined, found.status);
    if (step.name === this.#end) this.#endTask = found.sequence;
    return found;
  }

  #makeTask({ step, base, fan, scope, inherits, inputs, before }: ReadyGroup, index: number): KnownTask {
    const place = fan === undefined ? scope! : childScope(fan, step, index);
    const item = step.takesItem ? itemOf(place) : undefined;
    const task: ReadyTask = {
      sequence: (base + index) as TaskSequence,
      step: step.name,
      path: place.path,
      attempt: this.#attemptsBefore(step.name, place.path) + 1,
      ...(inherits === undefined ? {} : { inherits }),
      ...(item === undefined ? {} : { item }),
      ...(inputs === undefined ? {} : { inputs }),
      ...(before === undefined ? {} : { before }),
    };
    return { task, step, scope: place, state: "queued" };
  }

  #leave(sequence: TaskSequence, to: TaskState): KnownTask {
    const known = this.#running.get(sequence) ?? missing(sequence, to);
    this.#move(known, to);
    this.#running.delete(sequence);
    return known;
  }

  #move(known: KnownTask, to: TaskState): void {
    const from = known.state;
    known.state = moveTask(from, to);
    this.#counts.moved(known.step.name, from, to);
  }
}

/** Where a child of a foreach runs: in the scope of its item, or in the first round of a loop that begins there. */
function childScope(fan: Fan, step: StepPlan, index: number): ScopeInstance {
  const scope = itemScope(fan, index);
  return step.loop === undefined ? scope : roundScope(scope, 0);
}

function missing(sequence: TaskSequence, state: TaskState): never {
  throw new FlowError("FLOW_INTERNAL", { message: `Task number ${sequence} reported ${state} but is not running` });
}
