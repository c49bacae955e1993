/** Workers of a run, from what it is asked to run. Loads little: threads start while everything else is still loaded. */
import { hash } from "node:crypto";
import { availableParallelism } from "node:os";
import type { FlowDefinition, StepDefinition } from "../flow/definition.ts";
import type { Executor } from "../runner/executor.ts";
import { ExecutorShelf, type RunWorkers } from "./executor-shelf.ts";
import { openExecutor } from "./open-executor.ts";
import type { StartRunRequest } from "./start-run.ts";

/** For how long a program keeps the workers of its last runs: between two runs of a test, of a loop, of a busy server. */
const KEPT_MS = 10_000;
const kept = new ExecutorShelf({ most: 2, anewForMs: KEPT_MS });

/**
 * Starts the workers early: they load the flow while the main thread checks what may refuse the run. Inside a step, and where
 * the program that starts runs goes on, those of an earlier run of the same flow are taken.
 *
 * @param from  the step that a run goes on from
 */
export async function workersOf(
  request: Pick<
    StartRunRequest,
    "package" | "flow" | "stores" | "cwd" | "maxWorkers" | "environment" | "within" | "keepsWorkers"
  >,
  from?: string,
): Promise<RunWorkers> {
  const { folder, root, manifest } = request.package;
  const { flow, stores, cwd, within, environment } = request;
  // What a thread has opened of a bucket is the main thread's to close.
  const isKept = request.keepsWorkers === true && within === undefined && stores.location.bucket === undefined;
  const slots = within?.family.slots.capacity ?? request.maxWorkers ?? Math.max(2, availableParallelism());
  const open = (): Promise<Executor> =>
    openExecutor({
      worker: {
        package: { folder, root, manifest },
        exportName: flow.exportName,
        hasSchemas: hasSchemas(flow.definition),
        store: stores.location,
        ...(isKept ? { isKept } : {}),
        cwd,
      },
      slots,
      environment,
      hidden: secretSources(flow.definition),
      eager: within === undefined ? widthOf(flow.definition.steps, from) : 0,
    });
  const code = [folder, root, flow.exportName];
  if (within !== undefined) return await within.family.executors.take(JSON.stringify(code), open);
  // Hashed, so that no secret of the environment is kept in yet another place.
  if (isKept)
    return await kept.take(hash("sha256", JSON.stringify([code, stores.location, cwd, slots, environment])), open);
  const executor = await open();
  return { executor, release: () => executor.close() };
}

/**
 * How many tasks can run at once at most: a worker that no task can need would only take time from the others. What a step
 * asks for by a placement of its own is counted as well, which does no harm.
 *
 * @param from  where a run goes on that has done all before this step
 */
export function widthOf(steps: readonly StepDefinition[], from?: string): number {
  const left = from === undefined ? steps : stepsFrom(steps, from);
  if (left.some((step) => step.foreach !== undefined)) return Number.POSITIVE_INFINITY;
  const splits = left.filter(({ kind }) => kind !== "choose");
  return splits.reduce((width, { next }) => width + Math.max(0, next.length - 1), 1);
}

/** A step and all that comes after it; all steps when others may run beside it. */
function stepsFrom(steps: readonly StepDefinition[], from: string): readonly StepDefinition[] {
  if (splitsOpenAt(steps, from) !== 0) return steps;
  const after = new Set([from]);
  for (const name of after) for (const to of steps.find((step) => step.name === name)?.next ?? []) after.add(to);
  return steps.filter(({ name }) => after.has(name));
}

/** How many foreaches and branches have begun before a step and are not joined; undefined for a step that is not reached. */
function splitsOpenAt(steps: readonly StepDefinition[], from: string): number | undefined {
  const open = new Map([["start", 0]]);
  for (const [name, count] of open) {
    const step = steps.find((each) => each.name === name);
    if (step === undefined) continue;
    const opens = step.foreach !== undefined || (step.kind !== "choose" && step.next.length > 1) ? 1 : 0;
    for (const to of step.next) {
      const joins = steps.some((each) => each.name === to && each.isJoin) ? 1 : 0;
      if (!open.has(to)) open.set(to, count + opens - joins);
    }
  }
  return open.get(from);
}

function hasSchemas({ params, configs, schemas }: FlowDefinition): boolean {
  return params.length > 0 || configs.length > 0 || schemas !== undefined;
}

/** Variables of the runner that steps take secrets from: no other step is to find them in its environment. */
function secretSources({ steps }: FlowDefinition): readonly string[] {
  return steps.flatMap(({ behaviour: { secrets = {} } }) =>
    Object.values(secrets).flatMap((source) => ("env" in source ? [source.env] : [])),
  );
}
