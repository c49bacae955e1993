import { describe, expect, test } from "vitest";
import { finished, newRun, noSuchRun, started, tick } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

export function finishedTasksVerb(under: MetadataStoreUnderTest): void {
  describe("what a task was and did", () => {
    test.each(["together", "apart"])("is kept, also when its end comes %s with its beginning", async (how) => {
      const run = await under.store.createRun(newRun());
      const error = { code: "FLOW_STEP_FAILED", name: "Error", message: "no" };
      const begins = ["0", "1", "2", "3", "4"].map((path, index) => started(run, index + 1, { path, attempt: 1 }));
      const facts = [
        { status: "caught" as const, error, valueReads: ["rate", "seed"], durationMs: 12.5 },
        { status: "skipped" as const, valueReads: [] },
        { status: "cancelled" as const, cancelledBy: "Train/1/start/3" },
        { status: "failed" as const, error, durationMs: 0 },
        { status: "lost" as const },
      ];
      const ends = facts.map((fact, index) => finished(index + 1, fact));
      if (how === "together") await under.store.commitTick(tick({ started: begins, finished: ends }));
      else {
        await under.store.commitTick(tick({ started: begins }));
        await under.store.commitTick(tick({ run: run.sequence, finished: ends }));
      }
      const { finishedAt } = ends[0]!;
      expect(await under.store.tasks({ run: run.sequence })).toEqual(
        begins.map((task, index) => ({ ...task, finishedAt, ...facts[index] })),
      );
    });

    test("of a run that ends without success: its running tasks are cancelled by its failure", async () => {
      const run = await under.store.createRun(newRun());
      await under.store.commitTick(tick({ started: [started(run, 1)] }));
      const failure = { task: "Train/1/fit/3", error: { code: "X", name: "Error", message: "no" } };
      const finish = { run: run.sequence, execution: 1, finishedAt: new Date() };
      await under.store.finishRun({ ...finish, status: "failed", failure });
      expect(await under.store.task(1 as never)).toMatchObject({ status: "cancelled", cancelledBy: "Train/1/fit/3" });
      const other = await under.store.createRun(newRun());
      await under.store.commitTick(tick({ started: [started(other, 2)] }));
      await under.store.finishRun({ ...finish, run: other.sequence, status: "cancelled", cancelledBy: "Ctrl-C" });
      expect(await under.store.task(2 as never)).toMatchObject({ status: "cancelled", cancelledBy: "Ctrl-C" });
    });
  });

  describe("finishedTasks", () => {
    test("gives the newest attempt of each place, if successors can build on it, and the places that are open", async () => {
      const run = await under.store.createRun(newRun());
      const at = (sequence: number, step: string, path: string, attempt: number) =>
        started(run, sequence, { step, path, attempt });
      await under.store.commitTick(
        tick({
          started: [
            at(1, "start", "", 1),
            at(2, "fit", "0", 1),
            at(3, "fit", "1", 1),
            at(4, "fit", "10", 1),
            at(5, "fit", "0", 2),
            at(6, "fit", "1", 2),
            at(7, "pick", "", 1),
            at(8, "fit", "2", 1),
            at(9, "fit", "2", 2),
            at(10, "fit", "3", 1),
          ],
          finished: [
            finished(1, { fanOut: 4, valueReads: ["rate"] }),
            finished(2, { status: "failed" }),
            finished(3, { status: "failed" }),
            finished(4, { status: "skipped", valueReads: [] }),
            finished(5, { status: "caught", valueReads: ["rate", "seed"] }),
            finished(6, { status: "failed" }),
            finished(7, { choice: "left" }),
            finished(8),
            finished(9, { status: "lost" }),
          ],
        }),
      );
      expect(await under.store.finishedTasks(run.sequence)).toEqual({
        count: 4,
        sequences: [5, 4, 7, 1],
        steps: ["fit", "fit", "pick", "start"],
        paths: ["0", "10", "", ""],
        statuses: ["caught", "skipped", "succeeded", "succeeded"],
        fanOuts: [undefined, undefined, undefined, 4],
        choices: [undefined, undefined, "left", undefined],
        valueReads: [["rate", "seed"], [], undefined, ["rate"]],
        unfinished: [
          { step: "fit", path: "1", attempt: 2 },
          { step: "fit", path: "2", attempt: 2 },
          { step: "fit", path: "3", attempt: 1 },
        ],
      });
    });
    test("of a run without tasks, or of none, are none", async () => {
      const run = await under.store.createRun(newRun());
      for (const sequence of [run.sequence, noSuchRun])
        expect(await under.store.finishedTasks(sequence)).toMatchObject({ count: 0, sequences: [], unfinished: [] });
    });
    test("of a task that was tried again, the older attempts count as attempts and not as tasks", async () => {
      const run = await under.store.createRun(newRun());
      const attempts = [1, 2, 3].map((attempt) => started(run, attempt, { attempt }));
      await under.store.commitTick(
        tick({
          started: [...attempts, started(run, 4, { path: "1", attempt: 1 })],
          finished: [finished(1, { status: "failed" }), finished(2, { status: "lost" }), finished(3), finished(4)],
        }),
      );
      expect(await under.store.taskCounts(run.sequence)).toEqual([
        { step: "start", status: "succeeded", count: 2, attempts: 4, cached: 0 },
      ]);
    });
  });
}
