/** Metrics as they are recorded and read: numbers that tasks give a name, each perhaps with the step of a training. */
import type { TaskSequence } from "./metadata-store.ts";

/** All values of one name that a task recorded, in their order. Typed arrays, because a task may record 100,000. */
export interface MetricSeries {
  readonly name: string;
  /** Any numbers: NaN and infinite ones are kept as they are. */
  readonly values: Float64Array;
  /** As long as `values`; NaN where a value was given no step. Absent when none was. */
  readonly steps?: Float64Array;
}

/** One recorded value. */
export interface MetricRow {
  readonly task: TaskSequence;
  /** Which of the task's values of this name, from 0. */
  readonly position: number;
  readonly value: number;
  readonly step?: number;
}

/** The last value of a metric in a run: that of its last task, by number, that recorded one. */
export interface RunMetricRow {
  readonly name: string;
  readonly task: TaskSequence;
  readonly value: number;
  readonly step?: number;
}

/** By what a page of runs is ordered instead of by age. Runs without a value, or with NaN, are last, the newest first. */
export interface RunSort {
  readonly by: { readonly metric: string } | { readonly parameter: string };
  readonly order: "descending" | "ascending";
}

/** What the last value of a metric must be. */
export interface MetricCondition {
  readonly metric: string;
  readonly is: "<" | "<=" | ">" | ">=" | "=" | "!=";
  readonly value: number;
}
