import { type Config, resolveConfig } from "../config/config.ts";
import { readProcessIdentity } from "../config/process-identity.ts";
import type { RunEvent } from "../events/run-event.ts";
import { runName } from "../lineage/run-name.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import { prepareRun } from "./prepare-run.ts";
import { attemptsBefore, finishedTasks } from "./recorded-tasks.ts";
import type { RunSignals } from "./running.ts";
import { executeWithin, optionsOf, type StartRunRequest, workersOf } from "./start-run.ts";

/**
 * Goes on with a run that has stopped: as the same run, under a new execution, with the code and values that it has. What
 * is finished is not run again.
 *
 * @throws FlowError FLOW_METADATA_RUN_ALIVE, FLOW_METADATA_RUN_FINAL, and what refuses a run before it begins
 */
export async function continueRun(
  request: StartRunRequest & { readonly within: NonNullable<StartRunRequest["within"]> },
  row: RunRow,
  emit: (event: RunEvent) => void,
  signals: RunSignals,
): Promise<RunRow> {
  const config: Config = resolveConfig({ cwd: request.cwd, environment: request.environment });
  const workers = workersOf(request);
  workers.catch(() => {}); // Awaited later, unless the run is refused before.
  try {
    const prepared = await prepareRun(request);
    const stores = await request.stores.open();
    const { metadata } = stores;
    const { executor } = await workers;
    const at = new Date();
    const execution = await metadata.beginExecution({
      run: row.sequence,
      at,
      runner: readProcessIdentity(),
      actor: config.actor,
      command: request.within.environment.command,
      packageDigest: request.package.digest,
      options: optionsOf(request),
    });
    const columns = await metadata.finishedTasks(row.sequence);
    const current = (await metadata.run(row.sequence))!;
    emit({ kind: "run.resumed", at, run: runName(row), runId: row.id, adopted: columns.count, execution });
    return await executeWithin(request, {
      stores,
      row: current,
      prepared,
      executor,
      emit,
      signals,
      environment: request.within.environment,
      finished: finishedTasks(columns),
      attemptsBefore: attemptsBefore(columns),
    });
  } finally {
    await workers.then(
      (opened) => opened.release(),
      () => {},
    );
  }
}
