import { describe, expect, test } from "vitest";
import { HEARTBEAT_LIMIT_MS } from "../../../packages/core/src/metadata/liveness.ts";
import type { MetadataReader, RunSequence } from "../../../packages/core/src/metadata/metadata-store.ts";
import { finished, finishedRun, names, newRun, noon, started, tick } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

export function livenessVerb(under: MetadataStoreUnderTest): void {
  describe("a run whose runner is dead", () => {
    /** Everything that says a status, from one reader. */
    async function shown(store: MetadataReader, run: RunSequence) {
      const row = (await store.run(run))!;
      return {
        status: row.status,
        byId: (await store.runById(row.id))!.status,
        byNumber: (await store.runByNumber(row.flow, row.number)).map((each) => each.status),
        running: names(await store.runs({ status: "running" })),
        lost: names(await store.runs({ status: "lost" })),
        all: (await store.runs({})).map((each) => each.status),
        counts: [await store.countRuns({ status: "running" }), await store.countRuns({ status: "lost" })],
        tasks: (await store.tasks({ run })).map((task) => task.status),
        task: (await store.task(2 as never))!.status,
        lostTasks: (await store.tasks({ run, status: "lost" })).map((task) => task.sequence),
        runningTasks: (await store.tasks({ run, status: "running" })).map((task) => task.sequence),
        taskCounts: (await store.taskCounts(run)).map(({ status, count }) => `${count} ${status}`),
      };
    }
    const alive = {
      status: "running",
      byId: "running",
      byNumber: ["running"],
      running: ["Train/1"],
      lost: [],
      all: ["running"],
      counts: [1, 0],
      tasks: ["succeeded", "running"],
      task: "running",
      lostTasks: [],
      runningTasks: [2],
      taskCounts: ["1 running", "1 succeeded"],
    };
    const lost = {
      status: "lost",
      byId: "lost",
      byNumber: ["lost"],
      running: [],
      lost: ["Train/1"],
      all: ["lost"],
      counts: [0, 1],
      tasks: ["succeeded", "lost"],
      task: "lost",
      lostTasks: [2],
      runningTasks: [],
      taskCounts: ["1 lost", "1 succeeded"],
    };

    async function running(changes: Parameters<typeof newRun>[0] = {}) {
      const run = await under.store.createRun(newRun(changes));
      await under.store.commitTick(
        tick({ started: [started(run, 1), started(run, 2, { path: "1" })], finished: [finished(1)] }),
      );
      return run;
    }

    test("is shown as lost by every reader once its heartbeat is too old, and nothing is written", async () => {
      const run = await running();
      const { here } = under.fixture;
      here.time = noon.getTime() + HEARTBEAT_LIMIT_MS;
      expect(await shown(under.store, run.sequence)).toEqual(alive);
      here.time += 1;
      expect(await shown(under.store, run.sequence)).toEqual(lost);
      const reader = await under.fixture.openReadOnly();
      expect(await shown(reader, run.sequence)).toEqual(lost);
      await reader.close();
      await under.store.heartbeat(run.sequence, 1, new Date(here.time));
      expect(await shown(under.store, run.sequence)).toEqual(alive);
    });

    test("is lost at once when its process can be seen to be gone, and lives as long as it does", async () => {
      const { here } = under.fixture;
      const mine = { ...here.self, pid: 4_000, startedAt: "77" };
      const run = await running({ execution: { runner: mine, command: [] } });
      here.processes.set(4_000, "77");
      here.time += 365 * 86_400_000; // no jump of the clock and no long sleep makes it lost
      expect(await shown(under.store, run.sequence)).toEqual(alive);
      here.processes.set(4_000, "78"); // another process has its number now
      expect(await shown(under.store, run.sequence)).toEqual(lost);
      here.time = noon.getTime();
      here.processes.delete(4_000);
      expect(await shown(under.store, run.sequence)).toEqual(lost);
    });

    test("is found among others: statuses filter by what is shown, in pages, newest first", async () => {
      const { here } = under.fixture;
      const dead = { ...here.self, pid: 4_001, startedAt: "1" };
      for (let index = 0; index < 4; index++) {
        await under.store.createRun(newRun({ tags: ["t"], execution: { runner: dead, command: [] } }));
        await under.store.createRun(newRun({ tags: ["t"] }));
        await finishedRun(under.store, { tags: ["t"] });
      }
      const [all, tagged] = [{ flow: { name: "Train" } }, { flow: { name: "Train" }, tags: ["t"] }];
      for (const query of [all, tagged]) {
        const lostRuns = await under.store.runs({ ...query, status: "lost" });
        expect(names(lostRuns)).toEqual(["Train/10", "Train/7", "Train/4", "Train/1"]);
        const first = await under.store.runs({ ...query, status: "lost", limit: 2 });
        expect(names(first)).toEqual(["Train/10", "Train/7"]);
        const before = first.at(-1)!.sequence;
        expect(names(await under.store.runs({ ...query, status: "lost", limit: 2, before }))).toEqual([
          "Train/4",
          "Train/1",
        ]);
        expect(names(await under.store.runs({ ...query, status: "running" }))).toEqual([
          "Train/11",
          "Train/8",
          "Train/5",
          "Train/2",
        ]);
        expect(await under.store.countRuns({ ...query, status: "running" })).toBe(4);
        expect(await under.store.countRuns({ ...query, status: "lost" })).toBe(4);
        expect(await under.store.countRuns(query)).toBe(12);
      }
    });
  });
}
