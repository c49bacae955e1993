/**
 * Collects what happens until the next commit. Order matters inside the transaction: tasks begin before they end, and
 * blobs stand before the rows that name them.
 */
import type { NewBlob } from "../artifact/artifact.ts";
import type { SerializedError } from "../errors/flow-error.ts";
import type { FinishedTask, LogChunk, NewTask, TaskSequence, Tick, UpstreamRead } from "../metadata/metadata-store.ts";
import type { TaskResult } from "./protocol.ts";

/** A task that was sent alone and runs for as long is shown as running; a shorter one is written once, with its end. */
export const SHOWN_AFTER_MS = 100;

/**
 * Of tasks that were sent together, which are short, hardly one has begun by then: those of a message wait for each other, and
 * messages for those ahead. Written before its end, a task costs twice.
 */
export const SHOWN_TOGETHER_AFTER_MS = 1_000;

export class TickBuilder {
  /** Tasks that were sent and are not written yet, in that order. */
  readonly #alone = new Map<TaskSequence, NewTask>();
  readonly #together = new Map<TaskSequence, NewTask>();
  #finished: FinishedTask[] = [];
  #blobs: NewBlob[] = [];
  #reads: UpstreamRead[] = [];
  #logs: LogChunk[] = [];

  /** Whether something will have to be written, now or later. */
  get isEmpty(): boolean {
    return this.#alone.size + this.#together.size + this.#finished.length + this.#logs.length === 0;
  }

  /** @param isAlone whether it was sent alone */
  started(task: NewTask, isAlone: boolean): void {
    (isAlone ? this.#alone : this.#together).set(task.sequence, task);
  }

  /** A task did not begin after all; false when it has been written as begun already. */
  withdraw(task: TaskSequence): boolean {
    return this.#alone.delete(task) || this.#together.delete(task);
  }

  logged(chunk: LogChunk): void {
    this.#logs.push(chunk);
  }

  /**
   * @param more.caught the failure of a caught task
   * @param more.cancelledBy why a task was cancelled
   */
  finished(
    result: TaskResult,
    finishedAt: Date,
    more: { readonly caught?: SerializedError; readonly cancelledBy?: string } = {},
  ): void {
    const { outcome, sequence, durationMs, valueReads } = result;
    const tasks = this.#alone.has(sequence) ? this.#alone : this.#together;
    const begun = tasks.get(sequence);
    // The worker knows when the task began; until it says so, the time at which it was sent stands for that.
    if (begun !== undefined) tasks.set(sequence, { ...begun, startedAt: result.startedAt });
    this.#blobs.push(...result.blobs);
    this.#reads.push(...result.reads);
    this.#logs.push(...result.logs);
    const end = {
      sequence,
      status: outcome.kind,
      finishedAt,
      durationMs,
      ...(valueReads === undefined ? {} : { valueReads }),
    };
    switch (outcome.kind) {
      case "succeeded":
      case "skipped":
      case "caught": {
        const { artifacts, pages, fanOut, choice, metrics } = outcome;
        this.#finished.push({
          ...end,
          artifacts,
          pages,
          ...(fanOut === undefined ? {} : { fanOut }),
          ...(choice === undefined ? {} : { choice }),
          ...(metrics === undefined ? {} : { metrics }),
          ...(outcome.kind === "caught" && more.caught !== undefined ? { error: more.caught } : {}),
          ...(outcome.kind === "succeeded" && outcome.cache !== undefined ? { cache: outcome.cache } : {}),
          ...(outcome.kind === "succeeded" && outcome.takenFrom !== undefined
            ? { takenFrom: outcome.takenFrom.task }
            : {}),
        });
        return;
      }
      case "failed":
        this.#finished.push({ ...end, error: outcome.error, artifacts: [], pages: [] });
        return;
      case "cancelled": {
        const by = more.cancelledBy === undefined ? {} : { cancelledBy: more.cancelledBy };
        this.#finished.push({ ...end, ...by, artifacts: [], pages: [] });
      }
    }
  }

  /**
   * What is to be written now, or undefined when all can wait.
   *
   * @param now tasks that were sent less than SHOWN_AFTER_MS before it (together: SHOWN_TOGETHER_AFTER_MS) wait for their end, unless
   *   something refers to them
   */
  take(now: Date): Omit<Tick, "run" | "execution"> | undefined {
    const started = this.#takeBegun(now);
    if (started.length + this.#finished.length + this.#logs.length === 0) return undefined;
    const tick = { started, finished: this.#finished, blobs: this.#blobs, reads: this.#reads, logs: this.#logs };
    this.#finished = [];
    this.#blobs = [];
    this.#reads = [];
    this.#logs = [];
    return tick;
  }

  #takeBegun(now: Date): readonly NewTask[] {
    const taken: NewTask[] = [];
    const take = (sequence: TaskSequence): void => {
      const task = this.#alone.get(sequence) ?? this.#together.get(sequence);
      if (task !== undefined && this.withdraw(sequence)) taken.push(task);
    };
    for (const { sequence } of this.#finished) take(sequence);
    for (const { task } of this.#logs) take(task);
    const takeOlder = (tasks: ReadonlyMap<TaskSequence, NewTask>, ms: number): void => {
      for (const { sequence, startedAt } of tasks.values()) {
        if (now.getTime() - startedAt.getTime() < ms) break;
        take(sequence);
      }
    };
    takeOlder(this.#alone, SHOWN_AFTER_MS);
    takeOlder(this.#together, SHOWN_TOGETHER_AFTER_MS);
    return taken;
  }
}
