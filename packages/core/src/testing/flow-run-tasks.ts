import type { RunEvent } from "../events/run-event.ts";
import type { LogChunk, RunRow, TaskRow, TaskSequence } from "../metadata/metadata-store.ts";
import { ValueLoader } from "../runner/worker/value-loader.ts";
import type { MemoryStores } from "../wiring/open-memory-stores.ts";
import type { StepMetrics } from "./step-types.ts";
import { type TaskLog, taskLogs } from "./task-log.ts";

/** A task of a run in memory, of whatever flow. */
interface AnyTask {
  readonly step: string;
  readonly path: string;
  readonly status: TaskRow["status"];
  readonly attempts: number;
  readonly data: Readonly<Record<string, unknown>>;
  readonly metrics: StepMetrics;
  readonly logs: readonly TaskLog[];
}

/** The tasks of a run, each with its newest attempt, in the order in which they first started. */
export async function flowRunTasks(
  stores: MemoryStores,
  run: RunRow,
  events: readonly RunEvent[],
): Promise<readonly AnyTask[]> {
  const newest = new Map<string, TaskRow>();
  const attempts = new Map<string, number>();
  for await (const task of allTasks(stores, run)) {
    const key = `${task.step}/${task.path}`;
    attempts.set(key, (attempts.get(key) ?? 0) + 1);
    if (task.attempt >= (newest.get(key)?.attempt ?? 0)) newest.set(key, task);
  }
  const loader = new ValueLoader(stores.artifacts, (digest) => stores.reader.blob(digest));
  const output = outputOf(events);
  const metrics = await metricsOf(stores, run);
  return [...newest].map(([key, { sequence, step, path, status }]) => {
    let data: Readonly<Record<string, unknown>> | undefined;
    return {
      step,
      path,
      status,
      attempts: attempts.get(key)!,
      get data() {
        data ??= Object.fromEntries(
          stores.reader.visibleArtifacts(sequence).map((row) => [row.name, loader.load(row, `the task "${key}"`)]),
        );
        return data;
      },
      metrics: metrics.get(sequence) ?? {},
      logs: taskLogs(output.get(key) ?? []),
    };
  });
}

/** What each task recorded. */
async function metricsOf({ metadata }: MemoryStores, run: RunRow): Promise<ReadonlyMap<TaskSequence, StepMetrics>> {
  const found = new Map<TaskSequence, Record<string, { readonly value: number; readonly step?: number }[]>>();
  for (const { name } of await metadata.runMetrics(run.sequence)) {
    for (const { task, value, step } of await metadata.metricValues({ run: run.sequence, name })) {
      const ofTask = found.get(task) ?? {};
      found.set(task, ofTask);
      const values = ofTask[name] ?? [];
      ofTask[name] = values;
      values.push(step === undefined ? { value } : { value, step });
    }
  }
  return found;
}

const PAGE = 500;

async function* allTasks({ metadata }: MemoryStores, run: RunRow): AsyncGenerator<TaskRow> {
  let after: TaskSequence | undefined;
  for (;;) {
    const page = await metadata.tasks({ run: run.sequence, limit: PAGE, ...(after === undefined ? {} : { after }) });
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1)!.sequence;
  }
}

/** What was written, by step and path. */
function outputOf(events: readonly RunEvent[]): ReadonlyMap<string, readonly Pick<LogChunk, "stream" | "text">[]> {
  const output = new Map<string, Pick<LogChunk, "stream" | "text">[]>();
  for (const event of events) {
    if (event.kind !== "task.output") continue;
    const key = `${event.step}/${event.path}`;
    const chunks = output.get(key);
    if (chunks === undefined) output.set(key, [event]);
    else chunks.push(event);
  }
  return output;
}
