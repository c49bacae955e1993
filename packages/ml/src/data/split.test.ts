import { describe, expect, it } from "vitest";
import { kFold, trainTestSplit } from "./split.ts";

const all = (rows: number): number[] => Array.from({ length: rows }, (_, row) => row);
const sorted = (rows: Iterable<number>): number[] => [...rows].sort((a, b) => a - b);

describe("trainTestSplit", () => {
  it("gives each row to one part, the parts in row order, the same for the same seed", () => {
    const { train, test } = trainTestSplit(101, { testFraction: 0.2, seed: 7 });
    expect(test).toHaveLength(20);
    expect(sorted([...train, ...test])).toEqual(all(101));
    expect([...train]).toEqual(sorted(train));
    expect(trainTestSplit(101, { testFraction: 0.2, seed: 7 }).test).toEqual(test);
    expect(trainTestSplit(101, { testFraction: 0.2, seed: 8 }).test).not.toEqual(test);
  });

  it("leaves a row in each part, however small the share", () => {
    expect(trainTestSplit(2, { testFraction: 0.01, seed: 1 }).test).toHaveLength(1);
    expect(trainTestSplit(2, { testFraction: 0.99, seed: 1 }).train).toHaveLength(1);
    expect(() => trainTestSplit(1, { testFraction: 0.5, seed: 1 })).toThrow("Cannot split 1 rows");
    expect(() => trainTestSplit(9, { testFraction: 1, seed: 1 })).toThrow("testFraction 1");
  });
});

describe("kFold", () => {
  it("validates on each row exactly once and learns from all others", () => {
    const folds = kFold(23, { folds: 5, seed: 3 });
    expect(folds.map(({ validation }) => validation.length)).toEqual([4, 5, 4, 5, 5]);
    expect(sorted(folds.flatMap(({ validation }) => [...validation]))).toEqual(all(23));
    for (const { train, validation } of folds) expect(sorted([...train, ...validation])).toEqual(all(23));
  });

  it("one fold holds out a fifth, once", () => {
    const folds = kFold(10, { folds: 1, seed: 3 });
    expect(folds).toHaveLength(1);
    expect(folds[0]!.validation).toHaveLength(2);
  });

  it("refuses more folds than rows", () => {
    expect(() => kFold(3, { folds: 4, seed: 1 })).toThrow("Cannot make 4 folds of 3 rows");
  });
});
