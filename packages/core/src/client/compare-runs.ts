import type { MetricRecord, RunRecord } from "../events/run-record.ts";
import type { MetadataReader, RunRow } from "../metadata/metadata-store.ts";
import { runRecord } from "./run-record.ts";

/** Runs side by side. Lists of values are in the order of the runs; undefined where a run has none. */
export interface RunComparison {
  readonly runs: readonly Pick<RunRecord, "run" | "id" | "status" | "createdAt" | "durationMs" | "tags">[];
  readonly parameters: readonly ComparedFact[];
  readonly metrics: readonly ComparedMetric[];
  /** The runs that they read from, by upstream. */
  readonly upstreams: readonly ComparedFact[];
  /** Code package and git commit. */
  readonly code: readonly ComparedFact[];
}

export interface ComparedFact {
  readonly name: string;
  readonly values: readonly unknown[];
  /** Whether all runs have the same. */
  readonly isSame: boolean;
}

export interface ComparedMetric {
  readonly name: string;
  readonly values: readonly (MetricRecord["value"] | undefined)[];
  /** Which values count as good. */
  readonly better: "higher" | "lower";
  /** Places of the runs with the best value; empty where they are all the same, or fewer than two have a number. */
  readonly best: readonly number[];
}

/** Words in the names of metrics of which less is better, as a part of its own: `val/loss`, `rmse`, `error_rate`. */
const LOWER = new Set(
  [
    "loss",
    "logloss",
    "error",
    "errors",
    "err",
    "mae",
    "mse",
    "rmse",
    "rmsle",
    "mape",
    "smape",
    "mad",
    "deviance",
  ].concat(
    ["perplexity", "ppl", "wer", "cer", "brier", "bic", "aic", "regret", "residual", "distance", "divergence"],
    ["latency", "duration", "seconds", "ms", "cost", "memory", "bytes"],
  ),
);

/** Whether less of a metric is better, as far as its name tells: one of its parts is a loss, an error, a time or a cost. */
export function isLowerBetter(name: string): boolean {
  const parts = name.replaceAll(/(\p{Ll})(\p{Lu})/gu, "$1_$2").toLowerCase();
  return parts.split(/[^\p{L}]+/u).some((part) => LOWER.has(part));
}

/**
 * Puts runs side by side: parameters, metrics (their last values), what they read, code.
 *
 * @param options.lower  metrics of which less is better; by default those whose names say so
 * @param options.higher  metrics of which more is better
 */
export async function compareRuns(
  metadata: MetadataReader,
  runs: readonly RunRow[],
  options: { readonly lower?: readonly string[]; readonly higher?: readonly string[] } = {},
): Promise<RunComparison> {
  const records = await Promise.all(runs.map((run) => runRecord(metadata, run)));
  const facts = (of: (record: RunRecord) => Readonly<Record<string, unknown>>) => comparedFacts(records.map(of));
  const better = (name: string): ComparedMetric["better"] =>
    options.lower?.includes(name) === true
      ? "lower"
      : options.higher?.includes(name) === true || !isLowerBetter(name)
        ? "higher"
        : "lower";
  return {
    runs: records.map(({ run, id, status, createdAt, durationMs, tags }) => ({
      run,
      id,
      status,
      createdAt,
      ...(durationMs === undefined ? {} : { durationMs }),
      tags,
    })),
    parameters: facts(({ parameters, secretParameters }) => ({
      ...parameters,
      ...Object.fromEntries(secretParameters.map((name) => [name, "(secret)"])),
    })),
    metrics: facts(({ metrics = [] }) => Object.fromEntries(metrics.map(({ name, value }) => [name, value]))).map(
      ({ name, values }) => comparedMetric(name, values as ComparedMetric["values"], better(name)),
    ),
    upstreams: facts(({ upstreams }) =>
      Object.fromEntries(upstreams.map(({ name, run, runThere }) => [name, run ?? runThere ?? null])),
    ),
    code: facts(({ codePackage, environment: { git } }) => ({
      ...(codePackage === undefined ? {} : { package: codePackage.digest }),
      ...(git === undefined ? {} : { git: `${git.sha}${git.dirty ? " with changes" : ""}` }),
    })),
  };
}

function comparedFacts(records: readonly Readonly<Record<string, unknown>>[]): readonly ComparedFact[] {
  const names = new Set(records.flatMap((record) => Object.keys(record)));
  return [...names].sort().map((name) => {
    const values = records.map((record) => (Object.hasOwn(record, name) ? record[name] : undefined));
    const texts = new Set(values.map((value) => JSON.stringify(value)));
    return { name, values, isSame: texts.size === 1 };
  });
}

function comparedMetric(
  name: string,
  values: ComparedMetric["values"],
  better: ComparedMetric["better"],
): ComparedMetric {
  const numbers = values.map((value) => (value === undefined ? Number.NaN : Number(value)));
  const known = numbers.filter((value) => !Number.isNaN(value));
  const top = better === "higher" ? Math.max(...known) : Math.min(...known);
  const best = numbers.flatMap((value, at) => (value === top ? [at] : []));
  return { name, values, better, best: known.length < 2 || best.length === values.length ? [] : best };
}
