/**
 * Collects what happens until the next commit. Order matters inside the transaction: tasks begin before they end, and
 * blobs stand before the rows that name them.
 */
import type { NewBlob } from "../artifact/artifact.ts";
import type { SerializedError } from "../errors/flow-error.ts";
import type { FinishedTask, LogChunk, NewTask, TaskSequence, Tick, UpstreamRead } from "../metadata/metadata-store.ts";
import type { TaskResult } from "./protocol.ts";

/** A task that has run for as long is shown as running; a shorter one is written once, with its end. */
export const SHOWN_AFTER_MS = 100;

export class TickBuilder {
  /** Tasks that have begun and are not written yet, in the order of their beginning. */
  readonly #begun = new Map<TaskSequence, NewTask>();
  #finished: FinishedTask[] = [];
  #blobs: NewBlob[] = [];
  #reads: UpstreamRead[] = [];
  #logs: LogChunk[] = [];

  /** Whether something will have to be written, now or later. */
  get isEmpty(): boolean {
    return this.#begun.size + this.#finished.length + this.#logs.length === 0;
  }

  started(task: NewTask): void {
    this.#begun.set(task.sequence, task);
  }

  /** A task did not begin after all; false when it has been written as begun already. */
  withdraw(task: TaskSequence): boolean {
    return this.#begun.delete(task);
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
    const begun = this.#begun.get(sequence);
    // The worker knows when the task began; until it says so, the time at which it was sent stands for that.
    if (begun !== undefined) this.#begun.set(sequence, { ...begun, startedAt: result.startedAt });
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
   * @param now tasks that began less than SHOWN_AFTER_MS before it wait for their end, unless something refers to them
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
    const take = (task: NewTask | undefined): void => {
      if (task === undefined) return;
      this.#begun.delete(task.sequence);
      taken.push(task);
    };
    for (const { sequence } of this.#finished) take(this.#begun.get(sequence));
    for (const { task } of this.#logs) take(this.#begun.get(task));
    for (const task of this.#begun.values()) {
      if (now.getTime() - task.startedAt.getTime() < SHOWN_AFTER_MS) break;
      take(task);
    }
    return taken;
  }
}
