import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { flowNameOf } from "../client/flow-name.ts";
import { readProcess } from "../config/config.ts";
import { deserializeError, FlowError } from "../errors/flow-error.ts";
import type { RunEvent } from "../events/run-event.ts";
import { isInTask } from "../flow/current.ts";
import type { Flow } from "../flow/flow.ts";
import type { FlowClass, Run, RunOptions } from "../flow/public-types.ts";
import { sourceFileOf } from "../flow/source-file.ts";
import type { UpstreamRequest } from "../lineage/resolve-upstreams.ts";
import { runName } from "../lineage/run-name.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import { selectFlow } from "../package/flow-file.ts";
import type { FlowPackage, PackagedFlow } from "../package/flow-package.ts";
import { preparePackage } from "../package/prepare-package.ts";
import { clientOf, openDefaultStores, planDefaultStores } from "./default-store.ts";
import type { RunSignals } from "./running.ts";
import { startRun } from "./start-run.ts";

/**
 * The work behind `run()`: finds the flow's package, runs it in the default store.
 *
 * @returns what gives the finished run, or throws FLOW_RUN_FAILED or FLOW_RUN_CANCELLED
 */
export async function runFromCode<T extends Flow>(
  flow: FlowClass<T> | URL | string,
  o: RunOptions<T>,
  emit: (event: RunEvent) => void,
  signals: RunSignals,
): Promise<() => Promise<Run<T>>> {
  if (isInTask()) {
    throw new FlowError("FLOW_RUNNER_SUB_FLOW", {
      message: "Cannot run a flow inside a step: that is not supported yet",
      hint: "Run one flow after the other, and let the second read the first with upstream()",
    });
  }
  const { cwd, environment, command } = readProcess();
  const { pack, chosen } = await packageOf(flow);
  const row = await startRun(
    {
      package: pack,
      flow: chosen,
      stores: planDefaultStores(),
      fields: { flags: {}, values: (o.params ?? {}) as Readonly<Record<string, unknown>> },
      tags: o.tags ?? [],
      upstreams: requestsOf((o.upstreams ?? {}) as Readonly<Record<string, UpstreamChoice | undefined>>),
      cwd,
      environment,
      command,
      readFile: (file: string) => readFile(path.resolve(cwd, file)),
    },
    emit,
    signals,
  );
  return async () => {
    refuseUnfinished(row, signals.stop);
    return clientOf(await openDefaultStores(true)).handle<T>(row);
  };
}

export type UpstreamChoice = string | { readonly tags: readonly string[] } | { readonly id: string };

async function packageOf(
  flow: FlowClass | URL | string,
): Promise<{ readonly pack: FlowPackage; readonly chosen: PackagedFlow }> {
  if (typeof flow === "function") {
    const pack = await preparePackage(sourceFileOf(flow));
    const { name } = flowNameOf(flow);
    return { pack, chosen: selectFlow(pack, name) };
  }
  const file = flow instanceof URL || flow.startsWith("file:") ? fileURLToPath(flow) : path.resolve(flow);
  const pack = await preparePackage(file);
  return { pack, chosen: selectFlow(pack) };
}

export function requestsOf(
  choices: Readonly<Record<string, UpstreamChoice | undefined>>,
): Readonly<Record<string, UpstreamRequest>> {
  const requests: Record<string, UpstreamRequest> = {};
  for (const [name, choice] of Object.entries(choices)) {
    if (choice === undefined) continue;
    requests[name] =
      typeof choice === "string" ? { run: choice } : "id" in choice ? { runId: choice.id } : { tags: choice.tags };
  }
  return requests;
}

export function refuseUnfinished(row: RunRow, signal: AbortSignal): void {
  if (row.status === "succeeded") return;
  const context = {
    run: runName(row),
    runId: row.id,
    ...(row.failure?.task === undefined ? {} : { task: row.failure.task }),
  };
  if (row.status === "cancelled")
    throw new FlowError("FLOW_RUN_CANCELLED", {
      message: `${runName(row)} was cancelled`,
      context,
      cause: signal.reason,
    });
  const cause = row.failure === undefined ? undefined : deserializeError(row.failure.error);
  throw new FlowError("FLOW_RUN_FAILED", {
    message: `${runName(row)} failed${row.failure === undefined ? "" : `: ${row.failure.task ?? "the run"}: ${row.failure.error.message}`}`,
    hint: `Look at it with flow logs ${row.failure?.task ?? runName(row)}`,
    context,
    cause,
  });
}
