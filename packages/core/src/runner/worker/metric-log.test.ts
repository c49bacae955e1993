import { describe, expect, test } from "vitest";
import { MetricLog, MOST_NAMES, MOST_VALUES } from "./metric-log.ts";

describe("the metrics of a task", () => {
  test("are kept by name, in the order of their recording, with the steps that were given", () => {
    const log = new MetricLog("Train/1/fit");
    log.metric("loss", 2);
    log.metric("r2", 0.5);
    log.metric("loss", 1, { step: 4 });
    log.metric("loss", Number.NaN, {});
    expect(log.end()).toEqual([
      { name: "loss", values: Float64Array.of(2, 1, Number.NaN), steps: Float64Array.of(Number.NaN, 4, Number.NaN) },
      { name: "r2", values: Float64Array.of(0.5) },
    ]);
  });

  test.each(["r2", "val/loss", "recall@5", "_x", "1st", "größe", "p95.9", "a+b-c%", "x".repeat(128)])(
    "may be called %j",
    (name) => {
      const log = new MetricLog("Train/1/fit");
      log.metric(name, 1);
      expect(log.end()).toHaveLength(1);
    },
  );

  test.each([
    ["", "it has no name"],
    ["mean score", "its name holds other than letters"],
    ["r2>", "its name holds other than letters"],
    ["-r2", "does not begin with"],
    ["x".repeat(129), "has 129 characters"],
    ["gro\u0308ße", "NFC"],
    [7, "it is no text"],
    [undefined, "it is no text"],
  ])("may not be called %j", (name, why) => {
    const log = new MetricLog("Train/1/fit");
    expect(() => log.metric(name as string, 1)).toThrow(
      expect.objectContaining({ code: "FLOW_RUNNER_BAD_METRIC", message: expect.stringContaining(why) }),
    );
    expect(log.end()).toEqual([]);
  });

  test.each([["0.5"], [undefined], [null], [1n], [true], [new Number(1)]])(
    "have numbers as values, not %s",
    (value) => {
      expect(() => new MetricLog("Train/1/fit").metric("r2", value as number)).toThrow(
        expect.objectContaining({
          code: "FLOW_RUNNER_BAD_METRIC",
          message: expect.stringContaining("must be a number"),
        }),
      );
    },
  );

  test.each([[-1], [0.5], [Number.NaN], ["3"], [2 ** 53], [null]])("have whole steps from 0, not %s", (step) => {
    expect(() => new MetricLog("Train/1/fit").metric("r2", 1, { step: step as number })).toThrow(
      expect.objectContaining({ code: "FLOW_RUNNER_BAD_METRIC", message: expect.stringContaining("step") }),
    );
  });

  test("have bounds: so many values, so many names", () => {
    const log = new MetricLog("Train/1/fit");
    for (let at = 0; at < MOST_NAMES; at++) log.metric(`m${at}`, 1);
    expect(() => log.metric("more", 1)).toThrow(expect.objectContaining({ code: "FLOW_RUNNER_BAD_METRIC" }));
    for (let at = MOST_NAMES; at < MOST_VALUES; at++) log.metric("m0", at);
    expect(() => log.metric("m1", 1)).toThrow("has recorded 1000000 values");
    expect(log.end()[0]!.values).toHaveLength(MOST_VALUES - MOST_NAMES + 1);
  });

  test("cannot be recorded once the task has ended", () => {
    const log = new MetricLog("Train/1/fit");
    log.end();
    expect(() => log.metric("r2", 1)).toThrow(
      expect.objectContaining({
        code: "FLOW_FLOW_NOT_RUNNING",
        message: 'Cannot record the metric "r2": the task Train/1/fit has ended',
      }),
    );
  });
});
