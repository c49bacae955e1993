import { FlowError } from "../errors/flow-error.ts";
import type { TaskPath } from "../ids/task-path.ts";
import { runName } from "../lineage/run-name.ts";
import type { MetadataReader, RunRow, TaskRow, TaskSequence } from "../metadata/metadata-store.ts";
import { nearestName } from "../util/nearest-name.ts";

/** Which tasks of a run. */
export interface TaskFilter {
  readonly step?: string;
  readonly path?: TaskPath;
}

const PAGE = 500;

/** The tasks of a run in the order of their start, page by page: every attempt is one of them, or the newest of each. */
export async function* listTasks(
  metadata: MetadataReader,
  run: RunRow,
  query: TaskFilter & { readonly newest?: boolean } = {},
): AsyncGenerator<TaskRow> {
  let after: TaskSequence | undefined;
  while (true) {
    const key = after === undefined ? {} : { after };
    const newest = query.newest === undefined ? {} : { newest: query.newest };
    const page = await metadata.tasks({ ...taskFilter(run, query), ...newest, limit: PAGE, ...key });
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1)!.sequence;
  }
}

/**
 * Every attempt of the tasks of a run: task by task in the order of their start, of each the first attempt first. Retries
 * are rows of their own, far behind; where there are any they are collected before, and only they are held in memory.
 */
export async function* listAttempts(
  metadata: MetadataReader,
  run: RunRow,
  query: TaskFilter = {},
): AsyncGenerator<TaskRow> {
  const counts = await metadata.taskCounts(run.sequence);
  if (query.path !== undefined || counts.every(({ count, attempts }) => count === attempts)) {
    yield* listTasks(metadata, run, query);
    return;
  }
  const retried = new Map<string, TaskRow[]>();
  for await (const task of listTasks(metadata, run, query)) {
    if (task.attempt <= 1) continue;
    const known = retried.get(keyOf(task));
    if (known === undefined) retried.set(keyOf(task), [task]);
    else known.push(task);
  }
  const given = new Set<TaskSequence>();
  for await (const task of listTasks(metadata, run, query)) {
    if (given.has(task.sequence)) continue;
    const others = retried.get(keyOf(task)) ?? [];
    const attempts = [task, ...others.filter(({ sequence }) => sequence !== task.sequence)];
    for (const { sequence } of others) given.add(sequence);
    yield* attempts.sort((left, right) => left.attempt - right.attempt);
  }
}

/** The error for a step or task that a run does not have. */
export async function noTask(metadata: MetadataReader, run: RunRow, step: string, path?: TaskPath): Promise<FlowError> {
  const steps = [...new Set((await metadata.taskCounts(run.sequence)).map((entry) => entry.step))];
  const hasStep = steps.includes(step);
  const near = hasStep ? undefined : nearestName(step, steps);
  const list = steps.length === 0 ? "The run has no tasks yet" : `Its steps are ${steps.join(", ")}`;
  return new FlowError("FLOW_CLIENT_NO_TASK", {
    message: hasStep
      ? `Cannot find the task "${path ?? ""}" of step "${step}" in ${runName(run)}`
      : `Cannot find a task of step "${step}" in ${runName(run)}`,
    hint: hasStep
      ? `List them with flow show ${runName(run)}/${step}`
      : near === undefined
        ? list
        : `Did you mean "${near}"?`,
    context: { run: run.id, step, ...(path === undefined ? {} : { path }) },
  });
}

/** A query for them. */
export function taskFilter(run: RunRow, { step, path }: TaskFilter) {
  return {
    run: run.sequence,
    ...(step === undefined ? {} : { step }),
    ...(path === undefined ? {} : { path }),
  };
}

function keyOf({ step, path }: TaskRow): string {
  return `${step}/${path}`;
}
