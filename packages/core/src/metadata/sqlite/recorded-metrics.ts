/** The metrics of tasks as their records have them, under the digests that go into those of the tasks. */
import { type MetricFacts, metricFacts } from "../record-digest.ts";
import type { Connection } from "./connection.ts";
import { prepared } from "./prepared.ts";

/** Of each run the names of its metrics are sought one after the other: a task's values are then one range each. */
const metricsOf = (run: number | undefined) => `
  WITH RECURSIVE owner (run) AS (
    ${run === undefined ? "SELECT DISTINCT run FROM task WHERE sequence > :after AND sequence <= :upTo" : "SELECT :run"}
  ), series (run, name) AS (
    SELECT run, (SELECT min(name) FROM metric WHERE metric.run = owner.run) FROM owner
    UNION ALL
    SELECT run, (SELECT min(name) FROM metric WHERE metric.run = series.run AND metric.name > series.name)
    FROM series WHERE name IS NOT NULL
  )
  SELECT metric.task, metric.name, metric.value, metric.step
  FROM series CROSS JOIN metric ON metric.run = series.run AND metric.name = series.name
    AND metric.task > :after AND metric.task <= :upTo
  ORDER BY metric.task, metric.name, metric.position`;

/** The metrics of tasks in a window of numbers, perhaps of one run alone. */
export function metricsOfTasks(
  db: Connection,
  window: { readonly after: number; readonly upTo: number; readonly run?: number },
): ReadonlyMap<number, readonly MetricFacts[]> {
  const facts = new Map<number, MetricFacts[]>();
  const rows = prepared(db, metricsOf(window.run)).raw().iterate(window) as Iterable<MetricValue>;
  let open:
    | { readonly task: number; readonly name: string; readonly values: number[]; readonly steps: number[] }
    | undefined;
  const close = (): void => {
    if (open === undefined) return;
    const made = metricFacts(open.name, Float64Array.from(open.values), Float64Array.from(open.steps));
    const known = facts.get(open.task);
    if (known === undefined) facts.set(open.task, [made]);
    else known.push(made);
  };
  for (const [task, name, value, step] of rows) {
    if (open?.task !== task || open.name !== name) {
      close();
      open = { task, name, values: [], steps: [] };
    }
    open.values.push(value ?? Number.NaN);
    open.steps.push(step ?? Number.NaN);
  }
  close();
  return facts;
}

type MetricValue = readonly [task: number, name: string, value: number | null, step: number | null];
