import { describe, expect, test } from "vitest";
import { flowOf } from "../../../../test/kit/flow-of.ts";
import { checkGraph } from "../graph/check-graph.ts";
import type { TaskSequence } from "../metadata/metadata-store.ts";
import type { FinishedTaskColumns } from "../metadata/replay.ts";
import { taskAgain } from "./task-again.ts";

/** Finished tasks in short: `step/path` by number, with items or a choice behind it. */
function finished(tasks: Readonly<Record<string, readonly [number, (number | string)?]>>): FinishedTaskColumns {
  const rows = Object.entries(tasks).map(([key, [sequence, fact]]) => {
    const [step, path] = key.split("/") as [string, string];
    return { step, path, sequence: sequence as TaskSequence, fact };
  });
  return {
    count: rows.length,
    sequences: rows.map(({ sequence }) => sequence),
    steps: rows.map(({ step }) => step),
    paths: rows.map(({ path }) => path),
    statuses: rows.map(() => "succeeded"),
    fanOuts: rows.map(({ fact }) => (typeof fact === "number" ? fact : undefined)),
    choices: rows.map(({ fact }) => (typeof fact === "string" ? fact : undefined)),
    valueReads: rows.map(() => undefined),
    unfinished: [],
  };
}

const nested = checkGraph(
  flowOf({
    start: { next: "each", foreach: "xs" },
    each: { next: "inner", foreach: "ys", arity: 1 },
    inner: { next: "collect", arity: 1 },
    collect: { next: "gather", join: true },
    gather: { next: { yes: "left", no: "end" }, join: true },
    left: { next: "end" },
    end: {},
  }),
);

const tasks = finished({
  "start/": [1, 2],
  "each/0": [2, 1],
  "each/1": [3, 2],
  "inner/0.0": [10],
  "inner/1.0": [11],
  "inner/1.1": [12],
  "collect/0": [20],
  "collect/1": [21],
  "gather/": [30, "yes"],
  "left/": [31],
  "end/": [32],
});

const again = (step: string, path: string) => taskAgain(nested, tasks, { step, path });

describe("a task of a recorded run as it was made ready", () => {
  test("an item of a nested foreach", () => {
    expect(again("inner", "1.1")).toMatchObject({ path: "1.1", inherits: 3, item: { split: 3, index: 1 } });
  });

  test("joins with their inputs in order and what was before", () => {
    expect(again("collect", "1")).toMatchObject({
      inputs: [
        { from: "inner", task: 11 },
        { from: "inner", task: 12 },
      ],
      before: 3,
    });
    expect(again("gather", "")).toMatchObject({
      inputs: [
        { from: "collect", task: 20 },
        { from: "collect", task: 21 },
      ],
      before: 1,
    });
  });

  test("the first step, and the last", () => {
    expect(again("start", "")).not.toHaveProperty("inherits");
    expect(again("end", "")).toMatchObject({ inherits: 31 });
  });

  test("nothing for what was never reached", () => {
    expect(again("inner", "0.7")).toBeUndefined();
    const failed = finished({ "start/": [1, 2] });
    expect(taskAgain(nested, failed, { step: "gather", path: "" })).toBeUndefined();
  });
});
