/** Writing metrics, inside the caller's transaction: values as rows, and of each name the last one beside its run. */
import type { Statement } from "better-sqlite3";
import type { MetricSeries } from "../metric.ts";
import { copyMetric, insertMetric, insertRunMetric, lastOfTask, metricsOfRun } from "../sql/metrics.ts";
import type { Statements } from "./statements.ts";

export class MetricWriter {
  readonly #statements: Statements;
  readonly #insert: Statement<unknown[], unknown>;

  constructor(statements: Statements) {
    this.#statements = statements;
    this.#insert = statements.raw(insertMetric, ["run", "name", "task", "position", "step", "value"]);
  }

  /** @param first position of the first value; the rest of a series may come later */
  write(run: number, task: number, { name, values, steps }: MetricSeries, first = 0): void {
    const last = values.length - 1;
    if (last < 0) return;
    for (let at = 0; at <= last; at++) this.#insert.run(run, name, task, first + at, stepAt(steps, at), values[at]);
    this.#noteLast(run, task, { name, step: stepAt(steps, last), value: stored(values[last]!) });
  }

  /** Gives a task what another one recorded. */
  copy(run: number, task: number, fromRun: number, from: number): void {
    const statements = this.#statements;
    for (const { name } of statements.all(metricsOfRun, { run: fromRun })) {
      if (statements.run(copyMetric, { run, task, fromRun, from, name }) === 0) continue;
      this.#noteLast(run, task, { name, ...statements.get(lastOfTask, { run, name, task })! });
    }
  }

  #noteLast(
    run: number,
    task: number,
    last: { readonly name: string; readonly step: number | null; readonly value: number | null },
  ): void {
    this.#statements.run(insertRunMetric, { run, task, ...last });
  }
}

function stepAt(steps: Float64Array | undefined, at: number): number | null {
  const step = steps?.[at];
  return step === undefined || Number.isNaN(step) ? null : step;
}

/** SQLite has no NaN: it stores null in its place. */
function stored(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

/** The last value of each name, worked out of the values of one run, which has none of these rows yet. */
export const DERIVE_RUN_METRICS = `
  INSERT INTO run_metric (run, name, flow, task, step, value)
  SELECT last.run, last.name, run.flow, last.task, last.step, last.value
  FROM (
    SELECT run, name, task, step, value, row_number() OVER (PARTITION BY name ORDER BY task DESC, position DESC) AS place
    FROM metric WHERE run = ?
  ) AS last JOIN run ON run.sequence = last.run
  WHERE last.place = 1`;
