/**
 * Drives one run from its first task to its end: takes ready tasks from the scheduler, hands them to the executor in
 * batches, commits what comes back, and only after the commit tells the scheduler, so that a crash at any instant loses
 * nothing that was counted as done. The main thread is the only writer of records.
 *
 *     scheduler ──ready──▶ dispatcher ──▶ executor ──results──▶ tick ──COMMIT──▶ scheduler …
 *
 * A failed attempt leads to another one, to a caught failure, or to the end (`step-plan.ts`). The first failure that is
 * neither tried again nor caught is the cause of the run's failure: nothing new starts, running tasks are asked to stop,
 * and those that do not stop within the grace period are ended; with `finishSiblings` all that does not depend on it goes
 * on. Not here: what a task does (worker/), what is ready (scheduler/), how batches travel (dispatcher.ts).
 */
import { FlowError, type SerializedError } from "../errors/flow-error.ts";
import type { RunEvent } from "../events/run-event.ts";
import type { Graph } from "../graph/graph.ts";
import type { FinishRun, LogChunk, MetadataStore, TaskSequence } from "../metadata/metadata-store.ts";
import { type Clock, systemClock } from "./clock.ts";
import { CommitPace } from "./commit-pace.ts";
import { Dispatcher, type Flight, type Returned } from "./dispatcher.ts";
import { emptyResult } from "./empty-result.ts";
import type { Executor } from "./executor.ts";
import type { RunContext, StepContract, TaskResult, WorkerMessage } from "./protocol.ts";
import { type FinishedTasks, type ReadyTask, Scheduler } from "./scheduler/scheduler.ts";
import { afterFailure, type StepPlan, type Verdict } from "./step-plan.ts";
import { failureOf, timeoutError } from "./task-failure.ts";
import { TaskNumbers } from "./task-numbers.ts";
import { TickBuilder } from "./tick-builder.ts";
import { workerEnded } from "./worker-ended.ts";

export interface RunDriverOptions {
  readonly graph: Graph;
  readonly run: RunContext;
  /** Which execution of the run this is: what a later one has begun, this one may not write. */
  readonly execution: number;
  /** By step; a step without one runs once, in any worker thread. */
  readonly plans?: ReadonlyMap<string, StepPlan>;
  readonly metadata: MetadataStore;
  readonly executor: Executor;
  readonly emit: (event: RunEvent) => void;
  /** Asks tasks to stop; those that do not within the grace period are ended. */
  readonly signal?: AbortSignal;
  /** Ends all tasks at once; comes after `signal`. */
  readonly endNow?: AbortSignal;
  /** Tasks of an earlier execution, or of the run that this one was forked from: they are not run again. */
  readonly finished?: FinishedTasks;
  /** After a failure, whether all that does not depend on it goes on. Default: nothing new starts. */
  readonly finishSiblings?: boolean;
  /** Rounds that a loop may have. */
  readonly maxRounds?: number;
  readonly clock?: Clock;
  /** Numbers in [0, 1) for the jitter of retries. Default Math.random. */
  readonly random?: () => number;
  /** Numbers in [0, 1) by which independent tasks are shuffled; without it they start in declared order. */
  readonly shuffle?: () => number;
  /** How long running tasks may take to stop by themselves; milliseconds, default 5,000. */
  readonly graceMs?: number;
}

/** How a run ended; `finishRun` of the store takes it as it is. */
export type RunEnd = Omit<FinishRun, "finishedAt">;

/** Where a task stands, as events say it. */
interface TaskName {
  readonly task: string;
  readonly step: string;
  readonly path: string;
  readonly attempt: number;
}

/** A result that waits to be committed, and what follows from it. */
interface Settlement {
  readonly result: TaskResult;
  /** Of a failed attempt. */
  readonly verdict?: Verdict;
  /** Of a caught failure. */
  readonly caught?: { readonly field: string; readonly error: SerializedError };
}

/** Why a run ends without success: whatever came first. */
type Cause =
  | { readonly kind: "failed"; readonly task: string; readonly error: SerializedError }
  | { readonly kind: "cancelled"; readonly reason: string };

const PROGRESS_MS = 100;
const GRACE_MS = 5_000;
/** How long the end of a run waits for output that workers sent but that has not arrived. */
const OUTPUT_WAIT_MS = 1_000;
const NO_PLAN: StepPlan = {};

/** Runs all tasks of a run. Rejects only when the store or Millrace itself fails; a failing step is an outcome. */
export function driveRun(options: RunDriverOptions): Promise<RunEnd> {
  return new RunDriver(options).drive();
}

class RunDriver {
  readonly #options: RunDriverOptions;
  readonly #clock: Clock;
  readonly #scheduler: Scheduler;
  readonly #dispatcher: Dispatcher;
  readonly #numbers: TaskNumbers;
  readonly #tick = new TickBuilder();
  readonly #pace: CommitPace;
  readonly #ended = Promise.withResolvers<RunEnd>();
  /** Tasks in a worker now, and those that had begun when their worker was lost. */
  readonly #active = new Map<TaskSequence, ReadyTask>();
  readonly #begun = new Set<TaskSequence>();
  /** Of those that were sent: tasks that came back without having begun, before their row was written. */
  readonly #withdrawn = new Set<TaskSequence>();
  /** Take back the timers of tasks that wait for their next attempt. */
  readonly #waits = new Map<TaskSequence, () => void>();
  #settlements: Settlement[] = [];
  #isEnding = false;
  #cause: Cause | undefined;
  #isStopping = false;
  #isOver = false;
  #graceTimer: NodeJS.Timeout | undefined;
  #liveChunksAnnounced = 0;
  #liveChunksReceived = 0;

  constructor(options: RunDriverOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#numbers = new TaskNumbers(options.metadata);
    this.#scheduler = new Scheduler(options.graph, (count) => this.#numbers.take(count), {
      ...(options.finished === undefined ? {} : { finished: options.finished }),
      ...(options.maxRounds === undefined ? {} : { maxRounds: options.maxRounds }),
      ...(options.shuffle === undefined ? {} : { random: options.shuffle }),
    });
    this.#dispatcher = new Dispatcher({
      run: options.run,
      executor: options.executor,
      contracts: new Map(options.graph.order.map((step) => [step, contractOf(options.graph, step)])),
      plans: options.plans ?? new Map(),
      clock: this.#clock,
      attemptOf: (task) => this.#attemptOf(task),
      onReturn: (flight, returned) => this.#returned(flight, returned),
    });
    this.#pace = new CommitPace(
      () => this.#commit(),
      () => this.#dispatcher.isBusy,
    );
  }

  async drive(): Promise<RunEnd> {
    const { executor, signal, endNow } = this.#options;
    executor.onMessage((message) => this.#heard(message));
    const progress = setInterval(() => this.#emitProgress(), PROGRESS_MS).unref();
    const onAbort = (): void => this.#cancel(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const onEndNow = (): void => void executor.close();
    endNow?.addEventListener("abort", onEndNow, { once: true });
    try {
      await this.#numbers.reserve(this.#scheduler.slackToBegin);
      this.#scheduler.begin();
      if (signal?.aborted) onAbort();
      this.#dispatch();
      this.#endWhenIdle();
      return await this.#ended.promise;
    } finally {
      clearInterval(progress);
      this.#pace.stop();
      this.#dropWaits();
      clearTimeout(this.#graceTimer);
      signal?.removeEventListener("abort", onAbort);
      endNow?.removeEventListener("abort", onEndNow);
    }
  }

  #dispatch(): void {
    if (this.#isStopping) return;
    this.#dispatcher.fill(this.#scheduler, (tasks) => {
      const startedAt = this.#clock.now();
      for (const task of tasks) this.#begin(task, startedAt);
      this.#pace.lazily();
    });
  }

  #begin(task: ReadyTask, startedAt: Date): void {
    this.#active.set(task.sequence, task);
    const isKnown = this.#begun.has(task.sequence);
    if (isKnown && !this.#withdrawn.delete(task.sequence)) return; // Its row is there: a worker was lost before it reported.
    const { sequence, step, path, inherits } = task;
    const row = { sequence, run: this.#options.run.sequence, step, path, attempt: this.#attemptOf(task), startedAt };
    this.#tick.started(inherits === undefined ? row : { ...row, inherits });
    if (isKnown) return;
    this.#begun.add(sequence);
    this.#options.emit({ kind: "task.started", at: startedAt, ...this.#describe(task) });
  }

  /** The scheduler counts the attempts of this execution; those of earlier ones have their numbers already. */
  #attemptOf(task: ReadyTask): number {
    return (this.#options.finished?.attempts(task.step, task.path) ?? 0) + task.attempt;
  }

  #returned(flight: Flight, returned: Returned): void {
    if (returned.kind === "lost") {
      this.#lost(flight, returned.error);
      return;
    }
    for (const result of returned.results) this.#reported(flight, result);
    this.#giveBack(returned.rest, false);
    this.#pace.soon();
  }

  /** A worker ended without a result: alone in its message, a task has failed; in company nobody knows which one it was. */
  #lost(flight: Flight, error: unknown): void {
    const { step, tasks } = flight;
    if (tasks.length > 1 && !this.#isStopping) {
      this.#giveBack(tasks, true);
      this.#dispatch();
      return;
    }
    const outcome = this.#isStopping
      ? ({ kind: "cancelled" } as const)
      : ({ kind: "failed", error: workerEnded(step, error) } as const);
    for (const task of tasks) {
      const attempt = this.#attemptOf(task);
      this.#reported(flight, emptyResult({ sequence: task.sequence, attempt }, outcome, this.#clock.now()));
    }
    this.#pace.soon();
  }

  #reported(flight: Flight, reported: TaskResult): void {
    this.#liveChunksAnnounced += reported.liveChunks;
    const plan = this.#options.plans?.get(flight.step) ?? NO_PLAN;
    const result =
      flight.isTimedOut && plan.timeoutMs !== undefined && !this.#isStopping
        ? { ...reported, blobs: [], outcome: failedOutcome(timeoutError(flight.step, plan.timeoutMs)) }
        : reported;
    if (flight.failed !== undefined) {
      this.#caughtOrFailed(flight.failed, result, plan.catch!);
      return;
    }
    if (result.outcome.kind !== "failed") {
      this.#settlements.push({ result });
      return;
    }
    const task = this.#active.get(result.sequence)!;
    const verdict = this.#verdict(plan, task, result.outcome.error);
    if (verdict.kind === "catch") this.#dispatcher.send(flight.step, [task], result);
    else this.#settlements.push({ result, verdict });
  }

  #verdict(plan: StepPlan, task: ReadyTask, error: SerializedError): Verdict {
    if (this.#isStopping) return { kind: "fail" };
    try {
      return afterFailure(plan, task.attempt, failureOf(error, task.attempt), this.#options.random ?? Math.random);
    } catch (thrown) {
      const text = thrown instanceof Error ? thrown.message : String(thrown);
      this.#warn({
        code: "FLOW_RUNNER_RETRY_CONDITION",
        message: `The retry condition of step "${task.step}" threw, so its task was not tried again: ${text}`,
        hint: "Let it return true or false",
      });
      return plan.catch === undefined ? { kind: "fail" } : { kind: "catch", field: plan.catch };
    }
  }

  /** The fallback of a failed task came back: its failure is caught, unless that failed as well. */
  #caughtOrFailed(failed: TaskResult, result: TaskResult, field: string): void {
    const { outcome } = failed;
    const whole = {
      ...result,
      startedAt: failed.startedAt,
      durationMs: failed.durationMs,
      reads: failed.reads,
      logs: [...failed.logs, ...result.logs],
    };
    if (result.outcome.kind === "caught" && outcome.kind === "failed")
      this.#settlements.push({ result: whole, caught: { field, error: outcome.error } });
    else this.#settlements.push({ result: whole, verdict: { kind: "fail" } });
  }

  /** Tasks without a result are ready again, or cancelled when the run is stopping. */
  #giveBack(tasks: readonly ReadyTask[], isAlone: boolean): void {
    for (const task of tasks) {
      const { sequence } = task;
      if (this.#isStopping) {
        const attempt = this.#attemptOf(task);
        const result = emptyResult({ sequence, attempt }, { kind: "cancelled" }, this.#clock.now());
        this.#settlements.push({ result });
        continue;
      }
      this.#active.delete(sequence);
      // Tasks of a lost worker may have begun, and their output refers to their rows; the others never did.
      if (!isAlone && this.#tick.withdraw(sequence)) this.#withdrawn.add(sequence);
      this.#scheduler.giveBack(sequence, { isAlone });
    }
  }

  #heard(message: WorkerMessage): void {
    switch (message.kind) {
      case "began":
        this.#dispatcher.began(message.sequence);
        return;
      case "stray-error": {
        const { name, message: text } = message.error;
        this.#warn({
          code: "FLOW_RUNNER_STRAY_ERROR",
          message: `A worker ended outside of any task: ${name}: ${text}`,
          hint: "Look for a timer, a callback or a module that throws, and await what a step starts",
        });
        return;
      }
      case "output":
        this.#liveChunksReceived++;
        this.#tick.logged(message.chunk);
        this.#emitOutput(message.chunk);
        this.#pace.lazily();
    }
  }

  /** Writes all that happened since the last commit in one transaction, and then acts on it. */
  async #commit(): Promise<void> {
    if (this.#isOver) return;
    try {
      const settlements = this.#settlements;
      this.#settlements = [];
      const finishedAt = this.#clock.now();
      for (const { result, caught } of settlements)
        this.#tick.finished(result, finishedAt, { cancelledBy: this.#stopReason, ...(caught && { caught: caught.error }) });
      await this.#write(finishedAt);
      await this.#numbers.reserve(this.#needed(settlements));
      for (const settlement of settlements) this.#settle(settlement, finishedAt);
      this.#dispatch();
      if (!this.#tick.isEmpty) this.#pace.lazily();
      this.#endWhenIdle();
    } catch (error) {
      // The store cannot be trusted to take more: nothing new begins, and what comes back is dropped.
      this.#isOver = true;
      this.#isStopping = true;
      this.#ended.reject(error);
    }
  }

  async #write(now: Date): Promise<void> {
    const tick = this.#tick.take(now);
    if (tick === undefined) return;
    const { run, execution } = this.#options;
    await this.#options.metadata.commitTick({ run: run.sequence, execution, ...tick });
  }

  /** What a durable result means: for the scheduler, for the run, and for those who watch. */
  #settle({ result, verdict, caught }: Settlement, at: Date): void {
    const { sequence, outcome, durationMs } = result;
    const task = this.#active.get(sequence)!;
    this.#active.delete(sequence);
    this.#begun.delete(sequence);
    const where = this.#describe(task);
    for (const chunk of result.logs) this.#emitText(chunk, where);
    switch (outcome.kind) {
      case "succeeded":
      case "skipped":
      case "caught": {
        const facts = {
          ...(outcome.fanOut === undefined ? {} : { fanOut: outcome.fanOut }),
          ...(outcome.choice === undefined ? {} : { choice: outcome.choice }),
        };
        if (outcome.kind === "skipped")
          this.#options.emit({ kind: "task.skipped", at, ...where, durationMs, reason: outcome.reason });
        else if (caught !== undefined) this.#options.emit({ kind: "task.caught", at, ...where, durationMs, ...caught });
        else this.#options.emit({ kind: "task.succeeded", at, ...where, durationMs, ...facts });
        this.#scheduler[outcome.kind](sequence, facts);
        if (this.#isStopping) this.#scheduler.stop();
        return;
      }
      case "failed":
        if (verdict?.kind === "retry" && !this.#isStopping) this.#retry(task, verdict.delayMs, outcome.error, at);
        else this.#fail(task, outcome.error, durationMs, at);
        return;
      case "cancelled":
        this.#options.emit({ kind: "task.cancelled", at, ...where, reason: this.#stopReason });
        this.#scheduler.cancelled(sequence);
    }
  }

  #retry(task: ReadyTask, delayMs: number, error: SerializedError, at: Date): void {
    const next = this.#scheduler.retry(task.sequence);
    this.#options.emit({
      kind: "task.retrying",
      at,
      ...this.#describe(task),
      nextAttempt: this.#attemptOf(next),
      attempts: this.#attemptOf(task) - task.attempt + 1 + (this.#options.plans?.get(task.step)?.retry?.times ?? 0),
      delayMs,
      error,
    });
    const unwait = this.#clock.after(delayMs, () => {
      this.#waits.delete(next.sequence);
      this.#scheduler.requeue(next.sequence);
      this.#dispatch();
    });
    this.#waits.set(next.sequence, unwait);
  }

  #fail(task: ReadyTask, error: SerializedError, durationMs: number, at: Date): void {
    const where = this.#describe(task);
    this.#options.emit({ kind: "task.failed", at, ...where, durationMs, error });
    this.#scheduler.failed(task.sequence);
    this.#cause ??= { kind: "failed", task: where.task, error };
    if (this.#options.finishSiblings !== true) this.#stop();
  }

  get #stopReason(): string {
    if (this.#cause === undefined) return "the run was cancelled";
    return this.#cause.kind === "failed" ? `${this.#cause.task} failed` : this.#cause.reason;
  }

  #cancel(reason: unknown): void {
    const text = typeof reason === "string" ? reason : reason instanceof Error ? reason.message : "the run was cancelled";
    this.#cause ??= { kind: "cancelled", reason: text };
    this.#stop();
    this.#endWhenIdle();
  }

  #stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#dropWaits();
    this.#scheduler.stop();
    this.#options.executor.cancel();
    this.#graceTimer = setTimeout(() => void this.#options.executor.close(), this.#options.graceMs ?? GRACE_MS);
  }

  #dropWaits(): void {
    for (const unwait of this.#waits.values()) unwait();
    this.#waits.clear();
  }

  #endWhenIdle(): void {
    if (!this.#scheduler.isIdle || !this.#dispatcher.isIdle || this.#settlements.length > 0 || this.#isEnding) return;
    this.#isEnding = true;
    void this.#end().catch((error: unknown) => this.#ended.reject(error));
  }

  async #end(): Promise<void> {
    for (let waited = 0; this.#liveChunksReceived < this.#liveChunksAnnounced && waited < OUTPUT_WAIT_MS; waited += 5) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.#pace.stop();
    await this.#write(this.#clock.now());
    this.#emitProgress();
    const { run, execution } = this.#options;
    const ended = { run: run.sequence, execution };
    if (this.#cause?.kind === "failed") {
      const { task, error } = this.#cause;
      this.#ended.resolve({ ...ended, status: "failed", failure: { task, error } });
      return;
    }
    if (this.#cause?.kind === "cancelled") {
      this.#ended.resolve({ ...ended, status: "cancelled" });
      return;
    }
    const { endTask } = this.#scheduler;
    if (endTask === undefined) {
      throw new FlowError("FLOW_INTERNAL", {
        message: `${run.name} has nothing left to run but did not reach "${this.#options.graph.end}"`,
      });
    }
    this.#ended.resolve({ ...ended, status: "succeeded", endTask });
  }

  /** Task numbers that acting on these results can ask for at most. */
  #needed(settlements: readonly Settlement[]): number {
    let count = 0;
    for (const { result, verdict } of settlements) {
      if (verdict?.kind === "retry") count++;
      else if ("fanOut" in result.outcome) count += this.#scheduler.slack + (result.outcome.fanOut ?? 0);
      else if (result.outcome.kind !== "failed" && result.outcome.kind !== "cancelled") count += this.#scheduler.slack;
    }
    return count;
  }

  #describe(task: ReadyTask): TaskName {
    const path = task.path === "" ? "" : `/${task.path}`;
    const name = `${this.#options.run.name}/${task.step}${path}`;
    return { task: name, step: task.step, path: task.path, attempt: this.#attemptOf(task) };
  }

  #emitOutput(chunk: LogChunk): void {
    const task = this.#active.get(chunk.task);
    if (task !== undefined) this.#emitText(chunk, this.#describe(task));
  }

  #emitText(chunk: LogChunk, where: TaskName): void {
    this.#options.emit({ kind: "task.output", at: chunk.at, ...where, stream: chunk.stream, text: chunk.text });
  }

  #emitProgress(): void {
    this.#options.emit({ kind: "run.progress", at: this.#clock.now(), steps: this.#scheduler.progress });
  }

  #warn(warning: { readonly code: string; readonly message: string; readonly hint: string }): void {
    this.#options.emit({ kind: "run.warning", at: this.#clock.now(), ...warning });
  }
}

function failedOutcome(error: SerializedError): Extract<TaskResult["outcome"], { kind: "failed" }> {
  return { kind: "failed", error };
}

function contractOf(graph: Graph, name: string): StepContract {
  const node = graph.nodes[name]!;
  const { step } = node;
  return {
    name,
    isJoin: step.isJoin,
    sources: step.isJoin ? [...new Set(node.incoming.map((index) => graph.edges[index]!.from))] : [],
    ...(step.foreach === undefined ? {} : { foreach: step.foreach }),
    ...(step.on === undefined ? {} : { on: step.on, cases: (step.cases ?? []).map(({ value }) => value) }),
  };
}
