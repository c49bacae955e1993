import { createRequire } from "node:module";
import { beforeAll, describe, expect, it } from "vitest";
import { makeRegression } from "../data/make-regression.ts";
import { numericColumn, takeRows } from "../data/table.ts";
import { FeatureEngineer } from "../features/feature-engineer.ts";
import { type FeatureMatrix, matrixRows, takeMatrixRows } from "../features/feature-matrix.ts";
import { r2 } from "../statistics.ts";
import { NodeList } from "./forest-nodes.ts";
import { GradientBoosting } from "./gradient-boosting.ts";
import { Modeler } from "./modeler.ts";
import { RandomForest } from "./random-forest.ts";
import { stageCounts } from "./stages.ts";

const { table } = makeRegression({ samples: 600, noise: 20, seed: 11 });
const columns = { numeric: Array.from({ length: 10 }, (_, place) => `num_${place}`) };
const rowsTo = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, place) => from + place);

let features: FeatureMatrix;
let target: Float64Array;
let heldOut: { features: FeatureMatrix; target: Float64Array };

beforeAll(() => {
  const engineer = new FeatureEngineer(columns);
  features = engineer.fitTransform(takeRows(table, rowsTo(0, 400)));
  target = numericColumn(table, "target").slice(0, 400);
  heldOut = {
    features: engineer.transform(takeRows(table, rowsTo(400, 600))),
    target: numericColumn(table, "target").slice(400),
  };
});

describe.each([
  { model: "RandomForest", least: 0.5, extra: { "init.maxSamples": 120 } },
  { model: "GradientBoosting", least: 0.75, extra: {} },
])("$model", ({ model, least, extra }) => {
  const contender = { model, "init.iterations": 40, "init.maxDepth": 5, "init.seed": 3, ...extra };

  it("learns what there is to learn", async () => {
    const modeler = await new Modeler({ contender, mode: "test" }).fit(features, target);
    expect(r2(heldOut.target, await modeler.predict(heldOut.features))).toBeGreaterThan(least);
  });

  it("fitted twice from one seed gives the same model, from another seed another", async () => {
    const sampled = model === "GradientBoosting" ? { ...contender, "init.sampleFraction": 0.5 } : contender;
    const fit = async (seed: number): Promise<unknown> =>
      (await new Modeler({ contender: { ...sampled, "init.seed": seed }, mode: "test" }).fit(features, target)).model;
    expect(await fit(3)).toEqual(await fit(3));
    expect(await fit(4)).not.toEqual(await fit(3));
  });

  it("mode test keeps the best of a few numbers of iterations, mode train carries it over", async () => {
    const tested = await new Modeler({ contender, mode: "test" }).fit(features, target, { validation: heldOut });
    expect([10, 20, 30, 40]).toContain(tested.iterations);
    const scores = await Promise.all(
      [10, 20, 30, 40].map(async (iterations) => {
        const modeler = await new Modeler({ contender, mode: "train", iterations }).fit(features, target);
        expect(modeler.iterations).toBe(iterations);
        expect(modeler.model!.iterations).toBe(iterations);
        return { iterations, score: r2(heldOut.target, await modeler.predict(heldOut.features)) };
      }),
    );
    const best = scores.toSorted((a, b) => b.score - a.score)[0]!;
    expect(tested.iterations).toBe(best.iterations);
    expect(r2(heldOut.target, await tested.predict(heldOut.features))).toBe(best.score);
  });

  it("predicts a row alone as it does among others, and nothing for no rows", async () => {
    const modeler = await new Modeler({ contender, mode: "test" }).fit(features, target);
    const together = await modeler.predict(heldOut.features);
    const alone = await modeler.predict(takeMatrixRows(heldOut.features, [7]));
    expect(alone[0]).toBe(together[7]);
    expect(await modeler.predict(takeMatrixRows(heldOut.features, []))).toEqual(new Float64Array(0));
  });

  it("learns from equal targets", async () => {
    const modeler = await new Modeler({ contender, mode: "test" }).fit(features, new Float64Array(400).fill(5));
    expect((await modeler.predict(heldOut.features)).every((value) => Math.abs(value - 5) < 1e-3)).toBe(true);
  });
});

describe("RandomForest", () => {
  it("predicts to the last bit what the library predicts with the same trees", async () => {
    const { RandomForestRegression } = createRequire(import.meta.url)("ml-random-forest");
    const library = new RandomForestRegression({
      nEstimators: 7,
      seed: 5,
      noOOB: true,
      maxFeatures: 0.65,
      replacement: false,
      treeOptions: { maxDepth: 6 },
    });
    // Even numbers to learn from, so that thresholds are whole numbers, and all whole numbers to predict for.
    const even = matrixRows(takeMatrixRows(features, rowsTo(0, 150))).map((row) =>
      row.map((x) => 2 * Math.round(2 * x)),
    );
    const whole = matrixRows(heldOut.features).map((row) => row.map((x) => Math.round(4 * x)));
    library.train(even, Array.from(target.slice(0, 150)));
    const nodes = new NodeList();
    for (const [tree, { root }] of library.estimators.entries()) nodes.addTree(root, library.indexes[tree]);
    const forest = new RandomForest({ columns: 10, ...nodes.arrays() });
    const predicted = await forest.predict({
      names: features.names,
      rows: whole.length,
      values: Float64Array.from(whole.flat()),
    });
    expect(predicted).toEqual(Float64Array.from(library.predict(whole)));
    expect(new Set(predicted).size).toBeGreaterThan(50);
  });

  it("stays the same after the library was given other data", async () => {
    const forest = await RandomForest.fit({ features, target, init: { iterations: 3 }, fit: {} });
    const before = await forest.predict(heldOut.features);
    await RandomForest.fit({ features: heldOut.features, target: heldOut.target, init: { iterations: 3 }, fit: {} });
    expect(await forest.predict(heldOut.features)).toEqual(before);
  });
});

describe("GradientBoosting", () => {
  it("refuses more rows than the library can take, before it breaks", async () => {
    const rows = 200_000;
    const wide = { names: ["a", "b", "c", "d", "e", "f", "g"], rows, values: new Float64Array(rows * 7) };
    await expect(
      GradientBoosting.fit({ features: wide, target: new Float64Array(rows), init: {}, fit: {} }),
    ).rejects.toMatchObject({
      code: "ML_MODEL_TOO_LARGE",
      hint: "take at most 156250 rows",
    });
  });

  it("takes as many rows as it says", async () => {
    const rows = 156_250;
    const wide = {
      names: ["a", "b", "c", "d", "e", "f", "g"],
      rows,
      values: Float64Array.from({ length: rows * 7 }, (_, place) => (place * 7919) % 101),
    };
    const model = await GradientBoosting.fit({
      features: wide,
      target: wide.values.slice(0, rows),
      init: { iterations: 1, maxDepth: 2 },
      fit: {},
    });
    expect(model.iterations).toBe(1);
  });

  it("leaves no listener behind and restores what it hides while loading", () => {
    expect(
      process
        .listeners("uncaughtException")
        .map(String)
        .filter((text) => text.includes("ExitStatus")),
    ).toEqual([]);
    expect(
      typeof (globalThis as unknown as { WebAssembly: { instantiateStreaming: unknown } }).WebAssembly
        .instantiateStreaming,
    ).toBe("function");
  });
});

describe("Modeler", () => {
  const contender = Object.freeze({ model: "RandomForest", "init.iterations": 2 });

  it("refuses mode train without iterations and mode test with them", () => {
    expect(() => new Modeler({ contender, mode: "train" })).toThrow(
      '"iterations" is undefined; pass the "iterations" of a modeler',
    );
    expect(() => new Modeler({ contender, mode: "train", iterations: Number.NaN })).toThrow('"iterations" is NaN');
    expect(() => new Modeler({ contender, mode: "test", iterations: 3 })).toThrow('in mode "test"');
  });

  it("never changes the contender, and does not follow its changes", async () => {
    const own: Record<string, string | number> = { ...contender };
    const modeler = new Modeler({ contender: own, mode: "train", iterations: 3 });
    own["init.iterations"] = 99;
    await modeler.fit(features, target);
    expect(own).toEqual({ ...contender, "init.iterations": 99 });
    expect(modeler.contender).toEqual(contender);
    expect(modeler.iterations).toBe(3);
  });

  it("names unknown models, keys and arguments", async () => {
    expect(() => new Modeler({ contender: { model: "Forest" }, mode: "test" })).toThrow(
      'Cannot find model "Forest"; set "model" to "RandomForest" or "GradientBoosting"',
    );
    expect(() => new Modeler({ contender: { ...contender, depth: 3 }, mode: "test" })).toThrow(
      '"depth" is neither "model" nor "init.X" nor "fit.Y"',
    );
    const wrong = new Modeler({ contender: { ...contender, "init.depth": 3, "init.maxDepth": 0.5 }, mode: "test" });
    await expect(wrong.fit(features, target)).rejects.toThrow(
      /"depth" is unknown .*; "maxDepth" is 0.5, not a whole number from 1 to 64/,
    );
  });

  it("refuses to predict before fitting, and features of another width", async () => {
    await expect(new Modeler({ contender, mode: "test" }).predict(features)).rejects.toThrow(
      "Cannot predict before fitting",
    );
    const modeler = await new Modeler({ contender, mode: "test" }).fit(features, target);
    const narrow = { names: ["a"], rows: 1, values: Float64Array.of(1) };
    await expect(modeler.predict(narrow)).rejects.toThrow(
      "Cannot predict from 1 columns: the model has learnt from 10",
    );
    await expect(modeler.fit(features, target.slice(1))).rejects.toThrow("Cannot learn from 400 rows with 399 targets");
  });
});

describe("stageCounts", () => {
  it("is evenly spaced, without repetition, and ends with all", () => {
    expect(stageCounts(100, 4)).toEqual([25, 50, 75, 100]);
    expect(stageCounts(2, 4)).toEqual([1, 2]);
    expect(stageCounts(7, 1)).toEqual([7]);
  });
});
