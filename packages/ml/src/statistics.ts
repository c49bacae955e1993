import { MlError } from "./ml-error.ts";

/**
 * The arithmetic mean.
 *
 * @throws MlError ML_DATA_BAD_ARGUMENT for an empty list
 */
export function mean(values: ArrayLike<number>): number {
  if (values.length === 0) throw new MlError("ML_DATA_BAD_ARGUMENT", "Cannot take the mean of no values");
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]!;
  return sum / values.length;
}

/**
 * The standard error of the mean: sample standard deviation (divided by n - 1) over the square root of n.
 *
 * @returns undefined for fewer than two values: one fold says nothing about the spread, and NaN would only travel on
 */
export function standardError(values: ArrayLike<number>): number | undefined {
  if (values.length < 2) return undefined;
  const centre = mean(values);
  let squares = 0;
  for (let index = 0; index < values.length; index++) squares += (values[index]! - centre) ** 2;
  return Math.sqrt(squares / (values.length - 1) / values.length);
}

/**
 * The coefficient of determination, R²: 1 is perfect, 0 as good as always saying the mean, negative is worse.
 *
 * When all true values are equal it is 1 for exact predictions and 0 otherwise, as in scikit-learn.
 *
 * @param truth  true values, any unit; at least one
 * @param predicted  predicted values, the same unit and length
 * @throws MlError ML_DATA_BAD_ARGUMENT when the lengths differ or are 0
 */
export function r2(truth: ArrayLike<number>, predicted: ArrayLike<number>): number {
  if (truth.length !== predicted.length) {
    throw new MlError(
      "ML_DATA_BAD_ARGUMENT",
      `Cannot score ${predicted.length} predictions against ${truth.length} true values`,
    );
  }
  const centre = mean(truth);
  let residual = 0;
  let total = 0;
  for (let index = 0; index < truth.length; index++) {
    residual += (truth[index]! - predicted[index]!) ** 2;
    total += (truth[index]! - centre) ** 2;
  }
  if (total === 0) return residual === 0 ? 1 : 0;
  return 1 - residual / total;
}
