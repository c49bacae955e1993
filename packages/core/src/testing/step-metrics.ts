import type { MetricSeries } from "../metadata/metric.ts";
import type { StepMetrics } from "./step-types.ts";

/** What a task recorded, as a test compares it. */
export function stepMetrics(series: readonly MetricSeries[]): StepMetrics {
  return Object.fromEntries(
    series.map(({ name, values, steps }) => [
      name,
      [...values].map((value, at) => {
        const step = steps?.[at];
        return step === undefined || Number.isNaN(step) ? { value } : { value, step };
      }),
    ]),
  );
}
