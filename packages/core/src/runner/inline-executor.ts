/**
 * Runs batches in the thread that asks for them: for a debugger, for tests, and for one step alone. It is handed the flow
 * class and its stores, so that no worker entry, no code package and no files are needed.
 *
 * What a thread of its own would give is missing: tasks share the memory of modules with everything else here, a step that
 * asks for a process gets none, and code that never gives the thread back cannot be ended. Ending a batch therefore means
 * that nobody waits for it any more.
 */
import type { RunId } from "../ids/run-id.ts";
import type { TaskReader } from "../metadata/metadata-store.ts";
import { emptyResult } from "./empty-result.ts";
import { type Executor, ExecutorLostError, type Submission } from "./executor.ts";
import type { Batch, BatchTask, CallReply, HeardMessage, HookName, TaskResult } from "./protocol.ts";
import { SecretMask } from "./secret-mask.ts";
import { type ExecutedTask, executeTask, type TaskEnvironment } from "./worker/execute-task.ts";
import type { CallLine } from "./worker/flow-calls.ts";
import { MessageOutput } from "./worker/message-output.ts";
import { OutputCapture } from "./worker/output-capture.ts";
import { ValueLoader } from "./worker/value-loader.ts";
import { abortError } from "./worker/worker-control.ts";
import { WorkerRun } from "./worker/worker-run.ts";

export interface InlineExecutorOptions extends Omit<TaskEnvironment, "signal"> {
  readonly reader: TaskReader;
  /** Batches at the same time: while the task of one waits for something, that of another goes on. Default 1. */
  readonly slots?: number;
  /** Whether what tasks write is captured as theirs, as in workers, or goes where it goes. Default captured. */
  readonly output?: "captured" | "passed";
  /** Sets environment variables for as long as a step runs that asks for them; what it gives back takes them away. */
  readonly setEnvironment?: (variables: Readonly<Record<string, string>>) => () => void;
  /** Reads a run that a step has started, where its records are not in the store of the process. */
  readonly readChild?: CallLine["readChild"];
  /** Calls a hook of the flow with its run; without it none is called. */
  readonly callHook?: (hook: HookName, run: RunId) => Promise<void>;
}

/** A batch from its submission to its end. */
interface Submitted {
  readonly batch: Batch;
  readonly abort: AbortController;
  readonly results: PromiseWithResolvers<readonly TaskResult[]>;
  /** Whether its task waits for other runs. */
  isWaiting: boolean;
}

// As it was when this module was loaded: a test runner that replaces the timers of a test must not stop the tasks in it.
const nextTurn = globalThis.setImmediate;

export class InlineExecutor implements Executor {
  readonly slots: number;
  readonly #options: InlineExecutorOptions;
  readonly #loader: ValueLoader;
  readonly #capture: OutputCapture | undefined;
  readonly #listeners: ((message: HeardMessage) => void)[] = [];
  readonly #runs = new Map<RunId, WorkerRun>();
  readonly #waiting: Submitted[] = [];
  readonly #running = new Set<Submitted>();
  #isCancelled = false;
  #isClosed = false;

  constructor(options: InlineExecutorOptions) {
    this.slots = options.slots ?? 1;
    this.#options = options;
    this.#loader = new ValueLoader(options.artifacts, (digest) => options.reader.blob(digest));
    if (options.output !== "passed")
      this.#capture = new OutputCapture(new MessageOutput((message) => this.#tell(message)));
  }

  /** Whether no batch runs and none waits. */
  get isIdle(): boolean {
    return this.#running.size === 0 && this.#waiting.length === 0;
  }

  submit(batch: Batch): Submission {
    // A copy, as a worker would get it: no task may change what another one is given.
    const submitted: Submitted = {
      batch: structuredClone(batch),
      abort: new AbortController(),
      results: Promise.withResolvers(),
      isWaiting: false,
    };
    submitted.results.promise.catch(() => {}); // Whoever awaits it is told; nobody has to.
    if (this.#isClosed) submitted.results.reject(ended());
    else {
      this.#waiting.push(submitted);
      nextTurn(() => this.#next());
    }
    return {
      results: submitted.results.promise,
      abort: (reason) => submitted.abort.abort(abortError(reason)),
      setWaiting: (isWaiting) => {
        submitted.isWaiting = isWaiting;
        if (isWaiting) nextTurn(() => this.#next());
      },
      end: () => this.#end(submitted),
    };
  }

  onMessage(listener: (message: HeardMessage) => void): void {
    this.#listeners.push(listener);
  }

  cancel(): void {
    this.#isCancelled = true;
    for (const { abort } of [...this.#running, ...this.#waiting]) abort.abort(abortError("The run was cancelled"));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const submitted of [...this.#running, ...this.#waiting]) this.#end(submitted);
    this.#capture?.close();
  }

  /** The code of a batch that runs goes on until it looks at its signal; its results count for nothing. */
  #end(submitted: Submitted): void {
    submitted.abort.abort(abortError("The task was ended"));
    submitted.results.reject(ended());
    const index = this.#waiting.indexOf(submitted);
    if (index >= 0) this.#waiting.splice(index, 1);
    if (this.#running.delete(submitted)) nextTurn(() => this.#next());
  }

  #tell(message: HeardMessage): void {
    for (const listener of this.#listeners) listener(message);
  }

  /** Starts what waits as long as there is room. */
  #next(): void {
    while ([...this.#running].filter(({ isWaiting }) => !isWaiting).length < this.slots) {
      const submitted = this.#waiting.shift();
      if (submitted === undefined) return;
      this.#running.add(submitted);
      void this.#execute(submitted).then(submitted.results.resolve, submitted.results.reject);
    }
  }

  async #execute(submitted: Submitted): Promise<readonly TaskResult[]> {
    const { batch, abort } = submitted;
    const { environment, secrets } = batch.placement ?? {};
    const restore = this.#options.setEnvironment?.({ ...environment, ...secrets });
    try {
      if (batch.hook !== undefined) await this.#options.callHook?.(batch.hook, batch.run.id);
      const results: TaskResult[] = [];
      const run = this.#runOf(batch);
      for (const task of batch.tasks) {
        if (this.#isCancelled || abort.signal.aborted)
          results.push(emptyResult(task, { kind: "cancelled" }, new Date()));
        else {
          if (batch.isWatched === true) this.#tell({ kind: "began", sequence: task.sequence });
          results.push(await this.#executeTask(run, batch, task, abort.signal));
        }
      }
      return results;
    } finally {
      restore?.();
      if (this.#running.delete(submitted)) nextTurn(() => this.#next());
    }
  }

  async #executeTask(run: WorkerRun, batch: Batch, task: BatchTask, signal: AbortSignal): Promise<TaskResult> {
    const cache = batch.cache === undefined ? {} : { cache: batch.cache };
    const environment = { ...this.#options, signal, calls: this.#calls, ...cache };
    const execute = (): Promise<ExecutedTask> => executeTask(environment, run, batch.step, task);
    if (this.#capture === undefined) return { ...(await execute()), logs: [], liveChunks: 0 };
    const mask = new SecretMask([
      ...Object.values(batch.placement?.secrets ?? {}),
      ...Object.values(batch.run.secrets),
    ]);
    const { value, logs, liveChunks } = await this.#capture.during(task.sequence, task.attempt, mask, execute);
    return { ...value, logs, liveChunks };
  }

  /** Answers come in another turn, as from a worker. */
  get #calls(): CallLine {
    return {
      isInline: true,
      ...(this.#options.readChild === undefined ? {} : { readChild: this.#options.readChild }),
      send: (message) => this.#tell(message),
      open: (message, onReply) => {
        let isClosed = false;
        const answer = (reply: CallReply): void => {
          if (!isClosed) onReply(reply);
        };
        this.#tell({ ...message, reply: (reply) => nextTurn(() => answer(reply)) });
        return {
          close: () => {
            isClosed = true;
          },
        };
      },
    };
  }

  #runOf({ run }: Batch): WorkerRun {
    let known = this.#runs.get(run.id);
    if (known === undefined) {
      known = new WorkerRun(run, this.#options.reader, this.#loader);
      this.#runs.set(run.id, known);
    }
    return known;
  }
}

function ended(): ExecutorLostError {
  return new ExecutorLostError("the run has ended", { kind: "ended" });
}
