import { MlError } from "../ml-error.ts";
import { seededRandom } from "../random.ts";
import type { Table } from "./table.ts";

/** How to draw a regression problem. Defaults are those of the original example. */
export interface MakeRegressionOptions {
  /** Number of rows, at least 1. */
  readonly samples: number;
  /** Number of columns, default 10. */
  readonly features?: number;
  /** How many of the columns the target depends on, default 5. */
  readonly informative?: number;
  /** Standard deviation of the noise on the target, in units of the target, default 100. */
  readonly noise?: number;
  /** Value of the target where all columns are 0, default 0. */
  readonly bias?: number;
  readonly seed: number;
}

/** A regression problem of known solution. */
export interface RegressionProblem {
  /** `num_0` … and `target`, each of length `samples`. */
  readonly table: Table;
  /** True weight of each column; 0 for those that do not matter. */
  readonly coefficients: Float64Array;
}

/**
 * Draws a linear regression problem: independent standard normal columns, of which `informative` randomly chosen ones
 * have a weight between 0 and 100; the target is their weighted sum plus bias and normal noise.
 *
 * @throws MlError ML_DATA_BAD_ARGUMENT
 * @see the model of scikit-learn's function of that name (full rank, one target)
 */
export function makeRegression(options: MakeRegressionOptions): RegressionProblem {
  const { samples, features = 10, informative = 5, noise = 100, bias = 0, seed } = options;
  if (!(Number.isInteger(samples) && samples >= 1 && Number.isInteger(features) && features >= 1)) {
    throw new MlError(
      "ML_DATA_BAD_ARGUMENT",
      `Cannot draw ${samples} samples of ${features} features`,
      "give whole numbers from 1",
    );
  }
  if (!(Number.isInteger(informative) && informative >= 0 && informative <= features)) {
    throw new MlError("ML_DATA_BAD_ARGUMENT", `Cannot make ${informative} of ${features} features informative`);
  }
  const random = seededRandom(seed);
  const coefficients = new Float64Array(features);
  for (const feature of random.sample(features, informative)) coefficients[feature] = random.uniform(0, 100);

  const columns = Array.from({ length: features }, () => new Float64Array(samples));
  const target = new Float64Array(samples);
  for (let row = 0; row < samples; row++) {
    let value = bias;
    for (let feature = 0; feature < features; feature++) {
      const x = random.normal();
      columns[feature]![row] = x;
      value += x * coefficients[feature]!;
    }
    target[row] = value + noise * random.normal();
  }
  const named = columns.map((column, feature) => [`num_${feature}`, column] as const);
  return { table: { ...Object.fromEntries(named), target }, coefficients };
}
