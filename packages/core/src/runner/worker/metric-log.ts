import { FlowError } from "../../errors/flow-error.ts";
import type { Log } from "../../flow/log.ts";
import { metricNameProblem } from "../../ids/names.ts";
import type { MetricSeries } from "../../metadata/metric.ts";

/** Values that one task may record. They are kept in memory until it ends, some 16 bytes each. */
export const MOST_VALUES = 1_000_000;
/** Names that one task may record values of: a name for each item of something is a mistake, and would fill every table. */
export const MOST_NAMES = 1_000;

interface Recorded {
  readonly values: number[];
  /** As long as `values` once a step was given; NaN for none. */
  steps?: number[];
}

/** Takes the metrics of one task. */
export class MetricLog implements Log {
  readonly #recorded = new Map<string, Recorded>();
  readonly #task: string;
  #count = 0;
  #isOver = false;

  /** @param task its name, for messages */
  constructor(task: string) {
    this.#task = task;
  }

  metric(name: string, value: number, options: { readonly step?: number } = {}): void {
    if (this.#isOver) {
      throw new FlowError("FLOW_FLOW_NOT_RUNNING", {
        message: `Cannot record the metric ${shown(name)}: the task ${this.#task} has ended`,
        hint: "Await in the step whatever records metrics",
      });
    }
    const step = checkedStep(name, value, options);
    let recorded = this.#recorded.get(name);
    if (recorded === undefined) {
      recorded = this.#begin(name);
      this.#recorded.set(name, recorded);
    }
    if (this.#count === MOST_VALUES)
      throw badMetric(name, `the task has recorded ${MOST_VALUES} values`, "Record every nth value");
    this.#count++;
    if (step !== undefined) recorded.steps ??= recorded.values.map(() => Number.NaN);
    recorded.values.push(value);
    recorded.steps?.push(step ?? Number.NaN);
  }

  /** What was recorded, in the order of the first value of each name; nothing can be recorded any more. */
  end(): readonly MetricSeries[] {
    this.#isOver = true;
    return [...this.#recorded].map(([name, { values, steps }]) => ({
      name,
      values: Float64Array.from(values),
      ...(steps === undefined ? {} : { steps: Float64Array.from(steps) }),
    }));
  }

  #begin(name: string): Recorded {
    const problem = typeof name === "string" ? metricNameProblem(name) : "it is no text";
    if (problem !== undefined) throw badMetric(name, problem, 'Write a name such as "r2", "val/loss" or "recall@5"');
    if (this.#recorded.size === MOST_NAMES) {
      throw badMetric(
        name,
        `the task has recorded ${MOST_NAMES} names`,
        "Record one name with a step, or keep the numbers as an artifact",
      );
    }
    return { values: [] };
  }
}

function checkedStep(name: unknown, value: unknown, options: unknown): number | undefined {
  if (typeof value !== "number")
    throw badMetric(name, `its value is ${shown(value)}, and must be a number`, "Give a number; NaN is one");
  if (typeof options !== "object" || options === null)
    throw badMetric(name, `its options are ${shown(options)}`, 'Write this.log.metric("loss", value, { step: 3 })');
  const { step } = options as { readonly step?: unknown };
  if (step === undefined || (Number.isSafeInteger(step) && (step as number) >= 0)) return step as number | undefined;
  throw badMetric(name, `its step is ${shown(step)}`, "Give a whole number from 0 on, or leave the step out");
}

function badMetric(name: unknown, why: string, hint: string): FlowError {
  return new FlowError("FLOW_RUNNER_BAD_METRIC", {
    message: `Cannot record the metric ${shown(name)}: ${why}`,
    hint,
    context: { metric: typeof name === "string" ? name.slice(0, 200) : typeof name },
  });
}

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 200 ? `${value.slice(0, 200)}…` : value);
  return typeof value === "number" || typeof value === "boolean" || value === undefined || value === null
    ? String(value)
    : `a ${typeof value}`;
}
