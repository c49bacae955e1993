import { describe, expect, test } from "vitest";
import { newRunId } from "../../../packages/core/src/ids/run-id.ts";
import { digestOf, newRun, noon, runner, tick } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

export function afterClose(under: MetadataStoreUnderTest): void {
  describe("after close", () => {
    test("every call is refused, and close may be called again", async () => {
      const run = await under.store.createRun(newRun());
      const store = under.store;
      await store.close();
      await store.close();
      const sequence = run.sequence;
      const calls: readonly (() => Promise<unknown>)[] = [
        () => store.info(),
        () => store.run(sequence),
        () => store.runById(newRunId()),
        () => store.runByNumber({ name: "Train" }, 1),
        () => store.runs({}),
        () => store.countRuns({}),
        () => store.flows(),
        () => store.tags({}),
        () => store.tagEvents({}),
        () => store.runValues(sequence),
        () => store.upstreams(sequence),
        () => store.reads(sequence),
        () => store.consumers(run.id),
        () => store.lineage({ runs: [run.id], direction: "up" }),
        () => store.lineageRuns([run.id]),
        () => store.artifactTask(1 as never, "x"),
        () => store.taskReads(1 as never),
        () => store.task(1 as never),
        () => store.tasks({ run: sequence }),
        () => store.taskCounts(sequence),
        () => store.ownArtifacts(1 as never),
        () => store.visibleArtifacts(1 as never),
        () => store.visibleArtifact(1 as never, "x"),
        () => store.itemPage(1 as never, 0),
        () => store.blob(digestOf("x")),
        () => store.logs({ task: 1 as never }),
        () => store.runLogs({ run: sequence, after: 0 as never, limit: 1 }),
        () => store.logEnd(),
        () => store.package(digestOf("x")),
        () => store.signatures(sequence),
        () => store.addSignature(sequence, { keyId: digestOf("x"), statement: "{}", signature: "" }),
        () => store.createRun(newRun()),
        () => store.executions(sequence),
        () => store.childRun({ run: sequence, step: "s", path: "", call: 0, inputsDigest: digestOf("x") }),
        () => store.childRuns(sequence),
        () => store.childRunCount(sequence),
        () => store.childCall(sequence),
        () => store.importRuns({ runs: [], packages: [], blobs: () => [] }),
        () => store.finishedTasks(sequence),
        () => store.cacheEntries(digestOf("x"), 1),
        () => store.beginExecution({ run: sequence, runner, actor: "a", command: [], at: noon }),
        () => store.heartbeat(sequence, 1, noon),
        () => store.reserveTasks(1),
        () => store.commitTick(tick({ run: sequence })),
        () => store.finishRun({ run: sequence, execution: 1, status: "failed", finishedAt: noon }),
        () => store.putPackage({ digest: digestOf("x"), manifest: "", blobs: [] }),
        () => store.moveTags({ run: sequence, add: [], remove: [], actor: "a", host: "h", at: noon, via: "tag" }),
      ];
      for (const call of calls)
        await expect(call(), String(call)).rejects.toMatchObject({ code: "FLOW_METADATA_CLOSED" });
    });
    test("what was asked for before is done", async () => {
      const answers = Promise.all(Array.from({ length: 5 }, () => under.store.createRun(newRun())));
      await under.store.close();
      expect((await answers).map((run) => run.number)).toEqual([1, 2, 3, 4, 5]);
      const other = await under.fixture.reopen();
      expect(await other.countRuns({})).toBe(5);
      await other.close();
    });
  });
}
