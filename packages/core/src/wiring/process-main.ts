/** Entry file of a worker process. */
import { serializeError } from "../errors/flow-error.ts";
import type { FromProcess, ToProcess } from "../runner/process-messages.ts";
import { packReport, unpackBatch } from "../runner/wire.ts";
import { watchParent } from "../runner/worker/parent-watch.ts";
import { PipeOutput } from "../runner/worker/pipe-output.ts";
import { ProcessControl } from "../runner/worker/process-control.ts";
import { SettleWatch } from "../runner/worker/settle-watch.ts";
import { TaskWorker } from "./task-worker.ts";
import type { TaskWorkerData } from "./worker-data.ts";

// Bound now: what a task does to `process` is not to keep its own result from being sent.
const sendMessage = process.send!.bind(process) as (message: FromProcess) => boolean;
const control = new ProcessControl((message) => sendMessage({ kind: "message", message }));
let worker: TaskWorker | undefined;
let output: PipeOutput | undefined;

process.on("message", (message: ToProcess) => void hear(message));
// The program that started this process is gone, or a task closed the channel: nobody waits for a result.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
process.on("uncaughtExceptionMonitor", (thrown) => sendMessage({ kind: "dying", error: serializeError(thrown) }));

async function hear(message: ToProcess): Promise<void> {
  switch (message.kind) {
    case "start":
      watchParent(message.parent);
      output = new PipeOutput(message.nonce);
      worker = new TaskWorker(message.data as unknown as TaskWorkerData, {
        control,
        output,
        settleWatch: new SettleWatch([process.channel!]),
      });
      return;
    case "batch": {
      control.begin();
      const report = await worker!.execute(unpackBatch(message.batch));
      output!.endBatch(message.number);
      sendMessage({ kind: "report", number: message.number, report: packReport(report) });
      return;
    }
    case "abort":
      control.abort(message.reason);
      return;
    case "reply":
      control.reply(message.call, message.reply);
      return;
    case "cancel":
      control.cancel();
  }
}
