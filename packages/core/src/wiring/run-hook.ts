import type { RunEvent } from "../events/run-event.ts";
import type { Flow } from "../flow/flow.ts";
import type { FlowClass } from "../flow/public-types.ts";
import { runName } from "../lineage/run-name.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import { type Executor, ExecutorLostError } from "../runner/executor.ts";
import type { HookName, RunContext } from "../runner/protocol.ts";
import { formatDuration } from "../util/duration.ts";
import type { RunWorkers } from "./executor-shelf.ts";

/** How long a hook may take. What it announces matters less than that the run ends. */
const LIMIT_MS = 60_000;

const NO_STEP = { name: "", isJoin: false, sources: [] };

/**
 * Calls the flow's hook for the end of a run, in a worker, after that end is recorded. What goes wrong in it is a warning:
 * it cannot change how the run ended.
 */
export async function runHook(ended: {
  readonly flowClass: FlowClass<Flow>;
  readonly row: RunRow;
  readonly context: RunContext;
  readonly executor: Executor;
  /** Opens workers anew, where those of the run may have been ended: a step did not stop in time. */
  readonly reopen?: (() => Promise<RunWorkers>) | undefined;
  readonly emit: (event: RunEvent) => void;
}): Promise<void> {
  const { flowClass, row, context, emit } = ended;
  const hook = hookFor(row);
  if (hook === undefined || typeof (flowClass as { readonly [Name in HookName]?: unknown })[hook] !== "function")
    return;
  const batch = { run: context, step: NO_STEP, tasks: [], hook };
  let submission = ended.executor.submit(batch);
  let isTimedOut = false;
  const timer = setTimeout(() => {
    isTimedOut = true;
    submission.end();
  }, LIMIT_MS);
  let fresh: RunWorkers | undefined;
  try {
    await submission.results.catch(async (error: unknown) => {
      const isClosed = error instanceof ExecutorLostError && error.why.kind === "ended";
      if (!isClosed || isTimedOut || ended.reopen === undefined) throw error;
      fresh = await ended.reopen();
      submission = fresh.executor.submit(batch);
      if (isTimedOut) submission.end();
      await submission.results;
    });
  } catch (error) {
    const why = isTimedOut ? `it took longer than ${formatDuration(LIMIT_MS)}` : (error as Error).message;
    emit({
      kind: "run.warning",
      at: new Date(),
      code: "FLOW_RUNNER_HOOK_FAILED",
      message: `${runName(row)} has ended, but its ${hook} failed: ${why}`,
      hint: "The run's end stands; mend the hook",
    });
  } finally {
    clearTimeout(timer);
    await fresh?.release();
  }
}

function hookFor(row: RunRow): HookName | undefined {
  if (row.status === "succeeded") return "onSuccess";
  return row.status === "failed" ? "onError" : undefined;
}
