/**
 * One execution of a run that is recorded: drives it, finishes it, and tells the hooks of its flow. Whether the run is new
 * or goes on makes no difference here.
 */
import { runRecord } from "../client/run-record.ts";
import { FlowError } from "../errors/flow-error.ts";
import { isStoreFault } from "../errors/told-error.ts";
import type { RunEvent } from "../events/run-event.ts";
import { runName } from "../lineage/run-name.ts";
import type { FinishRun, RunRow } from "../metadata/metadata-store.ts";
import { describeUserError } from "../package/user-stack.ts";
import { systemClock } from "../runner/clock.ts";
import type { Executor } from "../runner/executor.ts";
import { driveRun, type RunDriverOptions, type RunEnd } from "../runner/run-driver.ts";
import { elapsedMs } from "../util/elapsed.ts";
import type { RunWorkers } from "./executor-shelf.ts";
import { failRun } from "./fail-run.ts";
import type { OpenStores } from "./open-stores.ts";
import type { PreparedRun } from "./prepare-run.ts";
import { contextOf } from "./run-context.ts";
import { runHook } from "./run-hook.ts";
import type { RunSignals } from "./running.ts";
import { type Heartbeat, startHeartbeat } from "./start-heartbeat.ts";

export interface RunExecution
  extends Pick<
    RunDriverOptions,
    | "finished"
    | "attemptsBefore"
    | "finishSiblings"
    | "maxRounds"
    | "slots"
    | "depth"
    | "startChild"
    | "clock"
    | "random"
    | "shuffle"
  > {
  readonly stores: Pick<OpenStores, "metadata" | "folder" | "isInPlace"> &
    Partial<Pick<OpenStores, "artifacts" | "place" | "projectView">>;
  /** Of the records, where another thread can open them to say that the runner lives; absent for stores in memory. */
  readonly databaseFile?: string;
  readonly row: RunRow;
  /** Number of the execution: 1 for a new run. */
  readonly execution: number;
  readonly prepared: PreparedRun;
  readonly executor: Executor;
  /** Opens workers for what comes after the run, where its own had to be ended. */
  readonly reopen?: () => Promise<RunWorkers>;
  readonly emit: (event: RunEvent) => void;
  readonly signals: RunSignals;
  /** What is to be done when the end of the run is recorded, and before it is told. */
  readonly afterFinish?: (finished: RunRow) => Promise<void>;
}

/**
 * @returns the finished run; a failed or cancelled run is a result, not an error
 * @throws FlowError when the store fails, or another process has taken the run over (FLOW_METADATA_FENCED)
 */
export async function executeRun(execution: RunExecution): Promise<RunRow> {
  const { stores, row, prepared, executor, emit, signals } = execution;
  const { metadata } = stores;
  const context = contextOf(row, prepared);
  const heartbeat = beat(execution);
  const finished = await driveOrFail(execution, {
    ...drivingOf(execution),
    graph: prepared.graph,
    policies: prepared.policies,
    run: context,
    execution: execution.execution,
    metadata,
    executor,
    emit,
    describeError: describeUserError,
    ...settlingOf(stores.artifacts),
    signal: signals.stop,
    endNow: signals.endNow,
  })
    // Checks of tags may take long: until its end is recorded, the run has a runner.
    .finally(() => heartbeat?.stop());
  if (!stores.isInPlace()) throw storeGone(stores, runName(row));
  await runHook({ flowClass: prepared.flowClass, row: finished, context, executor, reopen: execution.reopen, emit });
  await execution.afterFinish?.(finished);
  emit({
    kind: "run.finished",
    at: finished.finishedAt!,
    status: finished.status as RunEnd["status"],
    durationMs: elapsedMs(row.execution.startedAt, finished.finishedAt!),
    record: await runRecord(metadata, finished),
  });
  return finished;
}

/** Records how the run ended, with the tags that it was asked to take. */
async function finish(execution: RunExecution, end: RunEnd): Promise<RunRow> {
  const finishedAt = (execution.clock ?? systemClock).now();
  const tagChecks = await checksOf(execution, end, finishedAt);
  return await execution.stores.metadata.finishRun({ ...end, finishedAt, ...tagChecks });
}

/** What policies ask to be checked of the run, as it is about to be, before it gets the tags that it was asked to take. */
async function checksOf(
  { stores: { metadata, artifacts, projectView }, row }: RunExecution,
  end: RunEnd,
  finishedAt: Date,
): Promise<Pick<FinishRun, "tagChecks">> {
  if (end.status !== "succeeded" || artifacts === undefined) return {};
  if ((await metadata.tagRequests(row.sequence)).length === 0) return {};
  const { checkRequestedTags } = await import("../client/tag-checks.ts"); // All of `flow validate`: most runs need none.
  const { endTask } = end;
  const succeeded: RunRow = { ...row, status: "succeeded", finishedAt, ...(endTask === undefined ? {} : { endTask }) };
  return {
    tagChecks: await checkRequestedTags({ metadata, artifacts, ...(projectView && { projectView }) }, succeeded),
  };
}

/** Says that the runner lives; told that the run is another's now, it ends the workers, and the next commit says why. */
function beat({ databaseFile, row, execution, executor }: RunExecution): Heartbeat | undefined {
  if (databaseFile === undefined) return undefined;
  const onFenced = (): void => void executor.close();
  return startHeartbeat({ databaseFile, run: row.sequence, execution, onFenced });
}

/** Values that wait to be uploaded are, before the records name them. */
function settlingOf(artifacts: OpenStores["artifacts"] | undefined): Pick<RunDriverOptions, "settleBlobs"> {
  const settleBlobs = artifacts?.settle;
  return settleBlobs === undefined ? {} : { settleBlobs };
}

function drivingOf(execution: RunExecution) {
  const { finished, attemptsBefore, finishSiblings, maxRounds, clock, random, shuffle } = execution;
  const { slots, depth, startChild } = execution;
  return {
    ...(finished === undefined ? {} : { finished }),
    ...(attemptsBefore === undefined ? {} : { attemptsBefore }),
    ...(finishSiblings === undefined ? {} : { finishSiblings }),
    ...(maxRounds === undefined ? {} : { maxRounds }),
    ...(slots === undefined ? {} : { slots }),
    ...(depth === undefined ? {} : { depth }),
    ...(startChild === undefined ? {} : { startChild }),
    ...(clock === undefined ? {} : { clock }),
    ...(random === undefined ? {} : { random }),
    ...(shuffle === undefined ? {} : { shuffle }),
  };
}

/**
 * Drives the run to its end; when Millrace or its store fails on the way, the run is recorded as failed where that is still possible.
 * One whose values the store does not take has ended then like any that failed.
 */
async function driveOrFail(execution: RunExecution, options: RunDriverOptions): Promise<RunRow> {
  const { stores, row, executor } = execution;
  try {
    return await finish(execution, await driveRun(options));
  } catch (error) {
    const failed = await failRun(stores.metadata, { run: row.sequence, execution: options.execution }, error);
    if (failed === undefined || !isStoreFault(error)) throw error;
    void executor.close(); // What may run there still leaves nothing that is kept.
    return failed;
  }
}

/** SQLite writes on in a file that somebody has deleted: without this, a run would end well and be nowhere. */
function storeGone(
  { folder, place = folder }: Pick<OpenStores, "folder"> & { readonly place?: string | undefined },
  run: string,
): FlowError {
  return new FlowError("FLOW_CLIENT_STORE_GONE", {
    message: `Cannot keep ${run}: the store in "${place}" was deleted or replaced while it ran`,
    hint: "Restore the store from a copy, or run again",
    context: { folder, run },
  });
}
