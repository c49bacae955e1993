import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { flowNameOf } from "../client/flow-name.ts";
import { readProcess } from "../config/config.ts";
import { FlowError } from "../errors/flow-error.ts";
import type { RunEvent } from "../events/run-event.ts";
import type { Flow } from "../flow/flow.ts";
import type { FlowClass, Run, RunOptions } from "../flow/public-types.ts";
import { sourceFileOf } from "../flow/source-file.ts";
import { type UpstreamChoice, upstreamRequests } from "../lineage/upstream-choice.ts";
import { selectFlow } from "../package/flow-file.ts";
import type { FlowPackage, PackagedFlow } from "../package/flow-package.ts";
import { preparePackage } from "../package/prepare-package.ts";
import { showOption } from "../util/show-option.ts";
import { clientOf, openDefaultStores, planDefaultStores } from "./default-store.ts";
import { refuseUnfinished } from "./refuse-unfinished.ts";
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
  const { cwd, environment, command } = readProcess();
  const { pack, chosen } = await packageOf(flow);
  const row = await startRun(
    {
      package: pack,
      flow: chosen,
      stores: planDefaultStores(),
      keepsWorkers: o.reuseWorkers === true,
      fields: { flags: {}, values: (o.params ?? {}) as Readonly<Record<string, unknown>> },
      tags: o.tags ?? [],
      ...(o.tagReason === undefined ? {} : { tagReason: o.tagReason }),
      upstreams: upstreamRequests((o.upstreams ?? {}) as Readonly<Record<string, UpstreamChoice | undefined>>),
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

async function packageOf(
  flow: FlowClass | URL | string,
): Promise<{ readonly pack: FlowPackage; readonly chosen: PackagedFlow }> {
  if (typeof flow === "function") {
    const pack = await preparePackage(sourceFileOf(flow));
    const { name } = flowNameOf(flow);
    return { pack, chosen: selectFlow(pack, name) };
  }
  if (typeof flow !== "string" && !(flow instanceof URL))
    throw new FlowError("FLOW_FLOW_NO_SOURCE", {
      message: `Cannot run ${showOption(flow)}: it is no flow`,
      hint: 'Give the class of a flow, or its file: run("./train.ts")',
    });
  const file = flow instanceof URL || flow.startsWith("file:") ? fileURLToPath(flow) : path.resolve(flow);
  const pack = await preparePackage(file);
  return { pack, chosen: selectFlow(pack) };
}
