import { MlError } from "../ml-error.ts";
import { seededRandom } from "../random.ts";

/** Row numbers of two disjoint parts. */
export interface TrainTestSplit {
  readonly train: Int32Array;
  readonly test: Int32Array;
}

/** Row numbers of one fold: what to learn from and what to check on. */
export interface Fold {
  readonly train: Int32Array;
  readonly validation: Int32Array;
}

/**
 * Splits row numbers at random into two parts; each keeps the order of the rows.
 *
 * @param rows  number of rows, at least 2
 * @param options.testFraction  share of the test part, 0 < f < 1; at least one row goes to each part
 * @param options.seed  the same seed gives the same split
 * @throws MlError ML_DATA_BAD_ARGUMENT
 */
export function trainTestSplit(
  rows: number,
  options: { readonly testFraction: number; readonly seed: number },
): TrainTestSplit {
  const { testFraction, seed } = options;
  if (!Number.isInteger(rows) || rows < 2) {
    throw new MlError("ML_DATA_BAD_ARGUMENT", `Cannot split ${rows} rows: two are needed at least`);
  }
  if (!(testFraction > 0 && testFraction < 1)) {
    throw new MlError(
      "ML_DATA_BAD_ARGUMENT",
      `Cannot split with testFraction ${testFraction}`,
      "give a number between 0 and 1",
    );
  }
  const testRows = Math.min(rows - 1, Math.max(1, Math.round(rows * testFraction)));
  const order = seededRandom(seed).permutation(rows);
  return { test: order.slice(0, testRows).sort(), train: order.slice(testRows).sort() };
}

/**
 * Splits row numbers at random into `folds` parts of nearly equal size; each part is the validation part of one fold.
 * With one fold there is nothing to rotate: a fifth of the rows is held out, once.
 *
 * @param rows  number of rows, at least `folds` and at least 2
 * @param options.folds  number of folds, at least 1
 * @param options.seed  the same seed gives the same folds
 * @throws MlError ML_DATA_BAD_ARGUMENT
 */
export function kFold(rows: number, options: { readonly folds: number; readonly seed: number }): readonly Fold[] {
  const { folds, seed } = options;
  if (!Number.isInteger(folds) || folds < 1 || folds > rows) {
    throw new MlError(
      "ML_DATA_BAD_ARGUMENT",
      `Cannot make ${folds} folds of ${rows} rows`,
      "give a number from 1 to the number of rows",
    );
  }
  if (folds === 1) {
    const { train, test } = trainTestSplit(rows, { testFraction: 0.2, seed });
    return [{ train, validation: test }];
  }
  const order = seededRandom(seed).permutation(rows);
  return Array.from({ length: folds }, (_, fold) => {
    const from = Math.floor((fold * rows) / folds);
    const to = Math.floor(((fold + 1) * rows) / folds);
    const train = new Int32Array(rows - (to - from));
    train.set(order.subarray(0, from));
    train.set(order.subarray(to), from);
    return { train: train.sort(), validation: order.slice(from, to).sort() };
  });
}
