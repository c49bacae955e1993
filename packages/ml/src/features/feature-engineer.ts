import { storable } from "@millrace/core";
import { categoryColumn, numericColumn, rowCount, type Table } from "../data/table.ts";
import { MlError } from "../ml-error.ts";
import type { FeatureMatrix } from "./feature-matrix.ts";

/** Which columns of a table become features, and how. */
export interface FeatureColumns {
  /** Columns of numbers, passed through as they are. */
  readonly numeric: readonly string[];
  /** Columns of categories, one 0/1 feature for each category that was seen when fitting. */
  readonly categorical?: readonly string[];
}

/**
 * Turns tables into features: numbers pass through, categories are one-hot encoded.
 *
 * Fit it on the rows that the model learns from and keep it with the model: both are needed to predict. A category that
 * was not there when fitting gives zeros in all features of its column.
 *
 * @example
 * const engineer = new FeatureEngineer({ numeric: ["distance"], categorical: ["weekday"] });
 * const features = engineer.fitTransform(trainRows);
 */
@storable({ name: "millrace.FeatureEngineer", version: 1 })
export class FeatureEngineer {
  readonly numeric: readonly string[];
  readonly categorical: readonly string[];
  /** Categories of each categorical column in sorted order; undefined before fitting. */
  categories: readonly (readonly string[])[] | undefined;

  constructor(columns: FeatureColumns) {
    this.numeric = [...columns.numeric];
    this.categorical = [...(columns.categorical ?? [])];
    this.categories = undefined;
  }

  /**
   * Learns the categories.
   *
   * @throws MlError ML_DATA_NO_COLUMN
   */
  fit(table: Table): this {
    for (const name of this.numeric) numericColumn(table, name);
    this.categories = this.categorical.map((name) => [...new Set(categoryColumn(table, name))].sort());
    return this;
  }

  /** Names of the features in order: `distance`, `weekday=Mon`, …; undefined before fitting. */
  get featureNames(): readonly string[] | undefined {
    if (this.categories === undefined) return undefined;
    const encoded = this.categorical.flatMap((name, place) =>
      this.categories![place]!.map((category) => `${name}=${category}`),
    );
    return [...this.numeric, ...encoded];
  }

  /**
   * The features of a table: one row a row.
   *
   * @throws MlError ML_FEATURES_NOT_FITTED, ML_DATA_NO_COLUMN, ML_FEATURES_NOT_FINITE
   */
  transform(table: Table): FeatureMatrix {
    const names = this.featureNames;
    if (names === undefined || this.categories === undefined) {
      throw new MlError(
        "ML_FEATURES_NOT_FITTED",
        "Cannot make features before fitting",
        "call fit() or fitTransform() first",
      );
    }
    const rows = rowCount(table);
    const width = names.length;
    const values = new Float64Array(rows * width);
    for (const [place, name] of this.numeric.entries()) {
      const column = numericColumn(table, name);
      for (let row = 0; row < rows; row++) {
        const value = column[row]!;
        if (!Number.isFinite(value)) {
          throw new MlError(
            "ML_FEATURES_NOT_FINITE",
            `Cannot use row ${row} of column "${name}": its value is ${value}`,
            "fill or drop such rows first",
          );
        }
        values[row * width + place] = value;
      }
    }
    let offset = this.numeric.length;
    for (const [place, name] of this.categorical.entries()) {
      const known = this.categories[place]!;
      const positions = new Map(known.map((category, position) => [category, position]));
      for (const [row, category] of categoryColumn(table, name).entries()) {
        const position = positions.get(category);
        if (position !== undefined) values[row * width + offset + position] = 1;
      }
      offset += known.length;
    }
    return { names, rows, values };
  }

  /** `fit`, then `transform`, of the same table. */
  fitTransform(table: Table): FeatureMatrix {
    return this.fit(table).transform(table);
  }
}
