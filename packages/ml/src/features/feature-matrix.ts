import { MlError } from "../ml-error.ts";

/** What models read: numbers only, row after row. */
export interface FeatureMatrix {
  /** Name of each column. */
  readonly names: readonly string[];
  /** Number of rows. */
  readonly rows: number;
  /** rows × names.length numbers; row r, column c is at r * names.length + c. All finite. */
  readonly values: Float64Array;
}

/** The named rows, in the order of `indexes`. */
export function takeMatrixRows(matrix: FeatureMatrix, indexes: ArrayLike<number>): FeatureMatrix {
  const width = matrix.names.length;
  const values = new Float64Array(indexes.length * width);
  for (let row = 0; row < indexes.length; row++) {
    const from = indexes[row]! * width;
    values.set(matrix.values.subarray(from, from + width), row * width);
  }
  return { names: matrix.names, rows: indexes.length, values };
}

/** The rows as lists of numbers, as the libraries want them. */
export function matrixRows(matrix: FeatureMatrix): number[][] {
  const width = matrix.names.length;
  return Array.from({ length: matrix.rows }, (_, row) =>
    Array.from(matrix.values.subarray(row * width, (row + 1) * width)),
  );
}

/**
 * Refuses what no model can learn from or predict for.
 *
 * @throws MlError ML_MODEL_BAD_SHAPE
 */
export function checkShape(
  matrix: FeatureMatrix,
  expected: { readonly columns?: number; readonly rows?: number },
): void {
  const width = matrix.names.length;
  if (matrix.values.length !== matrix.rows * width) {
    throw new MlError(
      "ML_MODEL_BAD_SHAPE",
      `Cannot read the features: ${matrix.rows} rows of ${width} columns are not ${matrix.values.length} numbers`,
    );
  }
  if (expected.columns !== undefined && width !== expected.columns) {
    throw new MlError(
      "ML_MODEL_BAD_SHAPE",
      `Cannot predict from ${width} columns: the model has learnt from ${expected.columns}`,
    );
  }
  if (expected.rows !== undefined && matrix.rows !== expected.rows) {
    throw new MlError("ML_MODEL_BAD_SHAPE", `Cannot learn from ${matrix.rows} rows with ${expected.rows} targets`);
  }
}
