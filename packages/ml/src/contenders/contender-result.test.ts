import { describe, expect, it } from "vitest";
import { rankContenders, rankingText, summariseFolds } from "./contender-result.ts";

const forest = summariseFolds(0, { model: "RandomForest", "init.maxDepth": 4 }, [
  { score: 0.1, iterations: 10 },
  { score: 0.3, iterations: 15 },
]);
const boosting = summariseFolds(1, { model: "GradientBoosting", "init.learningRate": 0.123456789 }, [
  { score: 0.5, iterations: 80 },
]);

describe("contender results", () => {
  it("takes means over the folds; one fold has no standard error, and no NaN", () => {
    expect(forest).toMatchObject({ name: "0 RandomForest", meanScore: 0.2, iterations: 13 });
    expect(forest.scoreError).toBeCloseTo(0.1, 12);
    expect(boosting.scoreError).toBeUndefined();
  });

  it("ranks the best first and leaves the list alone", () => {
    const results = [forest, boosting];
    expect(rankContenders(results).map(({ name }) => name)).toEqual(["1 GradientBoosting", "0 RandomForest"]);
    expect(results[0]).toBe(forest);
  });

  it("prints one aligned line a contender", () => {
    expect(rankingText([forest, boosting])).toBe(
      [
        "1. 0.5000           1 GradientBoosting  iterations=80 learningRate=0.1235",
        "2. 0.2000 ± 0.1000  0 RandomForest      iterations=13 maxDepth=4",
      ].join("\n"),
    );
  });

  it("refuses to rank what has no score", () => {
    expect(() => summariseFolds(0, { model: "A" }, [])).toThrow('Cannot rank contender "0 A": its scores are []');
    expect(() => summariseFolds(0, { model: "A" }, [{ score: Number.NaN, iterations: 1 }])).toThrow("[NaN]");
  });
});
