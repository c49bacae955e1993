/**
 * Executes batches inside one worker: tasks one after another, output attributed, the wish to stop looked at between
 * tasks. Holds what is shared by the tasks of a worker and nothing that a task could change.
 */
import { isDeepStrictEqual } from "node:util";
import type { SerializedError } from "../../errors/flow-error.ts";
import type { TaskReader } from "../../metadata/metadata-store.ts";
import { collectGarbage } from "../../util/collect-garbage.ts";
import { emptyResult } from "../empty-result.ts";
import type { BatchTask, TaskOutcome, TaskResult } from "../protocol.ts";
import { SecretMask } from "../secret-mask.ts";
import type { BatchReport, WorkerBatch } from "../worker-host.ts";
import { SMALLEST_BYTES } from "./array-client.ts";
import { executeTask, type TaskEnvironment } from "./execute-task.ts";
import { type Change, Fingerprint } from "./fingerprint.ts";
import type { ModuleVariables } from "./module-state.ts";
import { OutputCapture, type OutputSink } from "./output-capture.ts";
import type { SettleWatch } from "./settle-watch.ts";
import { ValueLoader } from "./value-loader.ts";
import { abortError, type WorkerControl } from "./worker-control.ts";
import { WorkerRun } from "./worker-run.ts";

/**
 * A message whose tasks turn out longer than those before is cut short after this time: its results are wanted, another
 * worker may be idle, and what fails in it should not be noticed late. Five times what a message should hold.
 */
const BUDGET_MS = 50;

/**
 * Tasks that begin and end within this time share a glance at what they left changed. When it finds something, and when
 * the look after the batch does, they run again: that costs less than a glance after each.
 */
const GLANCE_MS = 0.5;

export interface ExecutorOptions extends Omit<TaskEnvironment, "signal" | "cache"> {
  readonly reader: TaskReader;
  readonly control: WorkerControl;
  readonly output: OutputSink;
  readonly settleWatch: SettleWatch;
  /** The variables that steps of this worker see. */
  readonly environment: () => Readonly<Record<string, string | undefined>>;
  /** The variables of the flow's own modules, if its code package tells them. */
  readonly moduleVariables?: ModuleVariables | undefined;
}

export class BatchExecutor {
  readonly #options: ExecutorOptions;
  readonly #capture: OutputCapture;
  readonly #loader: ValueLoader;
  #run: WorkerRun | undefined;
  #secrets: readonly unknown[] = [];
  #mask = new SecretMask([]);
  #untouched: Fingerprint | undefined;
  /** Whether a task was given up in this worker. */
  #isSpent = false;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#capture = new OutputCapture(options.output, { isAlone: true });
    this.#loader = new ValueLoader(options.artifacts, (digest) => options.reader.blob(digest), options.control.arrays);
  }

  /** Listens to no output any more. */
  close(): void {
    this.#capture.close();
  }

  /** Gives the results of the first tasks; those that did not begin within the time of a message are left out. */
  async execute(batch: WorkerBatch): Promise<BatchReport> {
    const { control } = this.#options;
    const abort = new AbortController();
    const stopWatching = control.watchAbort(batch, (reason) => abort.abort(abortError(reason)));
    const signal = batch.isWatched === true ? AbortSignal.any([control.cancelled, abort.signal]) : control.cancelled;
    try {
      const report = await this.#options.settleWatch.batch(() => this.#executeTasks(batch, signal));
      this.#giveBackMemory(report);
      return report;
    } finally {
      stopWatching();
    }
  }

  /** Large values that the tasks had are garbage now, and this worker may not have anything to do for long. */
  #giveBackMemory({ results }: BatchReport): void {
    const isLarge = results.some(({ blobs }) => blobs.some(({ sizeBytes }) => sizeBytes > SMALLEST_BYTES));
    if (!isLarge && !this.#loader.hasLoadedLarge) return;
    this.#loader.hasLoadedLarge = false;
    setImmediate(collectGarbage); // When the report is on its way.
  }

  async #executeTasks(batch: WorkerBatch, signal: AbortSignal): Promise<BatchReport> {
    const fingerprint = this.#fingerprint();
    const isTolerated = batch.isTolerated === true;
    if (batch.tasks.length === 0) {
      const pollution = await fingerprint.look({ isTolerated });
      return { results: [], pollution: fingerprint.isUnsure ? [...pollution, ...fingerprint.lookDeeply()] : pollution };
    }
    const run = this.#runOf(batch);
    const results: TaskResult[] = [];
    const beganAt = performance.now();
    let glancedAt = beganAt;
    /** Results of tasks after which nothing was seen that a glance sees. */
    let glanced = 0;
    for (const task of batch.tasks) {
      if (this.#options.control.isCancelled()) {
        results.push(emptyResult(task, { kind: "cancelled" }, new Date()));
        continue;
      }
      if (results.length > 0 && performance.now() - beganAt > BUDGET_MS) break;
      if (batch.isWatched === true) this.#options.control.send({ kind: "began", sequence: task.sequence });
      results.push(await this.#executeTask(batch, run, task, signal));
      if (this.#isSpent) return { results, isSpent: true };
      if (batch.isSuspect !== true) {
        const now = performance.now();
        if (now - glancedAt < GLANCE_MS) continue;
        glancedAt = now;
        if (!fingerprint.glance()) {
          glanced = results.length;
          continue;
        }
      }
      const pollution = await fingerprint.look({ isTolerated });
      if (pollution.length > 0)
        return reportOf(results, pollution, batch.isSuspect === true ? results.length : glanced);
      glanced = results.length;
    }
    // A result that is alone is no other's concern: it is told, and the look follows while the main thread commits it.
    const outcome = batch.tasks.length === 1 ? results[0]?.outcome : undefined;
    const isAlone = outcome?.kind === "succeeded";
    if (isAlone && outcome.takenFrom === undefined) run.left(batch.tasks[0]!, outcome.artifacts);
    if (isAlone && batch.isSuspect !== true && batch.step.isLast !== true) return { results, isUnsure: true };
    const pollution = await fingerprint.look({ isTolerated });
    const { isUnsure } = fingerprint;
    const report = reportOf(results, pollution, 0);
    return report.tasksToRedo === undefined ? { ...report, isUnsure } : report;
  }

  /** Taken when the first batch begins: what modules do while they are loaded is how the worker should be. */
  #fingerprint(): Fingerprint {
    this.#untouched ??= new Fingerprint(this.#options.environment, this.#options.moduleVariables);
    return this.#untouched;
  }

  async #executeTask(batch: WorkerBatch, run: WorkerRun, task: BatchTask, signal: AbortSignal): Promise<TaskResult> {
    const mask = this.#mask;
    const { flowClass, artifacts } = this.#options;
    const describeError = (thrown: unknown): SerializedError => mask.error(this.#options.describeError(thrown));
    const cache = batch.cache === undefined ? {} : { cache: batch.cache };
    const environment = { flowClass, artifacts, describeError, signal, calls: this.#options.control, ...cache };
    const execute = () => executeTask(environment, run, batch.step, task);
    const startedAt = new Date();
    const begin = performance.now();
    const { value, logs, liveChunks } = await this.#capture.during(task.sequence, task.attempt, mask, () =>
      this.#options.settleWatch.task(task.step, signal, execute).catch((thrown: unknown) => {
        this.#isSpent = true; // Should the task come back some day, then not beside another one.
        const outcome: TaskOutcome = signal.aborted
          ? { kind: "cancelled" }
          : { kind: "failed", error: describeError(thrown) };
        return { ...emptyResult(task, outcome, startedAt), durationMs: performance.now() - begin };
      }),
    );
    return { ...value, logs, liveChunks };
  }

  /**
   * What tasks of one run share. Secrets are compared too: a run inside a step that is continued may come back to this
   * worker with others, and what it knows and masks must be those.
   */
  #runOf(batch: WorkerBatch): WorkerRun {
    const secrets = [batch.run.secrets, batch.placement?.secrets];
    if (this.#run?.context.id !== batch.run.id || !isDeepStrictEqual(secrets, this.#secrets)) {
      this.#secrets = secrets;
      this.#run = new WorkerRun(batch.run, this.#options.reader, this.#loader);
      this.#mask = new SecretMask([
        ...Object.values(batch.placement?.secrets ?? {}),
        ...Object.values(batch.run.secrets),
      ]);
    }
    return this.#run!;
  }
}

/**
 * What a batch answers that left something changed. Who did it is not known: the first task after the clean ones ran in a
 * clean worker, those after it may have seen the change.
 *
 * @param clean results of tasks that ran before it
 */
function reportOf(results: readonly TaskResult[], pollution: readonly Change[], clean: number): BatchReport {
  const isCertain = results.length <= clean + 1 || !pollution.some((change) => change.isContagious);
  if (isCertain) return { results, pollution };
  return { results: results.slice(0, clean + 1), pollution, tasksToRedo: results.length - clean - 1 };
}
