import { describe, expect, test } from "vitest";
import type { BeginExecution } from "../../../packages/core/src/metadata/execution.ts";
import type { RunSequence } from "../../../packages/core/src/metadata/metadata-store.ts";
import { digestOf, finished, finishedRun, newRun, noon, noSuchRun, runner, started, tick } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

const later = new Date(noon.getTime() + 60_000);
const second = { host: "south", pid: 8, startedAt: "1" };

export function begin(run: RunSequence, changes: Partial<BeginExecution> = {}): BeginExecution {
  return { run, runner: second, actor: "ann", command: ["flow", "resume"], at: later, ...changes };
}

export function beginExecutionVerb(under: MetadataStoreUnderTest): void {
  const error = { code: "FLOW_STEP_FAILED", name: "Error", message: "no" };

  describe("beginExecution", () => {
    test("refuses an unknown run, and one that succeeded, which stays as it is", async () => {
      await expect(under.store.beginExecution(begin(noSuchRun))).rejects.toMatchObject({
        code: "FLOW_METADATA_NO_RUN",
      });
      const done = await finishedRun(under.store, { tags: ["a"] });
      await expect(under.store.beginExecution(begin(done.sequence))).rejects.toMatchObject({
        code: "FLOW_METADATA_RUN_FINAL",
      });
      expect(await under.store.run(done.sequence)).toEqual(done);
    });

    test("refuses a run whose runner lives, by the name of its host and process", async () => {
      const run = await under.store.createRun(newRun());
      await expect(under.store.beginExecution(begin(run.sequence))).rejects.toMatchObject({
        code: "FLOW_METADATA_RUN_ALIVE",
        message: expect.stringMatching(/process 7 on "mill"/),
        context: { host: "mill", pid: 7, execution: 1 },
      });
      expect(await under.store.executions(run.sequence)).toHaveLength(1);
    });

    test.each(["failed", "cancelled"] as const)(
      "continues a %s run: what it ended with is taken back",
      async (status) => {
        const run = await under.store.createRun(newRun({ tags: ["a"] }));
        await under.store.commitTick(tick({ started: [started(run, 1)], finished: [finished(1)] }));
        await under.store.finishRun({
          run: run.sequence,
          execution: 1,
          status,
          finishedAt: noon,
          failure: { task: "x", error },
        });
        const options = { maxWorkers: 3 };
        const packageDigest = digestOf("package");
        under.fixture.here.time = later.getTime();
        const number = await under.store.beginExecution(begin(run.sequence, { options, packageDigest }));
        expect(number).toBe(2);
        expect(await under.store.run(run.sequence)).toEqual({
          ...run,
          execution: { number: 2, runner: second, startedAt: later, heartbeatAt: later },
        });
        expect(await under.store.executions(run.sequence)).toEqual([
          {
            run: run.sequence,
            number: 1,
            runner,
            actor: "miller",
            command: ["flow", "run", "train.ts"],
            options: {},
            startedAt: noon,
            heartbeatAt: noon,
            endedAt: noon,
            status,
          },
          {
            run: run.sequence,
            number: 2,
            runner: second,
            actor: "ann",
            command: ["flow", "resume"],
            packageDigest,
            options,
            startedAt: later,
            heartbeatAt: later,
            status: "running",
          },
        ]);
        expect(await under.store.runs({ tags: ["a"], status: "running" })).toMatchObject([{ id: run.id }]);
        expect(await under.store.runs({ tags: ["a"], status })).toEqual([]);
      },
    );

    test("continues a lost run: what was running is lost, and tried again as the next attempt", async () => {
      const run = await under.store.createRun(newRun());
      await under.store.commitTick(
        tick({ started: [started(run, 1), started(run, 2, { path: "1" })], finished: [finished(1)] }),
      );
      under.fixture.here.time += 30_000;
      expect(await under.store.beginExecution(begin(run.sequence))).toBe(2);
      expect(await under.store.executions(run.sequence)).toMatchObject([
        { status: "lost", endedAt: later },
        { status: "running" },
      ]);
      expect(await under.store.tasks({ run: run.sequence })).toMatchObject([
        { sequence: 1, status: "succeeded" },
        { sequence: 2, status: "lost", finishedAt: later },
      ]);
      const again = started(run, 3, { path: "1", attempt: 1 });
      await under.store.commitTick(tick({ execution: 2, started: [again], finished: [finished(3)] }));
      expect(await under.store.taskCounts(run.sequence)).toEqual([
        { step: "start", status: "succeeded", count: 2, attempts: 3, cached: 0 },
      ]);
      const done = { run: run.sequence, execution: 2, status: "succeeded" as const, finishedAt: later };
      expect(await under.store.finishRun({ ...done, endTask: 3 as never })).toMatchObject({ status: "succeeded" });
      expect(await under.store.executions(run.sequence)).toMatchObject([{}, { status: "succeeded", endedAt: later }]);
    });

    test("of two at once, one proceeds and the other is told", async () => {
      const run = await finishedRun(under.store, {}, "failed");
      const other = await under.fixture.reopen();
      under.fixture.here.time = later.getTime();
      const answers = await Promise.allSettled([
        under.store.beginExecution(begin(run.sequence)),
        other.beginExecution(begin(run.sequence)),
      ]);
      expect(answers.filter((answer) => answer.status === "fulfilled")).toMatchObject([{ value: 2 }]);
      expect(answers.filter((answer) => answer.status === "rejected")).toMatchObject([
        { reason: { code: "FLOW_METADATA_RUN_ALIVE" } },
      ]);
      await other.close();
    });

    test("fences the execution before: it writes nothing any more", async () => {
      const run = await under.store.createRun(newRun());
      await under.store.commitTick(tick({ started: [started(run, 1)] }));
      under.fixture.here.time += 30_000;
      await under.store.beginExecution(begin(run.sequence));
      const fenced = { code: "FLOW_METADATA_FENCED", context: { run: run.id, execution: 1, current: 2 } };
      const before = await under.store.tasks({ run: run.sequence });
      const late = tick({ run: run.sequence, finished: [finished(1)] });
      await expect(under.store.commitTick(late)).rejects.toMatchObject(fenced);
      await expect(under.store.commitTick(tick({ started: [started(run, 2, { path: "1" })] }))).rejects.toMatchObject(
        fenced,
      );
      const finish = { run: run.sequence, execution: 1, status: "failed" as const, finishedAt: later };
      await expect(under.store.finishRun(finish)).rejects.toMatchObject(fenced);
      await expect(under.store.heartbeat(run.sequence, 1, later)).rejects.toMatchObject(fenced);
      expect(await under.store.tasks({ run: run.sequence })).toEqual(before);
      expect(await under.store.executions(run.sequence)).toMatchObject([
        { status: "lost", heartbeatAt: noon },
        { status: "running" },
      ]);
    });
  });

  describe("heartbeat", () => {
    test("is shown with the run, and refused for one that is over or unknown", async () => {
      const run = await under.store.createRun(newRun());
      await under.store.heartbeat(run.sequence, 1, later);
      expect(await under.store.run(run.sequence)).toMatchObject({ execution: { startedAt: noon, heartbeatAt: later } });
      await expect(under.store.heartbeat(noSuchRun, 1, later)).rejects.toMatchObject({ code: "FLOW_METADATA_NO_RUN" });
      await under.store.finishRun({ run: run.sequence, execution: 1, status: "failed", finishedAt: noon });
      await expect(under.store.heartbeat(run.sequence, 1, later)).rejects.toMatchObject({
        code: "FLOW_METADATA_RUN_FINAL",
      });
    });
  });
}
