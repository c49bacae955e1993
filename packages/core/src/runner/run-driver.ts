/**
 * Drives one run from its first task to its end: takes ready tasks from the scheduler, hands them to the executor in batches, commits what comes
 * back (when the values that it names are durable, result-gate.ts), and only after the commit tells the scheduler, so that a crash at any instant
 * loses nothing that was counted as done. The main thread is the only writer of records. Not here: what a task does (worker/), what is ready
 * (scheduler/), how batches travel (dispatcher.ts).
 *
 *     scheduler ──ready──▶ dispatcher ──▶ executor ──results──▶ tick ──COMMIT──▶ scheduler …
 *
 * A failed attempt leads to another one, to a caught failure, or to the end (`attempt-policy.ts`). The first failure that is neither tried again
 * nor caught is the cause of the run's failure: nothing new starts, running tasks are asked to stop, and those that do not stop within the
 * grace period are ended; with `finishSiblings` all that does not depend on it goes on. A store that does not take a value fails the run too.
 */
import type { SerializedError } from "../errors/flow-error.ts";
import { isStoreFault, toldError } from "../errors/told-error.ts";
import type { TaskSequence } from "../metadata/metadata-store.ts";
import type { AttemptPolicy } from "./attempt-policy.ts";
import { ChildCalls } from "./child-calls.ts";
import { type Clock, systemClock } from "./clock.ts";
import { CommitPace } from "./commit-pace.ts";
import { Dispatcher, type Flight, type Returned } from "./dispatcher.ts";
import { emptyResult } from "./empty-result.ts";
import { Judge, numbersNeeded, type Settlement } from "./judge.ts";
import { LiveChunks } from "./live-chunks.ts";
import type { HeardMessage, TaskResult } from "./protocol.ts";
import { ResultGate } from "./result-gate.ts";
import { cancelled, endBy, noEnd, type RunCause, reasonOf } from "./run-cause.ts";
import { type RunDriverOptions, type RunEnd, schedulingOf } from "./run-driver-options.ts";
import { RunReporter } from "./run-reporter.ts";
import { type ReadyTask, Scheduler } from "./scheduler/scheduler.ts";
import { type SlotShare, Slots } from "./slots.ts";
import { stepContract } from "./step-contract.ts";
import { TaskNumbers } from "./task-numbers.ts";
import { TickBuilder } from "./tick-builder.ts";
import { Uncommitted } from "./uncommitted.ts";
import { workerEnded } from "./worker-ended.ts";
import { workerWarning } from "./worker-warning.ts";

export type { RunDriverOptions, RunEnd } from "./run-driver-options.ts";

const PROGRESS_MS = 100;
const GRACE_MS = 5_000;

/** Runs all tasks of a run. Rejects only when its records or Millrace itself fail; a failing step is an outcome. */
export const driveRun = (options: RunDriverOptions): Promise<RunEnd> => new RunDriver(options).drive();

class RunDriver {
  readonly #options: RunDriverOptions;
  readonly #clock: Clock;
  readonly #scheduler: Scheduler;
  readonly #dispatcher: Dispatcher;
  readonly #slots: SlotShare;
  readonly #calls: ChildCalls;
  readonly #judge: Judge;
  readonly #report: RunReporter;
  readonly #numbers: TaskNumbers;
  readonly #tick = new TickBuilder();
  readonly #pace: CommitPace;
  readonly #gate: ResultGate;
  readonly #ended = Promise.withResolvers<RunEnd>();
  /** Tasks in a worker now, and those that had begun when their worker was lost. */
  readonly #active = new Map<TaskSequence, ReadyTask>();
  readonly #begun = new Set<TaskSequence>();
  /** Of those that were sent: tasks that came back without having begun, before their row was written. */
  readonly #withdrawn = new Set<TaskSequence>();
  /** Take back the timers of tasks that wait for their next attempt. */
  readonly #waits = new Map<TaskSequence, () => void>();
  readonly #uncommitted = new Uncommitted();
  #isReady = false;
  #isEnding = false;
  #cause: RunCause | undefined;
  #isStopping = false;
  #isOver = false;
  #graceTimer: NodeJS.Timeout | undefined;
  /** Waits no longer for what runs, nor for values that are on their way into the store. */
  readonly #endTasks = (): void => {
    void this.#options.executor.close();
    this.#gate.giveUp();
  };
  readonly #liveChunks = new LiveChunks();

  constructor(options: RunDriverOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#report = new RunReporter(options.run.name, options.emit);
    this.#numbers = new TaskNumbers(options.metadata);
    this.#scheduler = new Scheduler(options.graph, (count) => this.#numbers.take(count), schedulingOf(options));
    const policies = options.policies ?? new Map<string, AttemptPolicy>();
    this.#judge = new Judge({
      scheduler: this.#scheduler,
      policies,
      triesOf: this.#triesOf.bind(this),
      random: options.random ?? Math.random,
      warn: (warning) => this.#report.warning(warning, this.#clock.now()),
    });
    this.#slots = (options.slots ?? new Slots(options.executor.slots)).join(options.depth ?? 0, () => this.#dispatch());
    this.#dispatcher = new Dispatcher({
      run: options.run,
      executor: options.executor,
      contracts: new Map(options.graph.order.map((step) => [step, stepContract(options.graph, step)])),
      policies,
      clock: this.#clock,
      slots: this.#slots,
      triesOf: this.#triesOf.bind(this),
      onReturn: this.#returned.bind(this),
      onError: this.#giveUp.bind(this),
      onTimeout: (task) =>
        this.#calls.stopOf(task.sequence, `${this.#report.nameOf(task)} took longer than its timeout`),
    });
    this.#calls = new ChildCalls({
      start: options.startChild,
      dispatcher: this.#dispatcher,
      report: this.#report,
      clock: this.#clock,
    });
    const onPassed = (): void => this.#pace.soon();
    this.#gate = new ResultGate({ settle: options.settleBlobs, onPassed, onError: this.#refused.bind(this) });
    const [isBusy, isFull] = [() => this.#dispatcher.isBusy, () => this.#uncommitted.isFull];
    this.#pace = new CommitPace({ commit: this.#commit.bind(this), isBusy, isFull });
  }

  async drive(): Promise<RunEnd> {
    const { executor, signal, endNow } = this.#options;
    executor.onMessage((message) => this.#heard(message));
    const progress = setInterval(() => this.#reportProgress(), PROGRESS_MS).unref();
    const onAbort = (): void => this.#cancel(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    endNow?.addEventListener("abort", this.#endTasks, { once: true });
    try {
      await this.#numbers.reserve(this.#scheduler.numbersFor(1, 0));
      this.#scheduler.begin();
      this.#isReady = true;
      if (signal?.aborted) onAbort();
      this.#dispatch();
      this.#endWhenIdle();
      return await this.#ended.promise;
    } finally {
      this.#isStopping = true;
      await this.#calls.close(this.#stopReason);
      this.#slots.leave();
      clearInterval(progress);
      this.#pace.stop();
      this.#dropWaits();
      clearTimeout(this.#graceTimer);
      signal?.removeEventListener("abort", onAbort);
      endNow?.removeEventListener("abort", this.#endTasks);
    }
  }

  #dispatch(): void {
    if (this.#isStopping || !this.#isReady || this.#gate.isFull) return;
    this.#dispatcher.fill(this.#scheduler, (tasks) => {
      const startedAt = this.#clock.now();
      for (const task of tasks) this.#begin(task, startedAt, tasks.length === 1);
      this.#pace.lazily();
    });
  }

  #begin(task: ReadyTask, startedAt: Date, isAlone: boolean): void {
    this.#active.set(task.sequence, task);
    const isKnown = this.#begun.has(task.sequence);
    if (isKnown && !this.#withdrawn.delete(task.sequence)) return; // Its row is there: a worker was lost before it reported.
    const { sequence, step, path, inherits } = task;
    const row = { sequence, run: this.#options.run.sequence, step, path, attempt: task.attempt, startedAt };
    this.#tick.started(inherits === undefined ? row : { ...row, inherits }, isAlone);
    if (isKnown) return;
    this.#begun.add(sequence);
    this.#report.started(task, startedAt);
  }

  /** Attempts at a task in this execution: one that was continued has as many retries as a new one. */
  #triesOf(task: ReadyTask): number {
    return task.attempt - (this.#options.attemptsBefore?.(task.step, task.path) ?? 0);
  }

  #returned(flight: Flight, returned: Returned): void {
    if (this.#isOver) return;
    if (returned.kind === "lost") this.#lost(flight, returned.error);
    else {
      for (const result of returned.results) this.#reported(flight, result);
      this.#giveBack(returned.rest);
      if (this.#uncommitted.leavesRoom) this.#dispatch(); // Siblings that are ready anyway need not wait for the commit.
      this.#pace.soon();
    }
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
      : ({ kind: "failed", error: workerEnded(step, error, this.#options.describeError) } as const);
    const now = this.#clock.now();
    for (const task of tasks) this.#reported(flight, emptyResult(task, outcome, flight.sentAt, now));
    this.#pace.soon();
  }

  #reported(flight: Flight, result: TaskResult): void {
    this.#liveChunks.announced(result.liveChunks);
    const task = this.#active.get(result.sequence)!;
    const judged = this.#judge.judge(flight, task, result, this.#isStopping);
    if (judged.kind === "fallback") this.#dispatcher.send(flight.step, [task], judged.failed);
    else this.#gate.hold(judged, (settlement) => this.#uncommitted.add(settlement));
  }

  /** Tasks without a result are ready again, or cancelled when the run is stopping. */
  #giveBack(tasks: readonly ReadyTask[], isAlone = false): void {
    for (const task of tasks) {
      const { sequence } = task;
      if (this.#isStopping) {
        const outcome = { kind: "cancelled" } as const;
        this.#uncommitted.add({ kind: "settlement", result: emptyResult(task, outcome, this.#clock.now()) });
        continue;
      }
      this.#active.delete(sequence);
      this.#calls.abandon(task);
      // Tasks of a lost worker may have begun, and their output refers to their rows; the others never did.
      if (!isAlone && this.#tick.withdraw(sequence)) this.#withdrawn.add(sequence);
      this.#scheduler.giveBack(sequence, { isAlone });
    }
  }

  #heard(message: HeardMessage): void {
    switch (message.kind) {
      case "began":
        this.#dispatcher.began(message.sequence);
        return;
      case "call": {
        const task = this.#active.get(message.sequence);
        if (task !== undefined) this.#calls.begin(message, task);
        return;
      }
      case "call-news":
        this.#calls.hear(message.call, message.news);
        return;
      case "stray-error":
      case "polluted":
      case "stuck":
        this.#report.warning(workerWarning(message), this.#clock.now());
        return;
      case "output": {
        this.#liveChunks.received();
        this.#tick.logged(message.chunk);
        const task = this.#active.get(message.chunk.task);
        if (task !== undefined) this.#report.output(task, message.chunk);
        this.#pace.lazily();
      }
    }
  }

  /** Writes all that happened since the last commit in one transaction, and then acts on it. */
  async #commit(): Promise<void> {
    if (this.#isOver) return;
    try {
      const settlements = this.#uncommitted.take();
      const finishedAt = this.#clock.now();
      for (const { result, caught } of settlements)
        this.#tick.finished(result, finishedAt, {
          cancelledBy: this.#stopReason,
          ...(caught && { caught: caught.error }),
        });
      const notTaken = new Set(await this.#write(finishedAt));
      const settled = settlements.filter(({ result }) => !notTaken.has(result.sequence));
      await this.#numbers.reserve(numbersNeeded(settled, this.#scheduler));
      for (const settlement of settled) this.#settle(settlement, finishedAt);
      this.#uncommitted.settled(settled);
      // What the step cache gave to these was deleted before it could be taken: they look again, and run if they find nothing.
      this.#giveBack([...notTaken].map((sequence) => this.#active.get(sequence)!));
      if (notTaken.size > 0) this.#pace.soon();
      this.#dispatch();
      if (!this.#tick.isEmpty) this.#pace.lazily();
      this.#endWhenIdle();
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** The store does not take a value: the run has failed, and waits for no other one. */
  #refused(error: unknown): void {
    if (!isStoreFault(error)) return void this.#giveUp(error);
    this.#cause ??= { kind: "failed", error: toldError(error) };
    this.#stop();
    this.#gate.giveUp();
  }

  /** The store, or what is counted here, cannot be trusted any more: nothing new begins, and what comes back is dropped. */
  #giveUp(error: unknown): void {
    this.#isOver = this.#isStopping = true;
    this.#ended.reject(error);
  }

  async #write(now: Date): Promise<readonly TaskSequence[]> {
    const tick = this.#tick.take(now);
    const { run, execution, metadata } = this.#options;
    return tick === undefined ? [] : await metadata.commitTick({ run: run.sequence, execution, ...tick });
  }

  /** What a durable result means: for the scheduler, for the run, and for those who watch. */
  #settle({ result, verdict, caught }: Settlement, at: Date): void {
    const { sequence, outcome, durationMs } = result;
    const task = this.#active.get(sequence)!;
    this.#active.delete(sequence);
    this.#begun.delete(sequence);
    for (const chunk of result.logs) this.#report.output(task, chunk);
    switch (outcome.kind) {
      case "succeeded":
      case "skipped":
      case "caught":
        this.#report.finished(task, result, caught, at);
        this.#calls.settled(task, `${this.#report.nameOf(task)} ended without waiting for it`);
        this.#scheduler[outcome.kind](sequence, outcome);
        if (this.#isStopping) this.#scheduler.stop();
        return;
      case "failed":
        if (verdict?.kind === "retry" && !this.#isStopping) this.#retry(task, verdict.delayMs, outcome.error, at);
        else this.#fail(task, outcome.error, durationMs, at);
        return;
      case "cancelled":
        this.#report.cancelled(task, this.#stopReason, at);
        this.#calls.settled(task, this.#stopReason);
        this.#scheduler.cancelled(sequence);
    }
  }

  #retry(task: ReadyTask, delayMs: number, error: SerializedError, at: Date): void {
    const next = this.#scheduler.retry(task.sequence);
    const times = this.#options.policies?.get(task.step)?.retry?.times ?? 0;
    const attempts = task.attempt - this.#triesOf(task) + 1 + times;
    this.#calls.abandon(task);
    this.#report.retrying(task, { nextAttempt: next.attempt, attempts, delayMs, error }, at);
    const unwait = this.#clock.after(delayMs, () => {
      this.#waits.delete(next.sequence);
      this.#scheduler.requeue(next.sequence);
      this.#dispatch();
    });
    this.#waits.set(next.sequence, unwait);
  }

  #fail(task: ReadyTask, error: SerializedError, durationMs: number, at: Date): void {
    this.#report.failed(task, error, durationMs, at);
    this.#calls.settled(task, `${this.#report.nameOf(task)} failed`);
    this.#scheduler.failed(task.sequence);
    this.#cause ??= { kind: "failed", task: this.#report.nameOf(task), error };
    if (this.#options.finishSiblings !== true) this.#stop();
  }

  get #stopReason(): string {
    return reasonOf(this.#cause);
  }

  #cancel(reason: unknown): void {
    this.#cause ??= cancelled(reason);
    this.#stop();
    this.#endWhenIdle();
  }

  #stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#dropWaits();
    this.#scheduler.stop();
    this.#calls.stop(this.#stopReason);
    this.#options.executor.cancel();
    this.#graceTimer = setTimeout(this.#endTasks, this.#options.graceMs ?? GRACE_MS);
  }

  #dropWaits(): void {
    for (const unwait of this.#waits.values()) unwait();
    this.#waits.clear();
  }

  #endWhenIdle(): void {
    if (this.#isEnding || !this.#scheduler.isIdle || !this.#dispatcher.isIdle || !this.#gate.isEmpty) return;
    if (!this.#uncommitted.isEmpty) return;
    this.#isEnding = true;
    void this.#end().catch((error: unknown) => this.#ended.reject(error));
  }

  async #end(): Promise<void> {
    await this.#liveChunks.all();
    this.#pace.stop();
    await this.#write(this.#clock.now());
    this.#reportProgress();
    const { run, execution } = this.#options;
    const ended = { run: run.sequence, execution };
    const { endTask } = this.#scheduler;
    if (this.#cause !== undefined) this.#ended.resolve({ ...ended, ...endBy(this.#cause) });
    else if (endTask !== undefined) this.#ended.resolve({ ...ended, status: "succeeded", endTask });
    else throw noEnd(run.name, this.#options.graph.end);
  }

  #reportProgress(): void {
    this.#report.progress(this.#scheduler.progress, this.#clock.now());
  }
}
