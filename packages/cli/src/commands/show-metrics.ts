/** The metrics of a run as `flow show` lists them. */
import type { OpenStores, RunRow } from "@millrace/core/internal";
import { metricText, sparkline } from "../render/metric.ts";
import type { Paint } from "../render/output.ts";
import { renderTable } from "../render/table.ts";
import { plain } from "../render/text.ts";

/** Metrics whose values are all read; of more, the last values are shown. */
const MOST_SERIES = 50;
/** Bars of a series: what is left of the line beside the other columns, mostly some 58 columns wide. */
const MOST_BARS = 32;
const LEAST_BARS = 8;
const OTHER_COLUMNS = 58;

export interface ShownMetric {
  readonly name: string;
  readonly value: number;
  readonly step?: number;
  /** All values; absent for the last of very many metrics. */
  readonly values?: readonly number[];
}

export async function readMetrics({ metadata }: OpenStores, run: RunRow): Promise<readonly ShownMetric[]> {
  const shown: ShownMetric[] = [];
  for (const { name, value, step } of await metadata.runMetrics(run.sequence)) {
    const last = { name, value, ...(step === undefined ? {} : { step }) };
    if (shown.length >= MOST_SERIES) shown.push(last);
    else {
      const rows = await metadata.metricValues({ run: run.sequence, name });
      shown.push({ ...last, values: rows.map((row) => row.value) });
    }
  }
  return shown;
}

export function metricTable(
  metrics: readonly ShownMetric[],
  { isTerminal, ...style }: { readonly paint: Paint; readonly width: number; readonly isTerminal: boolean },
): string {
  if (metrics.length === 0) return "";
  const bars = Math.max(LEAST_BARS, Math.min(MOST_BARS, style.width - OTHER_COLUMNS));
  return renderTable(
    [
      { title: "NAME", shrinkTo: 10 },
      { title: "LAST", align: "right" },
      { title: "STEP", align: "right" },
      { title: "VALUES", align: "right" },
      { title: "LOWEST", align: "right" },
      { title: "HIGHEST", align: "right" },
      { title: "COURSE", shrinkTo: 8 },
    ],
    metrics.map(({ name, value, step, values = [] }) => {
      const isSeries = values.length > 1;
      const numbers = values.filter((each) => !Number.isNaN(each));
      const least = numbers.reduce((low, each) => Math.min(low, each), Number.POSITIVE_INFINITY);
      const most = numbers.reduce((high, each) => Math.max(high, each), Number.NEGATIVE_INFINITY);
      return [
        plain(name),
        metricText(value),
        step === undefined ? "" : String(step),
        isSeries ? String(values.length) : "",
        isSeries && numbers.length > 0 ? metricText(least) : "",
        isSeries && numbers.length > 0 ? metricText(most) : "",
        // A picture of signs that a program would have to skip.
        isSeries && isTerminal ? sparkline(values, bars) : "",
      ];
    }),
    style,
  );
}
