import { describe, expect, test } from "vitest";
import type { RunId } from "../ids/run-id.ts";
import { type CurrentRead, type CurrentTask, current, isInTask, recordCurrentRead, runAsTask } from "./current.ts";
import { seededRandom } from "./random.ts";

const run = {
  id: "0198c0de-0000-7000-8000-000000000001",
  name: "Train/17",
  flow: "Train",
  project: "shop",
  tags: ["test:v1"],
};
const task: CurrentTask = { run, step: "fold", path: "1.2", attempt: 1 };

function draws(of: CurrentTask, count = 3): readonly number[] {
  return runAsTask(of, () => Array.from({ length: count }, () => current.random()));
}

describe("current", () => {
  test("tells about the task, also after waiting and in functions that it calls", async () => {
    const told = await runAsTask(task, async () => {
      await Promise.resolve();
      return [current.run, current.step, current.path, current.task, current.attempt, current.index, isInTask()];
    });
    expect(told).toEqual([run, "fold", "1.2", "Train/17/fold/1.2", 1, 2, true]);
    expect(runAsTask({ ...task, step: "start", path: "" }, () => [current.task, current.index])).toEqual([
      "Train/17/start",
      undefined,
    ]);
  });

  test("is kept apart between tasks that run at the same time", async () => {
    const both = await Promise.all(
      ["0", "1"].map((path) =>
        runAsTask({ ...task, path }, async () => {
          await Promise.resolve();
          return current.path;
        }),
      ),
    );
    expect(both).toEqual(["0", "1"]);
  });

  test("is a coded error outside of a task", () => {
    expect(isInTask()).toBe(false);
    for (const key of ["run", "step", "path", "task", "attempt", "index"] as const) {
      expect(() => current[key]).toThrow(
        expect.objectContaining({
          code: "FLOW_FLOW_NOT_RUNNING",
          message: `Cannot read current.${key}: no task is running here`,
        }),
      );
    }
    expect(() => current.random()).toThrow(expect.objectContaining({ code: "FLOW_FLOW_NOT_RUNNING" }));
  });

  test("takes what is read while it runs, each task its own, and nothing outside of a task", async () => {
    const read = (artifact: string): CurrentRead => ({
      producer: "0198c0de-0000-7000-8000-000000000003" as RunId,
      artifact,
      codec: "cbor",
      digest: "a".repeat(64) as CurrentRead["digest"],
    });
    const taken: string[] = [];
    const readIn = (path: string) =>
      runAsTask({ ...task, path, recordRead: ({ artifact }) => taken.push(`${path}: ${artifact}`) }, async () => {
        await Promise.resolve();
        recordCurrentRead(read(`model ${path}`));
      });
    await Promise.all([readIn("0"), readIn("1")]);
    expect(taken.sort()).toEqual(["0: model 0", "1: model 1"]);
    expect(() => recordCurrentRead(read("model"))).not.toThrow();
    expect(() => runAsTask(task, () => recordCurrentRead(read("model")))).not.toThrow();
    expect(taken).toHaveLength(2);
  });

  test("is shared with another copy of the package", async () => {
    const copy = (await import(`./current.ts?${"copy"}`)) as typeof import("./current.ts");
    expect(copy.current === current).toBe(false);
    expect(runAsTask(task, () => copy.current.task)).toBe("Train/17/fold/1.2");
  });
});

describe("random numbers of a task", () => {
  test("are the same in every attempt and differ between tasks, steps and runs", () => {
    const first = draws(task);
    expect(draws({ ...task, attempt: 5 })).toEqual(first);
    const others = [
      draws({ ...task, path: "1.3" }),
      draws({ ...task, step: "other" }),
      draws({ ...task, run: { ...run, id: "0198c0de-0000-7000-8000-000000000002" } }),
    ];
    expect(new Set([first, ...others].map((numbers) => numbers.join())).size).toBe(4);
    expect(new Set(first).size).toBe(3);
  });

  test("never change between versions, since resumed runs rely on them", () => {
    // The same three numbers came from a second implementation of the generator in another language.
    expect(Array.from({ length: 3 }, seededRandom("millrace"))).toEqual([
      0.861639240678478, 0.19077868338650483, 0.7519344861384403,
    ]);
  });

  test("are spread evenly over [0, 1)", () => {
    const random = seededRandom("even");
    const counts = Array.from({ length: 10 }, () => 0);
    for (let draw = 0; draw < 100_000; draw++) counts[Math.floor(random() * 10)]!++;
    // Nine degrees of freedom: chi-squared above 27.9 has a chance of 0.1 %; the seed is fixed, so this never flickers.
    expect(counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)).toBeLessThan(27.9);
  });
});
