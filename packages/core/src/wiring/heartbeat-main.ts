/** Entry file of the thread that says that a runner lives. It loads the driver of the database and nothing else. */
import { parentPort, workerData } from "node:worker_threads";
import { isFlowError, serializeError } from "../errors/flow-error.ts";
import { openHeartbeatWriter } from "../metadata/sqlite/heartbeat-writer.ts";
import type { HeartbeatData, HeartbeatMessage } from "./start-heartbeat.ts";

const FOR_GOOD: ReadonlySet<string> = new Set([
  "FLOW_METADATA_FENCED",
  "FLOW_METADATA_RUN_FINAL",
  "FLOW_METADATA_NO_RUN",
]);

const { databaseFile, run, execution, intervalMs } = workerData as HeartbeatData;
const writer = openHeartbeatWriter(databaseFile);
const timer = setInterval(beat, intervalMs);
parentPort!.once("message", end); // The only message: stop.
beat();

function beat(): void {
  try {
    writer.beat(run, execution, new Date());
  } catch (error) {
    // A store that is locked or full for now may take the next beat; one that says no for good need not be asked again.
    if (!isFlowError(error) || !FOR_GOOD.has(error.code)) return;
    parentPort!.postMessage({ kind: "fenced", error: serializeError(error) } satisfies HeartbeatMessage);
    end();
  }
}

function end(): void {
  clearInterval(timer);
  writer.close();
  parentPort!.close();
}
