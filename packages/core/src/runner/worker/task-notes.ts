import type { NewBlob } from "../../artifact/artifact.ts";
import type { UpstreamRead } from "../../metadata/metadata-store.ts";
import type { MetricSeries } from "../../metadata/metric.ts";
import type { BatchTask, TaskResult } from "../protocol.ts";
import { MetricLog } from "./metric-log.ts";
import type { WorkerRun } from "./worker-run.ts";

/** What a task notes while it runs; all of it counts for nothing but the reads when it fails. Most tasks note little. */
export class TaskNotes {
  readonly blobs = new Map<string, NewBlob>();
  /** Whether the step has looked at `this.signal`. */
  sawSignal = false;
  readonly #task: BatchTask;
  readonly #run: WorkerRun;
  #reads: Map<string, UpstreamRead> | undefined;
  #valueReads: Set<string> | undefined;
  #log: MetricLog | undefined;
  #isOver = false;

  constructor(run: WorkerRun, task: BatchTask) {
    this.#run = run;
    this.#task = task;
  }

  /** Of values and upstreams of the run. */
  get valueReads(): Set<string> {
    this.#valueReads ??= new Set();
    return this.#valueReads;
  }

  get log(): MetricLog {
    if (this.#log === undefined) {
      this.#log = new MetricLog(nameOf(this.#run, this.#task));
      if (this.#isOver) this.#log.end();
    }
    return this.#log;
  }

  readonly record = (read: Omit<UpstreamRead, "task">): void => {
    this.#reads ??= new Map();
    const key = `${read.upstream} ${read.producer} ${read.artifact}`;
    this.#reads.set(key, { task: this.#task.sequence, ...read });
  };

  /** The metrics; nothing can be recorded any more. */
  endLog(): readonly MetricSeries[] {
    this.#isOver = true;
    return this.#log === undefined ? [] : this.#log.end();
  }

  /** What goes with the result. */
  taken(): Pick<TaskResult, "blobs" | "reads" | "valueReads"> {
    return {
      blobs: [...this.blobs.values()],
      reads: this.#reads === undefined ? [] : [...this.#reads.values()],
      valueReads: this.#valueReads === undefined ? [] : [...this.#valueReads],
    };
  }
}

function nameOf({ context: { name } }: WorkerRun, { step, path }: BatchTask): string {
  return path === "" ? `${name}/${step}` : `${name}/${step}/${path}`;
}
