/**
 * Drives one run from its first task to its end: takes ready tasks from the scheduler, hands them to the executor in
 * batches, commits what comes back, and only after the commit tells the scheduler, so that a crash at any instant loses
 * nothing that was counted as done. The main thread is the only writer of records.
 *
 *     scheduler ──ready──▶ batches ──▶ executor ──results──▶ tick ──COMMIT──▶ scheduler …
 *
 * The first failure is the cause of the run's failure: nothing new starts, running tasks are asked to stop, and those that
 * do not stop within the grace period are ended. Not here: what a task does (worker/), what is ready (scheduler/).
 */
import { FlowError, type SerializedError } from "../errors/flow-error.ts";
import type { RunEvent } from "../events/run-event.ts";
import type { Graph } from "../graph/graph.ts";
import type { FinishRun, LogChunk, MetadataStore, TaskSequence } from "../metadata/metadata-store.ts";
import { BatchSize } from "./batch-size.ts";
import { CommitPace } from "./commit-pace.ts";
import { emptyResult } from "./empty-result.ts";
import type { Executor } from "./executor.ts";
import type { Batch, RunContext, StepContract, TaskResult, WorkerMessage } from "./protocol.ts";
import { type ReadyTask, Scheduler } from "./scheduler/scheduler.ts";
import { stepContract } from "./step-contract.ts";
import { TaskNumbers } from "./task-numbers.ts";
import { TickBuilder } from "./tick-builder.ts";
import { workerEnded } from "./worker-ended.ts";

export interface RunDriverOptions {
  readonly graph: Graph;
  readonly run: RunContext;
  readonly metadata: MetadataStore;
  readonly executor: Executor;
  readonly emit: (event: RunEvent) => void;
  /** Asks tasks to stop; those that do not within the grace period are ended. */
  readonly signal?: AbortSignal;
  /** Ends all tasks at once; comes after `signal`. */
  readonly endNow?: AbortSignal;
  readonly now?: () => Date;
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

/** Messages of short tasks that wait for each worker: a commit takes about as long as a few of them. */
const MESSAGES_AHEAD = 6;
const PROGRESS_MS = 100;
const GRACE_MS = 5_000;
/** How long the end of a run waits for output that workers sent but that has not arrived. */
const OUTPUT_WAIT_MS = 1_000;

/** Runs all tasks of a run. Rejects only when the store or Millrace itself fails; a failing step is an outcome. */
export function driveRun(options: RunDriverOptions): Promise<RunEnd> {
  return new RunDriver(options).drive();
}

class RunDriver {
  readonly #options: RunDriverOptions;
  readonly #scheduler: Scheduler;
  readonly #numbers: TaskNumbers;
  readonly #contracts: ReadonlyMap<string, StepContract>;
  readonly #sizes = new BatchSize();
  readonly #tick = new TickBuilder();
  readonly #pace: CommitPace;
  readonly #now: () => Date;
  readonly #ended = Promise.withResolvers<RunEnd>();
  /** Tasks in a worker now, and those that had begun when their worker was lost. */
  readonly #active = new Map<TaskSequence, ReadyTask>();
  readonly #begun = new Set<TaskSequence>();
  /** Of those that were sent: tasks that came back without having begun, before their row was written. */
  readonly #withdrawn = new Set<TaskSequence>();
  readonly #batchesOfStep = new Map<string, number>();
  #results: TaskResult[] = [];
  #batches = 0;
  #isEnding = false;
  #failure: { readonly task: string; readonly error: SerializedError } | undefined;
  #cancelReason: string | undefined;
  #isStopping = false;
  #isOver = false;
  #graceTimer: NodeJS.Timeout | undefined;
  #liveChunksAnnounced = 0;
  #liveChunksReceived = 0;

  constructor(options: RunDriverOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => new Date());
    this.#pace = new CommitPace(
      () => this.#commit(),
      () => this.#batches > options.executor.slots,
    );
    this.#numbers = new TaskNumbers(options.metadata);
    this.#scheduler = new Scheduler(options.graph, (count) => this.#numbers.take(count));
    this.#contracts = new Map(options.graph.order.map((step) => [step, stepContract(options.graph, step)]));
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
      await this.#numbers.reserve(this.#scheduler.slack);
      this.#scheduler.begin();
      if (signal?.aborted) onAbort();
      this.#dispatch();
      this.#endWhenIdle();
      return await this.#ended.promise;
    } finally {
      clearInterval(progress);
      this.#pace.stop();
      clearTimeout(this.#graceTimer);
      signal?.removeEventListener("abort", onAbort);
      endNow?.removeEventListener("abort", onEndNow);
    }
  }

  #dispatch(): void {
    if (this.#isStopping) return;
    let hasTaken = true;
    while (hasTaken) {
      hasTaken = false;
      for (const { step, count } of this.#scheduler.readySteps()) {
        if (!this.#hasRoom(step)) continue;
        const size = this.#sizes.of(step, count, this.#options.executor.slots);
        const tasks = this.#scheduler.take(step, size);
        if (tasks.length === 0) continue;
        this.#submit(step, tasks);
        hasTaken = true;
        break;
      }
    }
  }

  /** Short tasks may queue some messages a worker ahead, so that no worker waits while the main thread commits. */
  #hasRoom(step: string): boolean {
    const { slots } = this.#options.executor;
    if (this.#batches >= (this.#sizes.isShort(step) ? MESSAGES_AHEAD * slots : slots)) return false;
    const limit = this.#options.graph.nodes[step]!.step.behaviour.maxParallel;
    return limit === undefined || (this.#batchesOfStep.get(step) ?? 0) < limit;
  }

  #submit(step: string, tasks: readonly ReadyTask[]): void {
    const startedAt = this.#now();
    for (const task of tasks) this.#begin(task, startedAt);
    this.#batches++;
    this.#batchesOfStep.set(step, (this.#batchesOfStep.get(step) ?? 0) + 1);
    this.#pace.lazily();
    const batch: Batch = {
      run: this.#options.run,
      step: this.#contracts.get(step)!,
      tasks: tasks.map((task) => ({ ...task, attempt: 1 })),
    };
    this.#options.executor.submit(batch).then(
      (results) => this.#reported(step, tasks, results),
      (error: unknown) => this.#lost(step, tasks, error),
    );
  }

  #begin(task: ReadyTask, startedAt: Date): void {
    this.#active.set(task.sequence, task);
    const isKnown = this.#begun.has(task.sequence);
    if (isKnown && !this.#withdrawn.delete(task.sequence)) return; // Its row is there: a worker was lost before it reported.
    const { sequence, step, path, inherits } = task;
    const row = { sequence, run: this.#options.run.sequence, step, path, attempt: 1, startedAt };
    this.#tick.started(inherits === undefined ? row : { ...row, inherits });
    if (isKnown) return;
    this.#begun.add(sequence);
    this.#options.emit({ kind: "task.started", at: startedAt, ...this.#describe(task) });
  }

  #reported(step: string, tasks: readonly ReadyTask[], results: readonly TaskResult[]): void {
    this.#left(step);
    for (const result of results) {
      this.#sizes.measured(step, result.durationMs);
      this.#liveChunksAnnounced += result.liveChunks;
      this.#results.push(result);
    }
    this.#giveBack(tasks.slice(results.length), false);
    this.#pace.soon();
  }

  /** A worker ended without a result: alone in its message, a task has failed; in company nobody knows which one it was. */
  #lost(step: string, tasks: readonly ReadyTask[], error: unknown): void {
    this.#left(step);
    if (tasks.length > 1 && !this.#isStopping) {
      this.#giveBack(tasks, true);
      this.#dispatch();
      return;
    }
    const outcome = this.#isStopping
      ? ({ kind: "cancelled" } as const)
      : ({ kind: "failed", error: workerEnded(step, error) } as const);
    for (const task of tasks)
      this.#results.push(emptyResult({ sequence: task.sequence, attempt: 1 }, outcome, this.#now()));
    this.#pace.soon();
  }

  /** Tasks without a result are ready again, or cancelled when the run is stopping. */
  #giveBack(tasks: readonly ReadyTask[], isAlone: boolean): void {
    for (const { sequence } of tasks) {
      if (this.#isStopping) {
        this.#results.push(emptyResult({ sequence, attempt: 1 }, { kind: "cancelled" }, this.#now()));
        continue;
      }
      this.#active.delete(sequence);
      // Tasks of a lost worker may have begun, and their output refers to their rows; the others never did.
      if (!isAlone && this.#tick.withdraw(sequence)) this.#withdrawn.add(sequence);
      this.#scheduler.giveBack(sequence, { isAlone });
    }
  }

  #left(step: string): void {
    this.#batches--;
    this.#batchesOfStep.set(step, this.#batchesOfStep.get(step)! - 1);
  }

  #heard(message: WorkerMessage): void {
    if (message.kind === "stray-error") {
      const { name, message: text } = message.error;
      const warning = {
        code: "FLOW_RUNNER_STRAY_ERROR",
        message: `A worker ended outside of any task: ${name}: ${text}`,
      };
      const hint = "Look for a timer, a callback or a module that throws, and await what a step starts";
      this.#options.emit({ kind: "run.warning", at: this.#now(), ...warning, hint });
      return;
    }
    this.#liveChunksReceived++;
    this.#tick.logged(message.chunk);
    this.#emitOutput(message.chunk);
    this.#pace.lazily();
  }

  /** Writes all that happened since the last commit in one transaction, and then acts on it. */
  async #commit(): Promise<void> {
    if (this.#isOver) return;
    try {
      const results = this.#results;
      this.#results = [];
      const finishedAt = this.#now();
      for (const result of results) this.#tick.finished(result, finishedAt);
      const tick = this.#tick.take(finishedAt);
      if (tick !== undefined) await this.#options.metadata.commitTick(tick);
      await this.#numbers.reserve(this.#needed(results));
      for (const result of results) this.#settle(result, finishedAt);
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

  /** What a durable result means: for the scheduler, for the run, and for those who watch. */
  #settle(result: TaskResult, at: Date): void {
    const task = this.#active.get(result.sequence)!;
    this.#active.delete(result.sequence);
    this.#begun.delete(result.sequence);
    const where = this.#describe(task);
    for (const chunk of result.logs) this.#emitText(chunk, where);
    const { outcome, durationMs } = result;
    switch (outcome.kind) {
      case "succeeded": {
        const facts = {
          ...(outcome.fanOut === undefined ? {} : { fanOut: outcome.fanOut }),
          ...(outcome.choice === undefined ? {} : { choice: outcome.choice }),
        };
        this.#options.emit({ kind: "task.succeeded", at, ...where, durationMs, ...facts });
        this.#scheduler.succeeded(result.sequence, facts);
        if (this.#isStopping) this.#scheduler.stop();
        return;
      }
      case "failed":
        this.#options.emit({ kind: "task.failed", at, ...where, durationMs, error: outcome.error });
        this.#scheduler.failed(result.sequence);
        this.#failure ??= { task: where.task, error: outcome.error };
        this.#stop();
        return;
      case "cancelled":
        this.#options.emit({ kind: "task.cancelled", at, ...where, reason: this.#stopReason });
        this.#scheduler.cancelled(result.sequence);
    }
  }

  get #stopReason(): string {
    return this.#failure === undefined
      ? (this.#cancelReason ?? "the run was cancelled")
      : `${this.#failure.task} failed`;
  }

  #cancel(reason: unknown): void {
    this.#cancelReason ??=
      typeof reason === "string" ? reason : reason instanceof Error ? reason.message : "the run was cancelled";
    this.#stop();
    this.#endWhenIdle();
  }

  #stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#scheduler.stop();
    this.#options.executor.cancel();
    this.#graceTimer = setTimeout(() => void this.#options.executor.close(), this.#options.graceMs ?? GRACE_MS);
  }

  #endWhenIdle(): void {
    if (!this.#scheduler.isIdle || this.#batches > 0 || this.#results.length > 0 || this.#isEnding) return;
    this.#isEnding = true;
    void this.#end().catch((error: unknown) => this.#ended.reject(error));
  }

  async #end(): Promise<void> {
    for (let waited = 0; this.#liveChunksReceived < this.#liveChunksAnnounced && waited < OUTPUT_WAIT_MS; waited += 5) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.#pace.stop();
    const tick = this.#tick.take(this.#now());
    if (tick !== undefined) await this.#options.metadata.commitTick(tick);
    this.#emitProgress();
    const run = this.#options.run.sequence;
    if (this.#failure !== undefined) return this.#ended.resolve({ run, status: "failed", failure: this.#failure });
    if (this.#cancelReason !== undefined) return this.#ended.resolve({ run, status: "cancelled" });
    const { endTask } = this.#scheduler;
    if (endTask === undefined) {
      throw new FlowError("FLOW_INTERNAL", {
        message: `${this.#options.run.name} has nothing left to run but did not reach "${this.#options.graph.end}"`,
      });
    }
    this.#ended.resolve({ run, status: "succeeded", endTask });
  }

  /** Task numbers that acting on these results can ask for at most. */
  #needed(results: readonly TaskResult[]): number {
    let count = 0;
    for (const { outcome } of results)
      if (outcome.kind === "succeeded") count += this.#scheduler.slack + (outcome.fanOut ?? 0);
    return count;
  }

  #describe(task: ReadyTask): TaskName {
    const path = task.path === "" ? "" : `/${task.path}`;
    return { task: `${this.#options.run.name}/${task.step}${path}`, step: task.step, path: task.path, attempt: 1 };
  }

  #emitOutput(chunk: LogChunk): void {
    const task = this.#active.get(chunk.task);
    if (task !== undefined) this.#emitText(chunk, this.#describe(task));
  }

  #emitText(chunk: LogChunk, where: TaskName): void {
    this.#options.emit({ kind: "task.output", at: chunk.at, ...where, stream: chunk.stream, text: chunk.text });
  }

  #emitProgress(): void {
    this.#options.emit({ kind: "run.progress", at: this.#now(), steps: this.#scheduler.progress });
  }
}
