/** Entry file of a worker thread. */
import { parentPort, workerData } from "node:worker_threads";
import type { ThreadBatch, ThreadWorkerData } from "../runner/thread-executor.ts";
import { threadControl } from "../runner/worker/thread-control.ts";
import type { BatchReport } from "../runner/worker-host.ts";
import { TaskWorker } from "./task-worker.ts";
import type { TaskWorkerData } from "./worker-data.ts";

// What is written outside of any task (a module's top level, a timer that outlives its task) belongs to nobody's log. The
// process's stdout is the answer of a command, so it goes to stderr.
process.stdout.write = process.stderr.write.bind(process.stderr);

const { control, data } = workerData as ThreadWorkerData;
const port = parentPort!;
const worker = new TaskWorker(
  data as unknown as TaskWorkerData,
  threadControl(new Int32Array(control), (message) => port.postMessage(message)),
);

/** Called by the pool with each message; the first one only makes the thread start. */
export default async function execute(batch: ThreadBatch): Promise<BatchReport | undefined> {
  return batch === undefined ? undefined : worker.execute(batch);
}
