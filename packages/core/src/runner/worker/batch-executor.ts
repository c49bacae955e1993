/**
 * Executes batches inside one worker: tasks one after another, output attributed, the cancel word looked at between
 * tasks. Holds what is shared by the tasks of a worker and nothing that a task could change.
 */
import type { TaskReader } from "../../metadata/metadata-store.ts";
import { emptyResult } from "../empty-result.ts";
import { type Batch, CANCEL_WORD, type TaskResult, type WorkerMessage } from "../protocol.ts";
import { executeTask, type TaskEnvironment } from "./execute-task.ts";
import { OutputCapture } from "./output-capture.ts";
import { ValueLoader } from "./value-loader.ts";
import { WorkerRun } from "./worker-run.ts";

/**
 * A message whose tasks turn out longer than those before is cut short after this time: its results are wanted, another
 * worker may be idle, and what fails in it should not be noticed late. Five times what a message should hold.
 */
const BUDGET_MS = 50;

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

  /** Gives the results of the first tasks; those that did not begin within the time of a message are left out. */
  async execute(batch: Batch): Promise<readonly TaskResult[]> {
    if (this.#run?.context.id !== batch.run.id)
      this.#run = new WorkerRun(batch.run, this.#options.reader, this.#loader);
    const run = this.#run;
    const results: TaskResult[] = [];
    const beganAt = performance.now();
    for (const task of batch.tasks) {
      if (this.#isCancelled) {
        results.push(emptyResult(task, { kind: "cancelled" }, new Date()));
        continue;
      }
      if (results.length > 0 && performance.now() - beganAt > BUDGET_MS) break;
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
