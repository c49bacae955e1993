/**
 * What a worker thread and a worker process have in common: the code package loaded once, the store opened for reading,
 * batches executed. It belongs to wiring because it names concrete back-ends; what a batch is and does is the runner's.
 */
import { hash } from "node:crypto";
import path from "node:path";
import { getHeapStatistics } from "node:v8";
import { readProcess } from "../config/config.ts";
import { FlowError, type SerializedError } from "../errors/flow-error.ts";
import type { Flow } from "../flow/flow.ts";
import type { FlowClass } from "../flow/public-types.ts";
import { hasLoadedOthers } from "../package/load-hooks.ts";
import { loadPackage } from "../package/load-package.ts";
import { MODULE_VARIABLES_EXPORT } from "../package/module-variables.ts";
import { describeUserError } from "../package/user-stack.ts";
import { emptyResult } from "../runner/empty-result.ts";
import { BatchExecutor } from "../runner/worker/batch-executor.ts";
import { Fingerprint } from "../runner/worker/fingerprint.ts";
import type { ModuleVariables } from "../runner/worker/module-state.ts";
import type { OutputSink } from "../runner/worker/output-capture.ts";
import { countUnrefs, pendingTimers } from "../runner/worker/pending-timers.ts";
import { RunTraces } from "../runner/worker/run-traces.ts";
import type { SettleWatch } from "../runner/worker/settle-watch.ts";
import type { WorkerControl } from "../runner/worker/worker-control.ts";
import type { BatchReport, WorkerBatch } from "../runner/worker-host.ts";
import { loadZod } from "../util/zod.ts";
import { openTaskStores, type TaskStores } from "./open-task-stores.ts";
import { setThreadStore } from "./store-folder.ts";
import type { TaskWorkerData } from "./worker-data.ts";

/** How a worker is connected with the main thread. */
export interface WorkerLinks {
  readonly control: WorkerControl;
  readonly output: OutputSink;
  readonly settleWatch: SettleWatch;
}

interface LoadedFlow {
  readonly flowClass: FlowClass<Flow>;
  readonly moduleVariables: ModuleVariables | undefined;
}

/** Runs that a worker serves at most: Node never forgets a module, and each run has its own of the flow. */
const RUNS_AT_MOST = 50;
/** What the heap of a worker may hold that is kept: modules may have large tables, and so have those of the runs before. */
const HEAP_AT_MOST = { bytes: 96 * 1024 * 1024, share: 0.25 };
/** A flow that takes longer to load is quicker in new threads, which load it while the run is prepared. */
const LOAD_AT_MOST_MS = 300;
/** How long what a run has left under way is waited for. */
const QUIET_WAIT_MS = 20;

export class TaskWorker {
  readonly #data: TaskWorkerData;
  readonly #links: WorkerLinks;
  /** How the worker is without a flow. */
  readonly #empty: Fingerprint | undefined;
  readonly #traces: RunTraces | undefined;
  readonly #unrefs: () => number;
  /** Timers that were unref'ed before this run. */
  #unrefsBefore = 0;
  #loading: Promise<LoadedFlow>;
  #stores: TaskStores | undefined;
  #executor: BatchExecutor | undefined;
  #runs = 1;
  /** How long the flow took to load; absent until it has. */
  #loadMs: number | undefined;

  constructor(data: TaskWorkerData, links: WorkerLinks) {
    this.#data = data;
    this.#links = links;
    this.#unrefs = data.isKept === true ? countUnrefs() : () => 0;
    this.#empty = data.isKept === true ? new Fingerprint(environmentNow) : undefined;
    this.#traces = data.isKept === true ? new RunTraces() : undefined;
    this.#loading = this.#loadFlow();
    // Loaded by its first call, in the build: now, while the main thread prepares the run, rather than in the first task.
    this.#loading.then(() => hash("sha256", "")).catch(() => {}); // What the flow fails with, the first batch reports.
  }

  /** Executes a batch. What keeps a batch from running at all is the failure of its first task. */
  async execute(batch: WorkerBatch): Promise<BatchReport> {
    if (batch.hook !== undefined) {
      setThreadStore(path.dirname(this.#data.store.databaseFile));
      const { callHook } = await import("./call-hook.ts"); // The client and its libraries, which no task needs.
      await callHook((await this.#loading).flowClass, batch.hook, batch.run.id);
      return { results: [] };
    }
    try {
      this.#executor ??= this.#openExecutor(await this.#loading);
    } catch (thrown) {
      const error = this.#describeError(thrown);
      // The others never began, and another worker may have more luck.
      return { results: [emptyResult(batch.tasks[0]!, { kind: "failed", error }, new Date())], isSpent: true };
    }
    return this.#executor.execute(batch);
  }

  /**
   * Closes what it has opened for a run. Another one may have the worker when nothing is under way and all is as it was before the flow
   * was loaded; modules of the flow are loaded anew for it, but what they load beside themselves would keep what it knows.
   */
  async rest(): Promise<boolean> {
    this.#stores?.close();
    this.#stores = undefined;
    if (this.#empty === undefined || this.#traces === undefined || this.#runs >= RUNS_AT_MOST || hasLoadedOthers())
      return false;
    if (this.#loadMs === undefined || this.#loadMs > LOAD_AT_MOST_MS) return false;
    const unrefs = this.#unrefs();
    if (!(await this.#links.settleWatch.isQuiet(QUIET_WAIT_MS))) return false;
    if (unrefs > this.#unrefsBefore && pendingTimers().length > 0) return false; // Takes a garbage collection.
    this.#unrefsBefore = this.#unrefs();
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
    if (used > Math.min(HEAP_AT_MOST.bytes, HEAP_AT_MOST.share * limit)) return false;
    this.#executor?.close(); // Until here, what tasks have left to write is theirs.
    this.#executor = undefined;
    return (await this.#empty.look({ isTolerated: false })).length === 0 && this.#traces.areNone();
  }

  renew(): Promise<boolean> {
    this.#runs++;
    this.#links.control.beginRun?.();
    this.#loading = this.#loadFlow();
    return this.#loading.then(
      () => true,
      () => false,
    );
  }

  async #loadFlow(): Promise<LoadedFlow> {
    const { package: pack, exportName, hasSchemas } = this.#data;
    const begin = performance.now();
    if (hasSchemas) loadZod();
    if (hasSchemas) this.#traces?.zodIsLoaded();
    const namespace = await loadPackage(pack, this.#runs);
    this.#loadMs = performance.now() - begin;
    const flowClass = namespace[exportName];
    const moduleVariables = namespace[MODULE_VARIABLES_EXPORT] as ModuleVariables | undefined;
    if (typeof flowClass === "function") return { flowClass: flowClass as FlowClass<Flow>, moduleVariables };
    throw new FlowError("FLOW_INTERNAL", { message: `The code package has no export "${exportName}"` });
  }

  /** The store is opened with the first batch: workers start while the main thread still checks what may refuse the run. */
  #openExecutor(loaded: LoadedFlow): BatchExecutor {
    const { store } = this.#data;
    const stores = openTaskStores(store);
    this.#stores = stores;
    setThreadStore(path.dirname(store.databaseFile));
    return new BatchExecutor({
      ...loaded,
      reader: stores.records,
      artifacts: stores.artifacts,
      ...this.#links,
      environment: environmentNow,
      describeError: (thrown) => this.#describeError(thrown),
    });
  }

  /** An error as plain data, with the user's own stack lines. */
  #describeError(thrown: unknown): SerializedError {
    return describeUserError(thrown, this.#data.cwd);
  }
}

const environmentNow = (): Readonly<Record<string, string | undefined>> => readProcess().environment;
