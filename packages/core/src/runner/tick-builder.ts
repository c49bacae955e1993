/**
 * Collects what happens until the next commit. Order matters inside the transaction: tasks begin before they end, and
 * blobs stand before the rows that name them.
 */
import type { NewBlob } from "../artifact/artifact.ts";
import type { FinishedTask, LogChunk, NewTask, Tick, UpstreamRead } from "../metadata/metadata-store.ts";
import type { TaskResult } from "./protocol.ts";

export class TickBuilder {
  #started: NewTask[] = [];
  #finished: FinishedTask[] = [];
  #blobs: NewBlob[] = [];
  #reads: UpstreamRead[] = [];
  #logs: LogChunk[] = [];

  get isEmpty(): boolean {
    return this.#started.length + this.#finished.length + this.#logs.length === 0;
  }

  started(task: NewTask): void {
    this.#started.push(task);
  }

  logged(chunk: LogChunk): void {
    this.#logs.push(chunk);
  }

  finished(result: TaskResult, finishedAt: Date): void {
    const { outcome, sequence } = result;
    this.#blobs.push(...result.blobs);
    this.#reads.push(...result.reads);
    this.#logs.push(...result.logs);
    const empty = { artifacts: [], pages: [] };
    switch (outcome.kind) {
      case "succeeded":
        this.#finished.push({ sequence, status: "succeeded", finishedAt, artifacts: outcome.artifacts, pages: outcome.pages, ...(outcome.fanOut === undefined ? {} : { fanOut: outcome.fanOut }), ...(outcome.choice === undefined ? {} : { choice: outcome.choice }) });
        return;
      case "failed":
        this.#finished.push({ sequence, status: "failed", finishedAt, error: outcome.error, ...empty });
        return;
      case "cancelled":
        this.#finished.push({ sequence, status: "cancelled", finishedAt, ...empty });
    }
  }

  /** Everything so far; the builder is empty afterwards. */
  take(): Tick {
    const tick: Tick = { started: this.#started, finished: this.#finished, blobs: this.#blobs, reads: this.#reads, logs: this.#logs };
    this.#started = [];
    this.#finished = [];
    this.#blobs = [];
    this.#reads = [];
    this.#logs = [];
    return tick;
  }
}
