import { MlError } from "../ml-error.ts";
import type { Parameters } from "../search/explode-parameters.ts";
import { mean, standardError } from "../statistics.ts";

/** What one fold says about a contender. */
export interface FoldResult {
  /** Higher is better, such as R². */
  readonly score: number;
  /** Number of iterations that were best on the validation rows of the fold. */
  readonly iterations: number;
}

/** What all folds say about a contender. */
export interface ContenderResult {
  /** `<i> <Model>`, such as "0 RandomForest". */
  readonly name: string;
  readonly contender: Parameters;
  /** One score a fold, in the order of the folds. */
  readonly scores: readonly number[];
  readonly meanScore: number;
  /** Standard error of the mean; undefined for one fold. */
  readonly scoreError: number | undefined;
  /** Mean over the folds, rounded: what the final fit uses. */
  readonly iterations: number;
}

/**
 * Puts the folds of one contender together.
 *
 * @param index  place of the contender in the list of all
 * @param folds  at least one
 * @throws MlError ML_DATA_BAD_ARGUMENT for no folds, or a score that is no number
 */
export function summariseFolds(index: number, contender: Parameters, folds: readonly FoldResult[]): ContenderResult {
  const name = `${index} ${String(contender.model)}`;
  const scores = folds.map(({ score }) => score);
  if (scores.length === 0 || !scores.every(Number.isFinite)) {
    throw new MlError("ML_DATA_BAD_ARGUMENT", `Cannot rank contender "${name}": its scores are [${scores.join(", ")}]`);
  }
  return {
    name,
    contender,
    scores,
    meanScore: mean(scores),
    scoreError: standardError(scores),
    iterations: Math.round(mean(folds.map(({ iterations }) => iterations))),
  };
}

/** The contenders, best mean score first; equal ones stay in their order. The argument is left as it is. */
export function rankContenders(results: readonly ContenderResult[]): ContenderResult[] {
  return results.toSorted((a, b) => b.meanScore - a.meanScore);
}

/** The ranked list as text, one line a contender: score ± standard error, name, iterations and hyperparameters (`init.` left out). */
export function rankingText(results: readonly ContenderResult[]): string {
  const rows = rankContenders(results).map((result, place) => ({
    place: `${place + 1}.`,
    score: `${result.meanScore.toFixed(4)}${result.scoreError === undefined ? "" : ` ± ${result.scoreError.toFixed(4)}`}`,
    name: result.name,
    rest: `iterations=${result.iterations} ${hyperparameterText(result.contender)}`.trimEnd(),
  }));
  const width = (pick: (row: (typeof rows)[number]) => string): number =>
    Math.max(0, ...rows.map((row) => pick(row).length));
  const [places, scores, names] = [width((row) => row.place), width((row) => row.score), width((row) => row.name)];
  return rows
    .map(
      ({ place, score, name, rest }) =>
        `${place.padStart(places)} ${score.padEnd(scores)}  ${name.padEnd(names)}  ${rest}`,
    )
    .join("\n");
}

function hyperparameterText(contender: Parameters): string {
  return Object.entries(contender)
    .filter(([key]) => key !== "model" && key !== "init.iterations")
    .map(
      ([key, value]) =>
        `${key.replace(/^init\./, "")}=${typeof value === "number" ? Number(value.toPrecision(4)) : value}`,
    )
    .join(" ");
}
