import { describe, expect, it } from "vitest";
import { mean, r2, standardError } from "./statistics.ts";

describe("statistics", () => {
  it("standardError of one fold is undefined, not NaN", () => {
    expect(standardError([0.7])).toBeUndefined();
    expect(standardError([])).toBeUndefined();
  });

  it("standardError divides by n - 1", () => {
    expect(standardError([1, 2, 3, 4])).toBeCloseTo(Math.sqrt(5 / 3 / 4), 12);
  });

  it("r2 is 1 for perfect predictions, 0 for the mean and negative for worse", () => {
    expect(r2([1, 2, 3], [1, 2, 3])).toBe(1);
    expect(r2([1, 2, 3], [2, 2, 2])).toBe(0);
    expect(r2([1, 2, 3], [3, 2, 1])).toBe(-3);
  });

  it("r2 of constant truth is 1 or 0, not a division by zero", () => {
    expect(r2([5, 5], [5, 5])).toBe(1);
    expect(r2([5, 5], [4, 5])).toBe(0);
  });

  it("refuses other lengths and empty lists", () => {
    expect(() => r2([1], [1, 2])).toThrow("Cannot score 2 predictions against 1 true values");
    expect(() => mean([])).toThrow("Cannot take the mean of no values");
  });
});
