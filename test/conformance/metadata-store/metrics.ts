import { describe, expect, test } from "vitest";
import type { RunRow } from "../../../packages/core/src/metadata/metadata-store.ts";
import type { MetricSeries } from "../../../packages/core/src/metadata/metric.ts";
import { finished, finishedRun, names, newRun, noon, started, tick } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

export function series(name: string, values: readonly number[], steps?: readonly number[]): MetricSeries {
  return {
    name,
    values: Float64Array.from(values),
    ...(steps === undefined ? {} : { steps: Float64Array.from(steps) }),
  };
}

export function metricsVerb(under: MetadataStoreUnderTest): void {
  describe("metrics", () => {
    const record = async (run: RunRow, task: number, metrics: readonly MetricSeries[], path = `${task}`) =>
      under.store.commitTick(
        tick({ started: [started(run, task, { path })], finished: [finished(task, { metrics })] }),
      );

    test("are read in the order in which they were recorded, with any number as it was", async () => {
      const run = await under.store.createRun(newRun());
      const values = [0.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1e-300, 2 ** 53, 3];
      await record(run, 1, [series("loss", values, [0, Number.NaN, 2, 2, 1, 7, 2 ** 53 - 1]), series("r2", [0.9])]);
      const query = { run: run.sequence, name: "loss" };
      const found = await under.store.metricValues(query);
      expect(found.map(({ value }) => value)).toEqual(values);
      expect(found.map(({ step }) => step)).toEqual([0, undefined, 2, 2, 1, 7, 2 ** 53 - 1]);
      expect(found.map(({ task, position }) => [task, position])).toEqual(values.map((_, at) => [1, at]));
      expect(await under.store.metricValues({ ...query, limit: 3, after: found[2]! })).toEqual(found.slice(3, 6));
      expect(await under.store.metricValues({ ...query, task: 2 as never })).toEqual([]);
      expect(await under.store.metricValues({ ...query, name: "r2" })).toEqual([{ task: 1, position: 0, value: 0.9 }]);
      await expect(under.store.metricValues({ ...query, limit: 0 })).rejects.toMatchObject({
        code: "FLOW_METADATA_BAD_ARGUMENT",
      });
    });

    test("of a run are the last values of its last task that has some, whatever is committed first", async () => {
      const run = await under.store.createRun(newRun());
      await record(run, 5, [series("loss", [3, 1], [0, 1])]);
      await record(run, 2, [series("loss", [9]), series("only", [Number.NaN])]);
      await record(run, 7, []);
      const last = [
        { name: "loss", task: 5, value: 1, step: 1 },
        { name: "only", task: 2, value: Number.NaN },
      ];
      expect(await under.store.runMetrics(run.sequence)).toEqual(last);
      await record(run, 8, [series("loss", [4])]);
      expect(await under.store.runMetrics(run.sequence)).toEqual([{ name: "loss", task: 8, value: 4 }, last[1]]);
      const reader = await under.fixture.openReadOnly();
      expect(await reader.runMetrics(run.sequence)).toHaveLength(2);
      await reader.close();
    });

    test("come with a task that is taken from the step cache, and with the tasks that a fork takes over", async () => {
      const run = await under.store.createRun(newRun());
      await record(run, 1, [series("loss", [3, 1], [0, 1]), series("r2", [0.5])], "");
      await record(run, 2, [series("other", [1])], "2");
      const other = await under.store.createRun(newRun());
      await under.store.reserveTasks(10);
      await under.store.commitTick(
        tick({ started: [started(other, 5)], finished: [finished(5, { takenFrom: 1 as never })] }),
      );
      expect(await under.store.runMetrics(other.sequence)).toEqual([
        { name: "loss", task: 5, value: 1, step: 1 },
        { name: "r2", task: 5, value: 0.5 },
      ]);
      const values = await under.store.metricValues({ run: other.sequence, name: "loss" });
      expect(values.map(({ value, step }) => [value, step])).toEqual([
        [3, 0],
        [1, 1],
      ]);

      await under.store.finishRun({ run: run.sequence, execution: 1, status: "failed", finishedAt: noon });
      const fork = await under.store.createRun(
        newRun({ origin: { run: run.id }, takeOver: { from: run.sequence, exceptSteps: [] } }),
      );
      const last = (await under.store.runMetrics(run.sequence)).map(({ task: _, ...rest }) => rest);
      expect(last.map(({ name }) => name)).toEqual(["loss", "other", "r2"]);
      expect((await under.store.runMetrics(fork.sequence)).map(({ task: _, ...rest }) => rest)).toEqual(last);
      await under.store.finishRun({ run: fork.sequence, execution: 1, status: "failed", finishedAt: noon });
      const partial = await under.store.createRun(
        newRun({ origin: { run: run.id }, takeOver: { from: run.sequence, exceptSteps: ["start"] } }),
      );
      expect(await under.store.runMetrics(partial.sequence)).toEqual([]);
    });

    test("sort runs: numbers first, in either order, of equal ones the newer; then the others, newest first", async () => {
      const values = [0.5, 0.9, undefined, Number.NaN, -1, 0.9, Number.POSITIVE_INFINITY, undefined];
      for (const [at, value] of values.entries()) {
        const run = await under.store.createRun(
          newRun({ parameters: { rate: at % 3, note: at === 4 ? null : `${at}` } }),
        );
        await record(run, at + 1, value === undefined ? [series("other", [at])] : [series("r2", [100, value])]);
      }
      await finishedRun(under.store, { flow: { project: "shop", name: "Other" } });
      const flow = { name: "Train" };
      const by = { metric: "r2" };
      const sorted = async (limit: number, order: "descending" | "ascending", more = {}) =>
        (await under.store.sortedRuns({ flow, limit, ...more }, { by, order })).map(({ number }) => number);
      expect(await sorted(50, "descending")).toEqual([7, 6, 2, 1, 5, 8, 4, 3]);
      expect(await sorted(50, "ascending")).toEqual([5, 1, 6, 2, 7, 8, 4, 3]);
      expect(await sorted(2, "descending")).toEqual([7, 6]);
      expect(await sorted(6, "descending")).toEqual([7, 6, 2, 1, 5, 8]);
      expect(await sorted(3, "descending", { metrics: [{ metric: "r2", is: "<", value: 1 }] })).toEqual([6, 2, 1]);
      expect(await sorted(9, "descending", { parameters: { rate: 1 } })).toEqual([2, 5, 8]);
      const all = await under.store.sortedRuns({ limit: 9 }, { by, order: "descending" });
      expect(names(all)).toEqual(
        [7, 6, 2, 1, 5].map((number) => `Train/${number}`).concat("Other/1", "Train/8", "Train/4", "Train/3"),
      );
      const byRate = await under.store.sortedRuns(
        { flow, limit: 4 },
        { by: { parameter: "rate" }, order: "descending" },
      );
      expect(byRate.map(({ number }) => number)).toEqual([6, 3, 8, 5]);
      const byNote = await under.store.sortedRuns({ flow }, { by: { parameter: "note" }, order: "ascending" });
      expect(byNote.map(({ number }) => number)).toEqual([1, 2, 3, 4, 6, 7, 8, 5]);
      await expect(under.store.sortedRuns({ limit: 0 }, { by, order: "ascending" })).rejects.toMatchObject({
        code: "FLOW_METADATA_BAD_ARGUMENT",
      });
    });

    test("find runs: their last values are compared, and a run without one fits nothing", async () => {
      for (const [at, value] of [0.5, 0.9, Number.NaN, 0.7].entries()) {
        const run = await under.store.createRun(newRun({ tags: at < 2 ? ["a"] : [] }));
        await record(run, at + 1, [series("r2", [value]), series("loss", [at])]);
      }
      await under.store.createRun(newRun());
      const found = async (...metrics: readonly [string, string, number][]) => {
        const query = {
          flow: { name: "Train" },
          metrics: metrics.map(([metric, is, value]) => ({ metric, is: is as "<", value })),
        };
        const rows = await under.store.runs(query);
        expect(await under.store.countRuns(query)).toBe(rows.length);
        return rows.map(({ number }) => number);
      };
      expect(await found(["r2", ">", 0.5])).toEqual([4, 2]);
      expect(await found(["r2", ">=", 0.5], ["loss", "<", 3])).toEqual([2, 1]);
      expect(await found(["r2", "=", 0.9])).toEqual([2]);
      expect(await found(["r2", "!=", 0.9])).toEqual([4, 1]);
      expect(await found(["r2", "<=", 0.7], ["loss", "!=", 0])).toEqual([4]);
      expect(names(await under.store.runs({ tags: ["a"], metrics: [{ metric: "r2", is: ">", value: 0.6 }] }))).toEqual([
        "Train/2",
      ]);
    });

    test("follow a flow that is renamed into another one", async () => {
      const run = await under.store.createRun(newRun({ flow: { project: "shop", name: "Old" } }));
      await record(run, 1, [series("r2", [0.5])]);
      await finishedRun(under.store, { flow: { project: "shop", name: "New" } });
      await finishedRun(under.store, { flow: { project: "shop", name: "New" }, formerly: ["Old"] });
      const sorted = await under.store.sortedRuns(
        { flow: { name: "New" } },
        { by: { metric: "r2" }, order: "descending" },
      );
      expect(names(sorted)[0]).toBe("Old/1");
    });
  });
}
