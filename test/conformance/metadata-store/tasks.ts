import { describe, expect, test } from "vitest";
import { artifactOf, blobOf, digestOf, finished, newRun, noSuchTask, started, tick } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

export function tasksVerb(under: MetadataStoreUnderTest): void {
  describe("reading tasks and artifacts", () => {
    test.each([0, -1, 1.5])("refuses a page of %d tasks", async (limit) => {
      await expect(under.store.tasks({ run: 1 as never, limit })).rejects.toMatchObject({
        code: "FLOW_METADATA_BAD_ARGUMENT",
      });
    });
    test("filters by step, path and status, in order of sequence, in pages", async () => {
      const run = await under.store.createRun(newRun());
      const other = await under.store.createRun(newRun());
      const all = Array.from({ length: 10 }, (_, index) =>
        started(run, 100 - index, { step: index % 2 === 0 ? "fit" : "score", path: `${index}` }),
      );
      await under.store.commitTick(
        tick({
          started: all,
          finished: [finished(92), finished(100)],
        }),
      );
      await under.store.commitTick(tick({ started: [started(other, 50, { step: "fit", path: "0" })] }));
      const numbers = async (query: object) =>
        (await under.store.tasks({ run: run.sequence, ...query })).map((task) => task.sequence);
      expect(await numbers({})).toEqual([91, 92, 93, 94, 95, 96, 97, 98, 99, 100]);
      expect(await numbers({ step: "fit" })).toEqual([92, 94, 96, 98, 100]);
      expect(await numbers({ step: "fit", path: "4" })).toEqual([96]);
      expect(await numbers({ step: "score", path: "4" })).toEqual([]);
      expect(await numbers({ status: "succeeded" })).toEqual([92, 100]);
      expect(await numbers({ after: 95, limit: 3 })).toEqual([96, 97, 98]);
      expect(await numbers({ step: "fit", after: 95, limit: 2 })).toEqual([96, 98]);
      expect(await under.store.taskCounts(run.sequence)).toEqual([
        { step: "fit", status: "running", count: 3, attempts: 3, cached: 0 },
        { step: "fit", status: "succeeded", count: 2, attempts: 2, cached: 0 },
        { step: "score", status: "running", count: 5, attempts: 5, cached: 0 },
      ]);
      expect(await under.store.task(noSuchTask)).toBeUndefined();
    });

    test("a task shows its own artifacts over those of the tasks it inherits from", async () => {
      const run = await under.store.createRun(newRun());
      await under.store.commitTick(
        tick({
          started: [
            started(run, 1),
            started(run, 2, { step: "middle", inherits: 1 as never }),
            started(run, 3, { step: "last", inherits: 2 as never }),
            started(run, 4, { step: "aside", inherits: 1 as never }),
          ],
          blobs: ["1", "2", "3"].map(blobOf),
          finished: [
            finished(1, { artifacts: [artifactOf("rows", "1"), artifactOf("seed", "1"), artifactOf("Z", "1")] }),
            finished(2, { artifacts: [artifactOf("seed", "2"), artifactOf("model", "2")] }),
            finished(3, { artifacts: [artifactOf("seed", "1"), artifactOf("__proto__", "3")] }),
          ],
        }),
      );
      expect(await under.store.ownArtifacts(2 as never)).toEqual([artifactOf("model", "2"), artifactOf("seed", "2")]);
      expect(await under.store.visibleArtifacts(1 as never)).toEqual([
        artifactOf("Z", "1"),
        artifactOf("rows", "1"),
        artifactOf("seed", "1"),
      ]);
      expect(await under.store.visibleArtifacts(3 as never)).toEqual([
        artifactOf("Z", "1"),
        artifactOf("__proto__", "3"),
        artifactOf("model", "2"),
        artifactOf("rows", "1"),
        artifactOf("seed", "1"),
      ]);
      expect(await under.store.visibleArtifacts(4 as never)).toEqual(await under.store.visibleArtifacts(1 as never));
      expect(await under.store.visibleArtifact(3 as never, "seed")).toEqual(artifactOf("seed", "1"));
      expect(await under.store.visibleArtifact(2 as never, "seed")).toEqual(artifactOf("seed", "2"));
      expect(await under.store.visibleArtifact(3 as never, "rows")).toEqual(artifactOf("rows", "1"));
      expect(await under.store.visibleArtifact(1 as never, "model")).toBeUndefined();
      expect(await under.store.visibleArtifacts(noSuchTask)).toEqual([]);
    });

    test("a chain of 3,000 tasks is walked to its beginning", async () => {
      const run = await under.store.createRun(newRun());
      const begins = Array.from({ length: 3_000 }, (_, index) =>
        started(run, index + 1, { path: `~${index}`, ...(index === 0 ? {} : { inherits: index as never }) }),
      );
      await under.store.commitTick(
        tick({ started: begins, blobs: [blobOf("x")], finished: [finished(1, { artifacts: [artifactOf("x", "x")] })] }),
      );
      expect(await under.store.visibleArtifact(3_000 as never, "x")).toEqual(artifactOf("x", "x"));
      expect(await under.store.visibleArtifacts(3_000 as never)).toEqual([artifactOf("x", "x")]);
    });

    test("the page of an item is found at both of its ends, and nowhere else", async () => {
      const run = await under.store.createRun(newRun());
      const page = (first: number, count: number) => ({
        first,
        count,
        codec: "cbor",
        digest: digestOf(`page ${first}`),
        sizeBytes: 6,
      });
      const pages = [page(0, 100), page(100, 100), page(200, 7)];
      await under.store.commitTick(
        tick({
          started: [started(run, 1), started(run, 2, { step: "empty" })],
          blobs: ["page 0", "page 100", "page 200"].map(blobOf),
          finished: [finished(1, { fanOut: 207, pages }), finished(2, { fanOut: 0 })],
        }),
      );
      for (const [index, at] of [
        [0, 0],
        [99, 0],
        [100, 1],
        [199, 1],
        [200, 2],
        [206, 2],
      ] as const) {
        expect(await under.store.itemPage(1 as never, index)).toEqual({ split: 1, ...pages[at] });
      }
      expect(await under.store.itemPage(1 as never, 207)).toBeUndefined();
      expect(await under.store.itemPage(1 as never, -1)).toBeUndefined();
      expect(await under.store.itemPage(2 as never, 0)).toBeUndefined();
    });
  });
}
