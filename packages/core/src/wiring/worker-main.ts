/**
 * Entry file of a worker thread: loads the code package once, opens the store for reading, and executes batches. It is
 * a file of wiring because it names concrete back-ends; what a batch is and does is the runner's.
 */
import path from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { FlowError, type SerializedError } from "../errors/flow-error.ts";
import type { Flow } from "../flow/flow.ts";
import type { FlowClass } from "../flow/public-types.ts";
import { loadPackage } from "../package/load-package.ts";
import { describeUserError } from "../package/user-stack.ts";
import { emptyResult } from "../runner/empty-result.ts";
import type { Batch, TaskResult } from "../runner/protocol.ts";
import type { ThreadWorkerData } from "../runner/thread-executor.ts";
import { BatchExecutor } from "../runner/worker/batch-executor.ts";
import { openTaskStores } from "./open-task-stores.ts";
import { setThreadStore } from "./store-folder.ts";
import type { TaskWorkerData } from "./worker-data.ts";

// What is written outside of any task (a module's top level, a timer that outlives its task) belongs to nobody's log. The
// process's stdout is the answer of a command, so it goes to stderr.
process.stdout.write = process.stderr.write.bind(process.stderr);

const { control, data } = workerData as ThreadWorkerData;
const worker = data as unknown as TaskWorkerData;
const loading = loadFlow();
loading.catch(() => {}); // The first batch reports it.
let executor: BatchExecutor | undefined;

/** Called by the pool with each message. What keeps a batch from running at all is the failure of its first task. */
export default async function execute(batch: Batch): Promise<readonly TaskResult[]> {
  try {
    executor ??= openExecutor(await loading);
  } catch (thrown) {
    const [first, ...others] = batch.tasks;
    const at = new Date();
    const failed = emptyResult(first!, { kind: "failed", error: describeError(thrown) }, at);
    return [failed, ...others.map((task) => emptyResult(task, { kind: "cancelled" }, at))];
  }
  return executor.execute(batch);
}

/** An error as plain data, with the user's own stack lines. */
function describeError(thrown: unknown): SerializedError {
  return describeUserError(thrown, worker.cwd);
}

async function loadFlow(): Promise<FlowClass<Flow>> {
  const namespace = await loadPackage(worker.package);
  const flowClass = namespace[worker.exportName];
  if (typeof flowClass === "function") return flowClass as FlowClass<Flow>;
  throw new FlowError("FLOW_INTERNAL", { message: `The code package has no export "${worker.exportName}"` });
}

/** The store is opened with the first batch: threads start while the main thread still checks what may refuse the run. */
function openExecutor(flowClass: FlowClass<Flow>): BatchExecutor {
  const stores = openTaskStores(worker.store);
  setThreadStore(path.dirname(worker.store.databaseFile));
  return new BatchExecutor({
    flowClass,
    reader: stores.records,
    artifacts: stores.artifacts,
    control: new Int32Array(control),
    send: (message) => parentPort!.postMessage(message),
    describeError,
  });
}
