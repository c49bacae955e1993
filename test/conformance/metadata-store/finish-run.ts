import { describe, expect, test } from "vitest";
import { finished, newRun, noon, noSuchRun, noSuchTask, started, tick } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

export function finishRunVerb(under: MetadataStoreUnderTest): void {
  describe("finishRun", () => {
    test("refuses an unknown run", async () => {
      await expect(
        under.store.finishRun({ run: noSuchRun, execution: 1, status: "failed", finishedAt: noon }),
      ).rejects.toMatchObject({ code: "FLOW_METADATA_NO_RUN" });
    });
    test("refuses an end task that is unknown, of another run, or did not succeed", async () => {
      const run = await under.store.createRun(newRun());
      const other = await under.store.createRun(newRun());
      await under.store.commitTick(
        tick({
          started: [started(run, 1), started(run, 2, { path: "1" })],
          finished: [finished(2, { status: "failed" })],
        }),
      );
      await under.store.commitTick(tick({ started: [started(other, 3)], finished: [finished(3)] }));
      for (const endTask of [noSuchTask, 1, 2, 3] as never[]) {
        const finish = { run: run.sequence, execution: 1, status: "succeeded" as const, finishedAt: noon, endTask };
        await expect(under.store.finishRun(finish)).rejects.toMatchObject({ code: "FLOW_METADATA_BAD_ARGUMENT" });
      }
      expect(await under.store.run(run.sequence)).toMatchObject({ status: "running" });
    });

    test("keeps how the run ended", async () => {
      const run = await under.store.createRun(newRun({ tags: ["a"] }));
      await under.store.commitTick(tick({ started: [started(run, 1)], finished: [finished(1)] }));
      const done = await under.store.finishRun({
        run: run.sequence,
        execution: 1,
        status: "succeeded",
        finishedAt: noon,
        endTask: 1 as never,
      });
      expect(done).toEqual({ ...run, status: "succeeded", finishedAt: noon, endTask: 1 });
      expect(await under.store.run(run.sequence)).toEqual(done);
    });
    test("keeps what it failed of", async () => {
      const run = await under.store.createRun(newRun());
      const failure = {
        task: "Train/1/start",
        error: {
          code: "FLOW_STEP_FAILED",
          name: "Error",
          message: "no 🌾",
          cause: { code: "X", name: "Y", message: "z" },
        },
      };
      expect(
        await under.store.finishRun({ run: run.sequence, execution: 1, status: "failed", finishedAt: noon, failure }),
      ).toMatchObject({ status: "failed", failure });
    });
    test.each(["succeeded", "failed", "cancelled"] as const)(
      "of a run that is %s is refused, and changes nothing",
      async (status) => {
        const run = await under.store.createRun(newRun());
        const done = await under.store.finishRun({ run: run.sequence, execution: 1, status, finishedAt: noon });
        for (const again of ["succeeded", "failed", "cancelled"] as const) {
          const finish = { run: run.sequence, execution: 1, status: again, finishedAt: new Date() };
          await expect(under.store.finishRun(finish)).rejects.toMatchObject({ code: "FLOW_METADATA_RUN_FINAL" });
        }
        expect(await under.store.run(run.sequence)).toEqual(done);
      },
    );
    test("ends the run for tasks too: none begins and none ends in it any more", async () => {
      const run = await under.store.createRun(newRun());
      await under.store.commitTick(tick({ started: [started(run, 1)] }));
      await under.store.finishRun({ run: run.sequence, execution: 1, status: "cancelled", finishedAt: noon });
      const [left] = await under.store.tasks({ run: run.sequence, status: "cancelled" });
      expect(left).toMatchObject({ sequence: 1, status: "cancelled", finishedAt: expect.any(Date) });
      const final = { code: "FLOW_METADATA_RUN_FINAL" };
      await expect(under.store.commitTick(tick({ run: run.sequence, finished: [finished(1)] }))).rejects.toMatchObject(
        final,
      );
      await expect(under.store.commitTick(tick({ started: [started(run, 2, { path: "1" })] }))).rejects.toMatchObject(
        final,
      );
    });
    test("leaves tags movable", async () => {
      const run = await under.store.createRun(newRun());
      await under.store.finishRun({ run: run.sequence, execution: 1, status: "succeeded", finishedAt: noon });
      await under.store.moveTags({
        run: run.sequence,
        add: ["prod"],
        remove: [],
        actor: "a",
        host: "h",
        at: noon,
        via: "tag",
      });
      expect(await under.store.runs({ flow: { name: "Train" }, tags: ["prod"], status: "succeeded" })).toMatchObject([
        { id: run.id, tags: ["prod"] },
      ]);
    });
  });
}
