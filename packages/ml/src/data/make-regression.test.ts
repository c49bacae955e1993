import { describe, expect, it } from "vitest";
import { r2 } from "../statistics.ts";
import { makeRegression } from "./make-regression.ts";
import { numericColumn, rowCount } from "./table.ts";

describe("makeRegression", () => {
  it("without noise the target is the weighted sum of the columns", () => {
    const { table, coefficients } = makeRegression({ samples: 50, noise: 0, bias: 3, seed: 1 });
    expect(rowCount(table)).toBe(50);
    expect(Object.keys(table)).toEqual([...Array.from({ length: 10 }, (_, place) => `num_${place}`), "target"]);
    const sums = Float64Array.from({ length: 50 }, (_, row) =>
      coefficients.reduce((sum, weight, place) => sum + weight * numericColumn(table, `num_${place}`)[row]!, 3),
    );
    for (const [row, sum] of sums.entries()) expect(numericColumn(table, "target")[row]).toBeCloseTo(sum, 8);
  });

  it("exactly the informative columns have a weight", () => {
    const { coefficients } = makeRegression({ samples: 1, features: 8, informative: 3, seed: 5 });
    expect(coefficients.filter((weight) => weight > 0)).toHaveLength(3);
  });

  it("noise of 100 leaves a signal that is neither nothing nor everything", () => {
    const { table, coefficients } = makeRegression({ samples: 2000, seed: 2 });
    const signal = Float64Array.from({ length: 2000 }, (_, row) =>
      coefficients.reduce((sum, weight, place) => sum + weight * numericColumn(table, `num_${place}`)[row]!, 0),
    );
    const score = r2(numericColumn(table, "target"), signal);
    expect(score).toBeGreaterThan(0.3);
    expect(score).toBeLessThan(0.95);
  });

  it("the same seed gives the same table, another another", () => {
    expect(makeRegression({ samples: 5, seed: 1 })).toEqual(makeRegression({ samples: 5, seed: 1 }));
    expect(makeRegression({ samples: 5, seed: 1 })).not.toEqual(makeRegression({ samples: 5, seed: 2 }));
    expect(() => makeRegression({ samples: 0, seed: 1 })).toThrow("Cannot draw 0 samples");
  });
});
