import { describe, expect, it } from "vitest";
import { FeatureEngineer } from "./feature-engineer.ts";

const table = { size: Float64Array.of(1, 2, 3), cat: ["b", "a", "b"], other: ["x", "x", "y"] };

describe("FeatureEngineer", () => {
  it("passes numbers through and one-hot encodes categories in sorted order", () => {
    const engineer = new FeatureEngineer({ numeric: ["size"], categorical: ["cat", "other"] });
    const features = engineer.fitTransform(table);
    expect(features.names).toEqual(["size", "cat=a", "cat=b", "other=x", "other=y"]);
    expect(features.rows).toBe(3);
    expect([...features.values]).toEqual([1, 0, 1, 1, 0, 2, 1, 0, 1, 0, 3, 0, 1, 0, 1]);
  });

  it("an unknown category gives zeros in its column only", () => {
    const engineer = new FeatureEngineer({ numeric: ["size"], categorical: ["cat"] }).fit(table);
    expect([...engineer.transform({ size: Float64Array.of(9), cat: ["new"] }).values]).toEqual([9, 0, 0]);
  });

  it("refuses to transform before fitting, missing columns and values that are no numbers", () => {
    const engineer = new FeatureEngineer({ numeric: ["size"] });
    expect(() => engineer.transform(table)).toThrow("Cannot make features before fitting");
    engineer.fit(table);
    expect(() => engineer.transform({ cat: ["a"] })).toThrow('Cannot find column "size"');
    expect(() => engineer.transform({ size: Float64Array.of(1, Number.NaN) })).toThrow(
      'Cannot use row 1 of column "size": its value is NaN',
    );
  });

  it("transforms no rows into no rows", () => {
    const engineer = new FeatureEngineer({ numeric: ["size"], categorical: ["cat"] }).fit(table);
    expect(engineer.transform({ size: new Float64Array(0), cat: [] })).toMatchObject({
      rows: 0,
      values: new Float64Array(0),
    });
  });
});
