import { runName } from "../../lineage/run-name.ts";
import { canonicalJson } from "../../metadata/canonical-json.ts";
import type { MetadataReader, RunQuery, RunRow } from "../../metadata/metadata-store.ts";
import type { MetricCondition } from "../../metadata/metric.ts";
import { lastMetrics } from "../metrics.ts";
import type { CheckSink } from "./report.ts";

/** What is asked of a run: conditions on its metrics, and values of its parameters (encoded, as they are recorded). */
export type Required = Pick<RunQuery, "metrics" | "parameters">;

/** V13: its metrics are as good as they must be. V14: it ran with the parameters that it must have, such as no test settings. */
export async function checkRequired(
  metadata: MetadataReader,
  run: RunRow,
  { metrics = [], parameters = {} }: Required,
  sink: CheckSink,
): Promise<void> {
  const name = runName(run);
  const values = metrics.length === 0 ? {} : await lastMetrics(metadata, run);
  for (const condition of metrics) {
    const { metric, is, value: limit } = condition;
    const value = values[metric];
    const asked = `it must be ${is === "=" ? "" : `${is} `}${limit}`;
    if (value === undefined) sink.add("V13", "fail", `${name} recorded no metric "${metric}", ${asked}`);
    else sink.add("V13", holds(value, condition) ? "pass" : "fail", `"${metric}" of ${name} is ${value}, ${asked}`);
  }
  for (const [parameter, wanted] of Object.entries(parameters)) {
    const found = run.parameters[parameter];
    const isSame = found !== undefined && canonicalJson(found) === canonicalJson(wanted);
    const is = found === undefined ? "is none that it has" : `is ${JSON.stringify(found)}`;
    sink.add(
      "V14",
      isSame ? "pass" : "fail",
      `--${parameter} of ${name} ${is}${isSame ? "" : `, it must be ${JSON.stringify(wanted)}`}`,
    );
  }
}

function holds(value: number, { is, value: limit }: MetricCondition): boolean {
  switch (is) {
    case "<":
      return value < limit;
    case "<=":
      return value <= limit;
    case ">":
      return value > limit;
    case ">=":
      return value >= limit;
    case "=":
      return value === limit;
    case "!=":
      return value !== limit;
  }
}
