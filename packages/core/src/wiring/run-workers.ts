/** Workers of a run, from what it is asked to run. Loads little: threads start while everything else is still loaded. */
import { availableParallelism } from "node:os";
import type { FlowDefinition } from "../flow/definition.ts";
import type { Executor } from "../runner/executor.ts";
import type { RunWorkers } from "./executor-shelf.ts";
import { openExecutor } from "./open-executor.ts";
import type { StartRunRequest } from "./start-run.ts";

/**
 * Starts the workers early: they load the flow while the main thread checks what may refuse the run. Inside a step, those
 * of an earlier run of the same flow are taken, and new ones start when they are needed.
 */
export async function workersOf(
  request: Pick<StartRunRequest, "package" | "flow" | "stores" | "cwd" | "maxWorkers" | "environment" | "within">,
): Promise<RunWorkers> {
  const { folder, root, manifest } = request.package;
  const { flow, stores, cwd, within } = request;
  const open = (): Promise<Executor> =>
    openExecutor({
      worker: { package: { folder, root, manifest }, exportName: flow.exportName, store: stores.location, cwd },
      slots: within?.family.slots.capacity ?? request.maxWorkers ?? Math.max(2, availableParallelism()),
      environment: request.environment,
      hidden: secretSources(flow.definition),
      eager: within === undefined ? widthOf(flow.definition) : 0,
    });
  if (within !== undefined)
    return await within.family.executors.take(JSON.stringify([folder, root, flow.exportName]), open);
  const executor = await open();
  return { executor, release: () => executor.close() };
}

/**
 * How many tasks can run at once at most: a worker that no task can need would only take time from the others. What a step
 * asks for by a placement of its own is counted as well, which does no harm.
 */
function widthOf({ steps }: FlowDefinition): number {
  if (steps.some((step) => step.foreach !== undefined)) return Number.POSITIVE_INFINITY;
  const splits = steps.filter(({ kind }) => kind !== "choose");
  return splits.reduce((width, { next }) => width + Math.max(0, next.length - 1), 1);
}

/** Variables of the runner that steps take secrets from: no other step is to find them in its environment. */
function secretSources({ steps }: FlowDefinition): readonly string[] {
  return steps.flatMap(({ behaviour: { secrets = {} } }) =>
    Object.values(secrets).flatMap((source) => ("env" in source ? [source.env] : [])),
  );
}
