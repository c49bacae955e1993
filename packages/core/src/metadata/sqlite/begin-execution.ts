import { FlowError } from "../../errors/flow-error.ts";
import type { BeginExecution, NewExecution } from "../execution.ts";
import { type Liveness, livenessOf } from "../liveness.ts";
import { canMoveRun, isOver } from "../run-state.ts";
import * as executions from "../sql/executions.ts";
import { SCHEMA_VERSION } from "../sql/migrations/migrations.ts";
import { bytesOfDigest } from "../sql/rows.ts";
import * as runs from "../sql/runs.ts";
import { setRunTagStatus } from "../sql/tags.ts";
import { endTasks } from "../sql/tasks.ts";
import { readColumn } from "../stored-columns.ts";
import { fenced, noRun, runFinal } from "./run-errors.ts";
import type { Statements } from "./statements.ts";

/**
 * Continues a run under a new execution, inside the caller's transaction: between the look at the old runner and the new
 * number nobody else can do the same.
 */
export function beginExecution(statements: Statements, begin: BeginExecution, here: Liveness | undefined): number {
  const { run, at } = begin;
  const before = statements.get(runs.runStatus, { sequence: run });
  if (before === undefined) throw noRun(run);
  // Stored as running, it may be lost: that is judged here as readers judge it.
  if (before.status === "running") refuseAlive(statements, run, before.execution, here);
  else if (!canMoveRun(before.status, "running")) throw runFinal(before.id, before.status);

  const number = before.execution + 1;
  const ended_at = at.getTime();
  statements.run(executions.endExecution, {
    run,
    number: before.execution,
    status: "lost",
    ended_at,
    running: "running",
  });
  statements.run(endTasks, { run, running: "running", status: "lost", finished_at: ended_at, cancelled_by: null });
  insertExecution(statements, run, number, begin, at);
  statements.run(runs.continueRun, { sequence: run, execution: number, running: "running", none: null });
  statements.run(setRunTagStatus, { run, status: "running" });
  return number;
}

/** Writes the row of an execution that begins now. */
export function insertExecution(
  statements: Statements,
  run: number,
  number: number,
  execution: NewExecution,
  at: Date,
): void {
  const { runner, actor, command, packageDigest, options } = execution;
  statements.run(executions.insertExecution, {
    run,
    number,
    runner: JSON.stringify(runner),
    actor,
    command: JSON.stringify(command),
    package_digest: packageDigest === undefined ? null : bytesOfDigest(packageDigest),
    options: JSON.stringify(options ?? {}),
    started_at: at.getTime(),
    heartbeat_at: at.getTime(),
    ended_at: null,
    status: "running",
    program_schema: SCHEMA_VERSION,
  });
}

/** Says that a runner lives, inside the caller's transaction. */
export function beat(statements: Statements, run: number, execution: number, at: Date): void {
  const row = { heartbeat_at: at.getTime(), run, number: execution, running: "running" } as const;
  if (statements.run(executions.heartbeat, row) === 0) checkWriter(statements, run, execution);
}

/**
 * Refuses whoever does not execute a run (any more).
 *
 * @throws FlowError FLOW_METADATA_NO_RUN, FLOW_METADATA_FENCED, FLOW_METADATA_RUN_FINAL
 */
export function checkWriter(statements: Statements, sequence: number, execution: number): void {
  const run = statements.get(runs.runStatus, { sequence });
  if (run === undefined) throw noRun(sequence);
  if (run.execution !== execution) throw fenced(run.id, execution, run.execution);
  if (isOver(run.status)) throw runFinal(run.id, run.status);
}

function refuseAlive(statements: Statements, run: number, number: number, here: Liveness | undefined): void {
  const current = statements.get(executions.currentExecution, { run, number });
  if (current === undefined) return; // Begun by a program of the first schema, which left no trace of its process.
  const runner = readColumn("execution.runner", current.runner);
  const isLost =
    here !== undefined && livenessOf({ runner, heartbeatAt: new Date(current.heartbeat_at) }, here) === "lost";
  if (isLost) return;
  const { id, flow_name, number: runNumber } = statements.get(runs.runBySequence, { sequence: run })!;
  const name = `${flow_name}/${runNumber}`;
  throw new FlowError("FLOW_METADATA_RUN_ALIVE", {
    message: `Cannot continue ${name}: it is running in process ${runner.pid} on "${runner.host}"`,
    hint: `Follow it with flow logs ${name} --follow, or wait until it has ended`,
    context: { run: id, name, host: runner.host, pid: runner.pid, execution: number },
  });
}
