/** Entry file of a worker thread. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { LastWords } from "../runner/last-words.ts";
import type { RunContext, WorkerMessage } from "../runner/protocol.ts";
import type {
  StorageRequest,
  ThreadAnswer,
  ThreadBatch,
  ThreadMessage,
  ThreadTurn,
  ThreadWorkerData,
} from "../runner/thread-executor.ts";
import { packReport, unpackBatch } from "../runner/wire.ts";
import { MessageOutput } from "../runner/worker/message-output.ts";
import { SettleWatch } from "../runner/worker/settle-watch.ts";
import { threadControl } from "../runner/worker/thread-control.ts";
import type { BatchReport, WorkerBatch } from "../runner/worker-host.ts";
import { relayStorage } from "./storage-thread.ts";
import { TaskWorker } from "./task-worker.ts";
import type { TaskWorkerData } from "./worker-data.ts";

// What is written outside of any task (a module's top level, a timer that outlives its task) belongs to nobody's log. The
// process's stdout is the answer of a command, so it goes to stderr.
process.stdout.write = process.stderr.write.bind(process.stderr);

const { control, lastWords, port, data } = workerData as ThreadWorkerData;
const parent = parentPort!;
relayStorage((line, transfer) => parent.postMessage({ kind: "storage", line } satisfies StorageRequest, [...transfer]));
port.on("message", (message: ThreadBatch | ThreadTurn) => void answer(message)); // A port that is open before any flow is.
const worker = new TaskWorker(data as unknown as TaskWorkerData, {
  control: threadControl(new Int32Array(control), (message: ThreadMessage, transfer: readonly MessagePort[]) =>
    parent.postMessage(message, transfer),
  ),
  output: new MessageOutput((message: WorkerMessage) => parent.postMessage(message), new LastWords(lastWords)),
  settleWatch: new SettleWatch([parent, port]),
});

let run: RunContext | undefined;

/** What cannot be posted, or was thrown by our own code, ends this thread. */
async function answer(message: ThreadBatch | ThreadTurn): Promise<void> {
  if ("turn" in message) {
    port.postMessage({ isReady: await worker[message.turn]() } satisfies ThreadAnswer);
    return;
  }
  run = message.run ?? run;
  const batch = unpackBatch<WorkerBatch>({ ...message, run: run! });
  const told = await settled(worker.execute(batch));
  port.postMessage(told);
  if (!("report" in told) || told.report.isUnsure !== true) return;
  // While the main thread records what it was told: the next step waits for both.
  port.postMessage(await settled(worker.execute({ ...batch, tasks: [] })));
}

async function settled(report: Promise<BatchReport>): Promise<ThreadAnswer> {
  try {
    return { report: packReport(await report) };
  } catch (error) {
    return { error };
  }
}
