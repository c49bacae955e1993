/** Steps of the examples by themselves, and small examples as a whole, in memory: as the guide tells users to test theirs. */
import fs from "node:fs";
import path from "node:path";
import { runFlow, runStep } from "@millrace/core/testing";
import { Modeler, numericColumn, rowCount, takeRows } from "@millrace/ml";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import Tide from "../../flows/02-branch/branch.ts";
import Grind from "../../flows/03-foreach/foreach.ts";
import Belt from "../../flows/04-parameters/parameters.ts";
import Sluice from "../../flows/05-choose/choose.ts";
import Bake from "../../flows/06-upstream/bake.ts";
import Harvest from "../../flows/06-upstream/harvest.ts";
import { fitModel } from "../../flows/model-versioning/common.ts";
import GenerateData from "../../flows/model-versioning/generate-data.ts";
import Predict from "../../flows/model-versioning/predict.ts";
import { syntheticColumns as columns, drawRows } from "../../flows/model-versioning/synthetic.ts";
import Train from "../../flows/model-versioning/train.ts";
import { temporaryFolder } from "../cli/kit.ts";

describe("the ramp", () => {
  test("a join by the names of its branches", async () => {
    const { data, next } = await runStep(Tide, "meet", { inputs: { ebb: { hours: 6 }, flood: { hours: 5 } } });
    expect([data.total, next]).toEqual([11, ["end"]]);
  });

  test("a join over the items of a foreach", async () => {
    const inputs = [
      { grain: "rye", weight: 3 },
      { grain: "spelt", weight: 5 },
    ];
    expect((await runStep(Grind, "weigh", { inputs })).data.weights).toEqual({ rye: 3, spelt: 5 });
    expect((await runStep(Grind, "grind", { item: "maize" })).data).toEqual({ grain: "maize", weight: 5 });
  });

  test("parameters as in a run: defaults and refusals", async () => {
    expect((await runStep(Belt, "start", {})).data.metres).toBeCloseTo(94.2, 1);
    await expect(runStep(Belt, "start", { params: { turns: 0 } })).rejects.toMatchObject({
      code: "FLOW_PARAMETER_INVALID",
    });
  });

  test.each([
    [5, "normal", "turn", "the wheel turns"],
    [6, "high", "close", "the sluice is closed"],
  ] as const)("a choice at %d metres", async (level, choice, next, report) => {
    expect(await runStep(Sluice, "start", { params: { level } })).toMatchObject({ choice, next: [next] });
    expect((await runFlow(Sluice, { params: { level } })).data.report).toBe(report);
  });

  test("what one flow leaves is what the next one reads", async () => {
    const harvest = await runFlow(Harvest);
    const { tasks } = await runFlow(Bake, { upstreams: { harvest: harvest.data } });
    expect(tasks.at(-1)!.logs).toEqual([
      { stream: "stdout", text: `${harvest.data.sacks * 100} loaves from ${harvest.data.sacks} sacks\n` },
    ]);
  });
});

describe("model versioning", () => {
  const rows = drawRows({ rows: 120, seed: 1 });

  test("start keeps rows for judging, and makes folds of the others", async () => {
    const { data, items, next } = await runStep(Train, "start", {
      params: { configuration: "test_config" },
      upstreams: { source: { trainRows: rows } },
    });
    expect(rowCount(data.trainRows!) + rowCount(data.testRows!)).toBe(120);
    expect(data.folds).toHaveLength(2);
    expect(items).toEqual(data.contenders);
    expect(next).toEqual(["eachContender"]);
  });

  test("eachFold scores a contender on rows that it has not learnt from", async () => {
    const { items } = await runStep(Train, "start", {
      params: { configuration: "test_config" },
      upstreams: { source: { trainRows: rows } },
    });
    const [contender] = items as [Train["contender"]];
    const { data } = await runStep(Train, "eachFold", {
      item: {
        train: Int32Array.from({ length: 90 }, (_, row) => row),
        validation: Int32Array.from([90, 91, 92, 93]),
      },
      inputs: { trainRows: rows, contender },
      upstreams: { source: { columns } },
    });
    expect(data.score).toBeLessThanOrEqual(1);
    expect(data.iterations).toBeGreaterThan(0);
  });

  test("joinFolds takes the mean of the folds, joinContenders the best mean", async () => {
    const contender = { model: "RandomForest" };
    const shared = { trainRows: rows, testRows: rows, contender, contenderIndex: 3 };
    const folded = await runStep(Train, "joinFolds", {
      inputs: [
        { ...shared, score: 0.5, iterations: 10 },
        { ...shared, score: 0.7, iterations: 20 },
      ],
    });
    const result = folded.data.result!;
    expect(result).toMatchObject({ name: "3 RandomForest", contender, meanScore: 0.6 });
    const worse = { ...result, name: "worse", meanScore: 0.1 };
    const { data, logs } = await runStep(Train, "joinContenders", {
      inputs: [
        { ...shared, result: worse },
        { ...shared, result },
      ],
    });
    expect(data.best).toEqual(result);
    expect(data.results!.map(({ name }) => name)).toEqual(["worse", "3 RandomForest"]);
    expect(Object.keys(data).sort()).toEqual(["best", "results", "testRows", "trainRows"]);
    expect(logs[0]!.text).toContain("mean R² 0.6000");
  });

  describe("writes its results", () => {
    let folder: ReturnType<typeof temporaryFolder>;
    beforeEach(() => {
      folder = temporaryFolder();
      vi.spyOn(process, "cwd").mockReturnValue(folder.path);
    });
    afterEach(() => {
      vi.restoreAllMocks();
      folder[Symbol.dispose]();
    });

    test("Predict reads the two parts of the model, and the rows", async () => {
      const fitted = await fitModel({
        contender: { model: "RandomForest", "init.maxDepth": 4, "init.minSamples": 10 },
        iterations: 5,
        mode: "train",
        columns,
        rows,
      });
      expect(fitted.modeler).toBeInstanceOf(Modeler);
      const predictRows = takeRows(rows, [1, 2, 3, 4, 5]);
      const upstreams = { model: { ...fitted }, source: { columns, predictRows } };
      const started = await runStep(Predict, "start", { upstreams });
      expect(started.data.predictions).toHaveLength(5);
      expect(started.data.score).toBeLessThanOrEqual(1);
      const { predictions, score, predictedVsTrue } = started.data;
      const inputs = { predictions: predictions!, score: score!, predictedVsTrue: predictedVsTrue! };
      const ended = await runStep(Predict, "end", { inputs, upstreams });
      expect(ended.logs[0]!.text).toContain("model of Train/1, tagged nothing\n5 predictions");
      expect(fs.readdirSync(path.join(folder.path, "results/predict-1"))).toEqual(["predicted-vs-true.svg"]);
    });

    test("from data to predictions in memory, with the small settings", async () => {
      const params = { configuration: "test_config" } as const;
      const source = await runFlow(GenerateData, { params: { ...params, rows: 200 } });
      const model = await runFlow(Train, { params, upstreams: { source: source.data } });
      const { data } = await runFlow(Predict, { upstreams: { model: model.data, source: source.data } });
      expect(data.predictions).toHaveLength(rowCount(source.data.predictRows));
      expect(data.predictions[0]).not.toBe(numericColumn(source.data.predictRows, columns.target)[0]);
      expect(model.tasks.filter(({ step }) => step === "eachFold")).toHaveLength(8);
    }, 60_000);
  });
});
