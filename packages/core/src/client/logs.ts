import { FlowError } from "../errors/flow-error.ts";
import type { TaskPath } from "../ids/task-path.ts";
import { runName } from "../lineage/run-name.ts";
import type { MetadataReader, RunRow, TaskRow, TaskSequence } from "../metadata/metadata-store.ts";
import { nearestName } from "../util/nearest-name.ts";
import { taskName } from "./task-name.ts";

/** A piece of what a task wrote, with where it came from. */
export interface LogEntry {
  /** `Train/17/evaluate/3`. */
  readonly task: string;
  readonly attempt: number;
  readonly stream: "stdout" | "stderr";
  readonly at: Date;
  readonly text: string;
}

export interface LogQuery {
  readonly step?: string;
  readonly path?: TaskPath;
  readonly stream?: "stdout" | "stderr";
  readonly attempt?: number;
}

const PAGE = 500;

/**
 * What the tasks of a run wrote: task by task in the order in which they were started, each in the order of writing.
 *
 * @throws FlowError FLOW_CLIENT_NO_TASK when the query names a step or task that the run does not have
 */
export async function* readLogs(metadata: MetadataReader, run: RunRow, query: LogQuery = {}): AsyncGenerator<LogEntry> {
  let hasTask = false;
  for await (const task of listTasks(metadata, run, query)) {
    hasTask = true;
    const filter = {
      ...(query.attempt === undefined ? {} : { attempt: query.attempt }),
      ...(query.stream === undefined ? {} : { stream: query.stream }),
    };
    for (const chunk of await metadata.logs({ task: task.sequence, ...filter })) {
      yield { task: taskName(run, task), attempt: chunk.attempt, stream: chunk.stream, at: chunk.at, text: chunk.text };
    }
  }
  if (!hasTask && query.step !== undefined) throw await noTask(metadata, run, query.step, query.path);
}

/** The tasks of a run in the order of their start, page by page: all attempts, or the newest of each. */
export async function* listTasks(
  metadata: MetadataReader,
  run: RunRow,
  query: { readonly step?: string; readonly path?: TaskPath; readonly newest?: boolean } = {},
): AsyncGenerator<TaskRow> {
  const filter = {
    ...(query.step === undefined ? {} : { step: query.step }),
    ...(query.path === undefined ? {} : { path: query.path }),
    ...(query.newest === undefined ? {} : { newest: query.newest }),
  };
  let after: TaskSequence | undefined;
  while (true) {
    const page = await metadata.tasks({
      run: run.sequence,
      ...filter,
      limit: PAGE,
      ...(after === undefined ? {} : { after }),
    });
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1)!.sequence;
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
