/** Reading metrics, and runs in their order. All functions expect to stand inside a transaction. */
import type { Liveness } from "../liveness.ts";
import type { MetricQuery, RunQuery, RunRow, TaskSequence } from "../metadata-store.ts";
import type { MetricRow, RunMetricRow, RunSort } from "../metric.ts";
import { metricPage, metricsOfRun } from "../sql/metrics.ts";
import { runsByMetric, runsByParameter, runsWithoutMetric } from "../sql/sorted-runs.ts";
import { checkedLimit, MAX_LIMIT, type RunFilter, runFilters, storedAs, withTags } from "./run-reads.ts";
import type { Statements } from "./statements.ts";

export function readRunMetrics(statements: Statements, run: number): readonly RunMetricRow[] {
  return statements.all(metricsOfRun, { run }).map(({ name, ...row }) => ({ name, ...toValue(row) }));
}

export function readMetricValues(
  statements: Statements,
  { run, name, task, after, limit }: MetricQuery,
): readonly MetricRow[] {
  const shape = { task: task !== undefined, after: after !== undefined, limit: limit !== undefined };
  const page = statements.shaped(`metric ${JSON.stringify(shape)}`, () => metricPage(shape));
  const args = { run, name, task: task ?? 0, limit: limit ?? 0 };
  return statements
    .all(page, { ...args, afterTask: after?.task ?? 0, afterPosition: after?.position ?? 0 })
    .map((row) => ({ position: row.position, ...toValue(row) }));
}

function toValue({
  task,
  step,
  value,
}: {
  readonly task: number;
  readonly step: number | null;
  readonly value: number | null;
}): { readonly task: TaskSequence; readonly value: number; readonly step?: number } {
  return { task: task as TaskSequence, value: value ?? Number.NaN, ...(step === null ? {} : { step }) };
}

type SortValue = number | string | null;
interface Sorted {
  readonly value: SortValue;
  readonly run: RunRow;
}

/** Runs in the order of a metric or a parameter; of those that are shown as running or lost, among the first 1,000. */
export function readSortedRuns(
  statements: Statements,
  query: RunQuery,
  sort: RunSort,
  here: Liveness | undefined,
): readonly RunRow[] {
  const limit = checkedLimit(query);
  const { before: _, ...rest } = query;
  const found: Sorted[] = [];
  const all = storedAs(rest, here).map((stored) => ({
    stored,
    filters: runFilters(statements, { ...rest, ...stored }),
  }));
  for (const { stored, filters } of all) {
    for (const filter of filters) {
      const { judged } = stored;
      for (const row of pageOf(statements, filter, sort, judged === undefined ? limit : MAX_LIMIT)) {
        const { sort_value: value, ...record } = row;
        const run = withTags(statements, record, here);
        if (judged === undefined || run.status === judged) found.push({ value, run });
      }
    }
  }
  // One list is in order already; several are merged: flows of one name, or the two ways in which runs are lost.
  if (all.length > 1 || all[0]!.filters.length > 1) found.sort((left, right) => compare(left, right, sort));
  return found.slice(0, limit).map(({ run }) => run);
}

function pageOf(statements: Statements, { shape, args }: RunFilter, { by, order }: RunSort, limit: number) {
  const key = `${order} ${JSON.stringify(shape)}`;
  if ("parameter" in by) {
    const sort = `$.${JSON.stringify(by.parameter)}`;
    const sorted = statements.shaped(`by parameter ${key}`, () => runsByParameter(shape, order));
    return statements.all(sorted, { ...args, sort, limit });
  }
  const sort = by.metric;
  const sorted = statements.shaped(`by metric ${key}`, () => runsByMetric(shape, order));
  const rows = statements.all(sorted, { ...args, sort, limit });
  if (rows.length >= limit) return rows;
  const others = statements.shaped(`without metric ${key}`, () => runsWithoutMetric(shape));
  return [...rows, ...statements.all(others, { ...args, sort, limit: limit - rows.length })];
}

function compare(left: Sorted, right: Sorted, { order }: RunSort): number {
  if (left.value !== right.value) {
    if (left.value === null) return 1;
    if (right.value === null) return -1;
    const isLess = typeof left.value === typeof right.value ? left.value < right.value : typeof left.value === "number";
    return isLess === (order === "ascending") ? -1 : 1;
  }
  return right.run.sequence - left.run.sequence;
}
