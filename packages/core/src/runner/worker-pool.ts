/**
 * Workers of one kind and the batches that wait for them. Each worker runs one batch at a time; one that ended is dropped
 * and its batch rejected, one that a task left changed is replaced. A worker that cannot start rejects the batch that it
 * was opened for, so nobody waits for ever. Not here: what runs again after a loss (the driver).
 */
import { serializeError } from "../errors/flow-error.ts";
import { within } from "../util/within.ts";
import { type Executor, ExecutorLostError, type Submission } from "./executor.ts";
import type { Batch, HeardMessage, TaskResult } from "./protocol.ts";
import type { StepConduct } from "./step-conduct.ts";
import type { BatchReport, OpenHost, WorkerHost } from "./worker-host.ts";

/** A look takes about a millisecond; a worker that takes longer for it is not waited for. */
const LOOK_LIMIT_MS = 50;

export interface WorkerPoolOptions {
  readonly open: OpenHost;
  /** Workers at most. */
  readonly slots: number;
  /** Workers that start at once; the others each with the first batch that finds none free. Default 0. */
  readonly eager?: number;
  /** Shared by the pools of a run: what each step did to its workers. */
  readonly conduct: StepConduct;
}

interface Job {
  readonly batch: Batch;
  readonly results: PromiseWithResolvers<readonly TaskResult[]>;
  host?: WorkerHost;
  abortReason?: string;
  isEnded: boolean;
  /** Whether its task waits for other runs: its worker is idle, and another one may take its place. */
  isWaiting: boolean;
  /** Some of its tasks, run once more. */
  redo?: Submission;
}

export class WorkerPool implements Executor {
  readonly slots: number;
  readonly #options: WorkerPoolOptions;
  readonly #hosts = new Set<WorkerHost>();
  readonly #idle: WorkerHost[] = [];
  /** Workers that were dropped but are not gone yet. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #listeners: ((message: HeardMessage) => void)[] = [];
  #queue: Job[] = [];
  #waiting = 0;
  readonly #looks = new Set<Promise<void>>();
  /** Workers whose look is waited for. */
  #looking = 0;
  #isCancelled = false;
  #isClosed = false;

  constructor(options: WorkerPoolOptions) {
    this.slots = options.slots;
    this.#options = options;
    this.#openEagerly();
  }

  #openEagerly(): void {
    const eager = Math.min(this.#options.eager ?? 0, this.slots);
    try {
      while (this.#hosts.size < eager) this.#idle.push(this.#open());
    } catch {
      // The system gives no more; a batch for which there is none at all is told.
    }
  }

  /** Whether no batch runs or waits. */
  get isIdle(): boolean {
    return this.#queue.length === 0 && this.#idle.length === this.#hosts.size;
  }

  submit(batch: Batch): Submission {
    const job: Job = { batch, results: Promise.withResolvers(), isEnded: false, isWaiting: false };
    if (this.#isClosed) job.results.reject(endedError());
    else {
      this.#queue.push(job);
      this.#dispatch();
    }
    return {
      results: job.results.promise,
      abort: (reason) => {
        job.abortReason ??= reason;
        job.host?.abort(reason);
        job.redo?.abort(reason);
      },
      setWaiting: (isWaiting) => this.#setWaiting(job, isWaiting),
      end: () => this.#end(job),
    };
  }

  onMessage(listener: (message: HeardMessage) => void): void {
    this.#listeners.push(listener);
  }

  cancel(): void {
    this.#isCancelled = true;
    for (const host of this.#hosts) host.cancel();
  }

  async rest(): Promise<boolean> {
    await within(LOOK_LIMIT_MS, Promise.all(this.#looks));
    const isKept = (host: WorkerHost): Promise<boolean> | undefined =>
      this.#idle.includes(host) ? host.rest?.() : undefined;
    await this.#keepThose(isKept);
    return this.#hosts.size > 0;
  }

  async renew(): Promise<void> {
    await this.#keepThose((host) => host.renew?.());
    this.#openEagerly();
  }

  async #keepThose(isKept: (host: WorkerHost) => Promise<boolean> | undefined): Promise<void> {
    const keep = async (host: WorkerHost): Promise<void> => {
      if ((await isKept(host)) !== true) this.#drop(host);
    };
    await Promise.all([...this.#hosts].map(keep));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const job of this.#queue) job.results.reject(endedError());
    this.#queue = [];
    for (const host of this.#hosts) this.#drop(host);
    await Promise.all(this.#leaving);
  }

  #dispatch(): void {
    while (this.#queue.length > 0 && !this.#isClosed && this.#running < this.slots) {
      let host = this.#idle.pop();
      // Workers that are looked at are free in a moment: a line of steps needs no second one for that.
      if (host === undefined && this.#looking >= this.#queue.length) return;
      try {
        host ??= this.#open();
      } catch (error) {
        if (this.#hosts.size > 0) return; // The system has no thread left; those that are there go on.
        this.#queue.shift()!.results.reject(notStarted(error));
        continue;
      }
      void this.#run(this.#queue.shift()!, host);
    }
  }

  /** Workers that wait leave their place to others. Those opened for it stay: the next wait needs them again. */
  get #running(): number {
    return this.#hosts.size - this.#idle.length - this.#waiting;
  }

  #setWaiting(job: Job, isWaiting: boolean): void {
    if (job.redo !== undefined) {
      job.redo.setWaiting(isWaiting); // The worker that waits is the one of its tasks that run once more.
      return;
    }
    if (job.isWaiting === isWaiting || job.host === undefined) return;
    job.isWaiting = isWaiting;
    this.#waiting += isWaiting ? 1 : -1;
    if (isWaiting) this.#dispatch();
  }

  #stopWaiting(job: Job): void {
    if (job.isWaiting) this.#waiting--;
    job.isWaiting = false;
  }

  #open(): WorkerHost {
    const host: WorkerHost = this.#options.open({
      message: (message) => this.#tell(message),
      died: (error) => {
        this.#drop(host);
        if (!this.#isClosed) this.#tell(strayError(error));
      },
    });
    this.#hosts.add(host);
    if (this.#isCancelled) host.cancel();
    return host;
  }

  async #run(job: Job, host: WorkerHost): Promise<void> {
    const { batch, results } = job;
    job.host = host;
    const step = batch.step.name;
    try {
      const reported = host.run({ ...batch, ...this.#options.conduct.advise(step) });
      if (job.abortReason !== undefined) host.abort(job.abortReason);
      const report = await reported;
      delete job.host;
      if (report.isUnsure === true) this.#look(batch, host, report);
      else this.#release(step, host, report);
      results.resolve((report.tasksToRedo ?? 0) === 0 ? report.results : this.#redone(job, report));
    } catch (error) {
      delete job.host;
      this.#drop(host);
      results.reject(job.isEnded || this.#isClosed ? endedError(error) : error);
    }
    this.#stopWaiting(job);
    this.#dispatch();
  }

  /**
   * Tasks whose results cannot be trusted run again, in messages of their own. The batch is not over before: whoever gave
   * it takes what has no result for never begun.
   */
  async #redone(job: Job, { results, tasksToRedo }: BatchReport): Promise<readonly TaskResult[]> {
    const tasks = job.batch.tasks.slice(results.length, results.length + tasksToRedo!);
    const redone: TaskResult[] = [];
    while (redone.length < tasks.length) {
      job.redo = this.submit({ ...job.batch, tasks: tasks.slice(redone.length) });
      if (job.isEnded) job.redo.end();
      redone.push(...(await job.redo.results));
      delete job.redo;
    }
    return [...results, ...redone];
  }

  #look(batch: Batch, host: WorkerHost, report: BatchReport): void {
    const look: Promise<void> = this.#lookAfter(batch, host, report).finally(() => this.#looks.delete(look));
    this.#looks.add(look);
  }

  /** Before a worker is free again, it looks at what its tasks have left; they are over, whatever comes of that. */
  async #lookAfter(batch: Batch, host: WorkerHost, { pollution = [], ...report }: BatchReport): Promise<void> {
    let isWaitedFor = true;
    const stopWaiting = (): void => {
      if (isWaitedFor) this.#looking--;
      isWaitedFor = false;
    };
    this.#looking++;
    const limit = setTimeout(() => {
      stopWaiting();
      this.#dispatch();
    }, LOOK_LIMIT_MS);
    try {
      const found = await host.run({ ...batch, ...this.#options.conduct.advise(batch.step.name), tasks: [] });
      this.#release(batch.step.name, host, { ...report, pollution: [...pollution, ...(found.pollution ?? [])] });
    } catch (error) {
      this.#drop(host);
      if (!this.#isClosed) this.#tell(strayError(error));
    }
    clearTimeout(limit);
    stopWaiting();
    this.#dispatch();
  }

  /** A worker has answered: it is free again, or another takes its place. */
  #release(step: string, host: WorkerHost, { pollution = [], isSpent = false }: BatchReport): void {
    const { isReplaced, messages } = this.#options.conduct.judge(step, pollution);
    for (const message of messages) this.#tell(message);
    if (this.#isClosed) return;
    if (!isReplaced && !isSpent) {
      this.#idle.push(host);
      return;
    }
    this.#drop(host);
    this.#idle.push(this.#open());
  }

  /** Ends a worker that is of no more use; whoever closes the pool waits until it is gone. */
  #drop(host: WorkerHost): void {
    if (!this.#hosts.delete(host)) return;
    const index = this.#idle.indexOf(host);
    if (index !== -1) this.#idle.splice(index, 1);
    const leaving: Promise<void> = host.close().finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  #end(job: Job): void {
    job.isEnded = true;
    job.redo?.end();
    if (job.host !== undefined) {
      void job.host.close(); // Its batch is rejected, and with that it is dropped.
      return;
    }
    const index = this.#queue.indexOf(job);
    if (index === -1) return;
    this.#queue.splice(index, 1);
    job.results.reject(endedError());
  }

  #tell(message: HeardMessage): void {
    for (const listener of this.#listeners) listener(message);
  }
}

function endedError(cause?: unknown): ExecutorLostError {
  return new ExecutorLostError(
    "the workers were ended",
    { kind: "ended" },
    cause === undefined ? undefined : { cause },
  );
}

function notStarted(cause: unknown): ExecutorLostError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new ExecutorLostError(`no worker could be started: ${text}`, { kind: "other" }, { cause });
}

function strayError(error: unknown): HeardMessage {
  return { kind: "stray-error", error: serializeError((error as Partial<Error>).cause ?? error) };
}
