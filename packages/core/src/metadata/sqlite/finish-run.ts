/** The end of an execution, inside the caller's transaction. */
import { FlowError } from "../../errors/flow-error.ts";
import type { FinishRun } from "../metadata-store.ts";
import { endExecution, lastHeartbeat } from "../sql/executions.ts";
import * as runs from "../sql/runs.ts";
import { setRunTagStatus } from "../sql/tags.ts";
import { completeTask, endTasks } from "../sql/tasks.ts";
import { checkWriter } from "./begin-execution.ts";
import type { Connection } from "./connection.ts";
import { giveUpTransient } from "./give-up-artifacts.ts";
import { taggedRun } from "./move-tags.ts";
import { writeEndDigest } from "./run-digests.ts";
import type { Statements } from "./statements.ts";
import { grantRequests } from "./tag-requests.ts";

export function finishRun(db: Connection, on: Statements, finish: FinishRun): void {
  checkWriter(on, finish.run, finish.execution);
  checkEndTask(on, finish);
  const { run, status } = finish;
  const finished_at = finish.finishedAt.getTime();
  on.run(runs.finishRun, {
    sequence: run,
    status,
    finished_at,
    end_task: finish.endTask ?? null,
    failure: finish.failure === undefined ? null : JSON.stringify(finish.failure),
  });
  on.run(setRunTagStatus, { run, status });
  on.run(endExecution, { run, number: finish.execution, status, ended_at: finished_at, running: "running" });
  on.run(lastHeartbeat, { run, number: finish.execution, heartbeat_at: finished_at });
  if (status === "succeeded") {
    giveUpTransient(db, run, finish.finishedAt);
    grantRequests(on, taggedRun(on, run), finish.finishedAt, finish.tagChecks ?? {});
  } else {
    const cancelled_by = finish.cancelledBy ?? finish.failure?.task ?? null;
    on.run(endTasks, { run, running: "running", status: "cancelled", finished_at, cancelled_by });
  }
  writeEndDigest(db, run, finish.execution);
}

function checkEndTask(on: Statements, finish: FinishRun): void {
  if (finish.endTask === undefined) return;
  if (on.get(completeTask, { sequence: finish.endTask, run: finish.run }) !== undefined) return;
  throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", {
    message: `Cannot finish run number ${finish.run}: task number ${finish.endTask} is no succeeded task of it`,
  });
}
