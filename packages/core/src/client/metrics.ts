/** Metrics of a run, as programs read them. */
import type { MetricValue } from "../flow/public-types.ts";
import type { MetadataReader, RunRow, TaskSequence } from "../metadata/metadata-store.ts";
import { taskName } from "./task-name.ts";

/** The last value of each metric, by name; an object without prototype, since a metric may be called `constructor`. */
export async function lastMetrics(
  metadata: Pick<MetadataReader, "runMetrics">,
  run: Pick<RunRow, "sequence">,
): Promise<Readonly<Record<string, number>>> {
  const values = Object.create(null) as Record<string, number>;
  for (const { name, value } of await metadata.runMetrics(run.sequence)) values[name] = value;
  return values;
}

/** All values of a metric, with the names of their tasks. */
export async function metricValues(
  metadata: Pick<MetadataReader, "metricValues" | "task">,
  run: RunRow,
  name: string,
): Promise<readonly MetricValue[]> {
  const names = new Map<TaskSequence, string>();
  const values: MetricValue[] = [];
  for (const { task, value, step } of await metadata.metricValues({ run: run.sequence, name })) {
    let owner = names.get(task);
    if (owner === undefined) {
      owner = taskName(run, (await metadata.task(task))!);
      names.set(task, owner);
    }
    values.push({ value, ...(step === undefined ? {} : { step }), task: owner });
  }
  return values;
}
