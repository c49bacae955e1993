/**
 * Executes batches inside one worker: tasks one after another, output attributed, the cancel word looked at between
 * tasks. Holds what is shared by the tasks of a worker and nothing that a task could change.
 */
import type { TaskReader } from "../../metadata/metadata-store.ts";
import { type Batch, CANCEL_WORD, type TaskResult, type WorkerMessage } from "../protocol.ts";
import { executeTask, type TaskEnvironment } from "./execute-task.ts";
import { OutputCapture } from "./output-capture.ts";
import { ValueLoader } from "./value-loader.ts";
import { WorkerRun } from "./worker-run.ts";

export interface ExecutorOptions extends Omit<TaskEnvironment, "signal"> {
  readonly reader: TaskReader;
  /** Words shared with the main thread; see CANCEL_WORD. */
  readonly control: Int32Array;
  readonly send: (message: WorkerMessage) => void;
}

export class BatchExecutor {
  readonly #options: ExecutorOptions;
  readonly #capture: OutputCapture;
  readonly #loader: ValueLoader;
  readonly #abort = new AbortController();
  #run: WorkerRun | undefined;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#capture = new OutputCapture((chunk) => options.send({ kind: "output", chunk }));
    this.#loader = new ValueLoader(options.artifacts, (digest) => options.reader.blob(digest));
    this.#watchCancel();
  }

  async execute(batch: Batch): Promise<readonly TaskResult[]> {
    if (this.#run?.context.id !== batch.run.id)
      this.#run = new WorkerRun(batch.run, this.#options.reader, this.#loader);
    const run = this.#run;
    const results: TaskResult[] = [];
    for (const task of batch.tasks) {
      if (this.#isCancelled) {
        results.push({
          sequence: task.sequence,
          attempt: task.attempt,
          startedAt: new Date(),
          durationMs: 0,
          outcome: { kind: "cancelled" },
          blobs: [],
          reads: [],
          logs: [],
          liveChunks: 0,
        });
        continue;
      }
      const environment = {
        flowClass: this.#options.flowClass,
        artifacts: this.#options.artifacts,
        describeError: this.#options.describeError,
        signal: this.#abort.signal,
      };
      const { value, logs, liveChunks } = await this.#capture.during(task.sequence, task.attempt, () =>
        executeTask(environment, run, batch.step, task),
      );
      results.push({ ...value, logs, liveChunks });
    }
    return results;
  }

  get #isCancelled(): boolean {
    return Atomics.load(this.#options.control, CANCEL_WORD) !== 0;
  }

  /** Turns the cancel word into `this.signal`, also while a task awaits something. */
  #watchCancel(): void {
    const waiting = Atomics.waitAsync(this.#options.control, CANCEL_WORD, 0);
    if (waiting.async)
      void waiting.value.then(() => this.#abort.abort(new DOMException("The run was cancelled", "AbortError")));
    else this.#abort.abort(new DOMException("The run was cancelled", "AbortError"));
  }
}
