/** Entry file of a worker thread. */
import { MessagePort, parentPort, workerData } from "node:worker_threads";
import { LastWords } from "../runner/last-words.ts";
import type { WorkerMessage } from "../runner/protocol.ts";
import type { ThreadBatch, ThreadMessage, ThreadWorkerData } from "../runner/thread-executor.ts";
import { packReport, unpackBatch, type WireReport } from "../runner/wire.ts";
import { MessageOutput } from "../runner/worker/message-output.ts";
import { SettleWatch } from "../runner/worker/settle-watch.ts";
import { threadControl } from "../runner/worker/thread-control.ts";
import { TaskWorker } from "./task-worker.ts";
import type { TaskWorkerData } from "./worker-data.ts";

// What is written outside of any task (a module's top level, a timer that outlives its task) belongs to nobody's log. The
// process's stdout is the answer of a command, so it goes to stderr.
process.stdout.write = process.stderr.write.bind(process.stderr);

const { control, lastWords, data } = workerData as ThreadWorkerData;
const port = parentPort!;
let worker: TaskWorker | undefined;

/** Called by the pool with each message; the first one only makes the thread start. */
export default async function execute(batch: ThreadBatch): Promise<WireReport | undefined> {
  worker ??= startWorker();
  return batch === undefined ? undefined : packReport(await worker.execute(unpackBatch(batch)));
}

function startWorker(): TaskWorker {
  const post = (message: ThreadMessage, transfer: readonly MessagePort[]): void => port.postMessage(message, transfer);
  const send = (message: WorkerMessage): void => port.postMessage(message);
  return new TaskWorker(data as unknown as TaskWorkerData, {
    control: threadControl(new Int32Array(control), post),
    output: new MessageOutput(send, new LastWords(lastWords)),
    settleWatch: new SettleWatch(ownPorts()),
  });
}

/**
 * The ports that keep this thread alive before any code of a user is loaded: the parent's, and the one on which piscina
 * listens, which it shows to nobody. Without the latter no task that never settles would be noticed, and nothing else.
 */
function ownPorts(): readonly MessagePort[] {
  const { _getActiveHandles } = process as unknown as { _getActiveHandles?: () => readonly unknown[] };
  const handles = _getActiveHandles?.call(process) ?? [];
  return handles.filter((handle) => handle instanceof MessagePort);
}
