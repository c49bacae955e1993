import { describe, expect, test } from "vitest";
import { artifactOf, blobOf, digestOf, finished, newRun, noon, noSuchTask, started, tick } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

export function cacheVerb(under: MetadataStoreUnderTest): void {
  describe("tasks under a key", () => {
    const key = digestOf("key");
    const page = { first: 0, count: 2, codec: "cbor", digest: digestOf("page"), sizeBytes: 4 };

    test.each([0, -1, 1.5])("refuses a page of %d entries", async (limit) => {
      await expect(under.store.cacheEntries(key, limit)).rejects.toMatchObject({ code: "FLOW_METADATA_BAD_ARGUMENT" });
    });

    test("are found by it, newest first, with what they read and how they ended", async () => {
      const run = await under.store.createRun(newRun());
      const reads = [{ rows: "text:1" }, { rows: "text:2", "rate ü": "x" }, {}];
      await under.store.commitTick(
        tick({
          started: [1, 2, 3, 4].map((sequence) => started(run, sequence, { path: `${sequence}` })),
          finished: [
            finished(1, { cache: { key, reads: reads[0]! }, fanOut: 2 }),
            finished(2, { cache: { key, reads: reads[1]! }, choice: "left" }),
            finished(3, { cache: { key: digestOf("other"), reads: reads[2]! } }),
            finished(4),
          ],
        }),
      );
      const entry = { run: run.sequence, createdAt: new Date(noon.getTime() + 1_000) };
      const at = (path: string) => ({ flow: run.flow.name, number: run.number, step: "start", path });
      expect(await under.store.cacheEntries(key, 10)).toEqual([
        { ...entry, task: 2, reads: reads[1], choice: "left", at: at("2") },
        { ...entry, task: 1, reads: reads[0], fanOut: 2, at: at("1") },
      ]);
      expect(await under.store.cacheEntries(key, 1)).toMatchObject([{ task: 2 }]);
      expect(await under.store.cacheEntries(digestOf("none"), 1)).toEqual([]);
    });

    test("are found by a second key as well, under which they list what they read", async () => {
      const run = await under.store.createRun(newRun());
      const cache = { key, reads: { "this.rows": "cbor 1" }, listing: digestOf("listing") };
      await under.store.commitTick(tick({ started: [started(run, 1)], finished: [finished(1, { cache })] }));
      const found = await under.store.cacheEntries(digestOf("listing"), 10);
      expect(found).toMatchObject([{ task: 1, reads: cache.reads }]);
      expect(await under.store.cacheEntries(key, 10)).toEqual(found);
    });

    test("are found by the taker of a task, but for those of its own run", async () => {
      const [run, other] = [await under.store.createRun(newRun()), await under.store.createRun(newRun())];
      await under.store.commitTick(
        tick({ started: [started(run, 1)], finished: [finished(1, { cache: { key, reads: {} } })] }),
      );
      const taker = under.fixture.openTaskReader();
      const query = { exceptRun: other.sequence, limit: 5 };
      expect(taker.cacheEntries(key, query)).toEqual(await under.store.cacheEntries(key, 5));
      expect(taker.cacheEntries(key, query)).toHaveLength(1);
      expect(taker.cacheEntries(key, { ...query, exceptRun: run.sequence })).toEqual([]);
      taker.close();
    });

    test("say where the bytes of their artifacts and pages are kept", async () => {
      const run = await under.store.createRun(newRun());
      const { stored: _, ...outside } = blobOf("2");
      await under.store.commitTick(
        tick({
          started: [started(run, 1)],
          blobs: [blobOf("page"), blobOf("1"), outside],
          finished: [
            finished(1, { pages: [page], fanOut: 2, artifacts: [artifactOf("x", "1"), artifactOf("y", "2")] }),
          ],
        }),
      );
      const taker = under.fixture.openTaskReader();
      const inline = (text: string, isInline: boolean) => {
        const { digest, compression, storedBytes } = blobOf(text);
        return { digest, compression, storedBytes, isInline };
      };
      const byDigest = (left: { digest: string }, right: { digest: string }) => (left.digest < right.digest ? -1 : 1);
      expect(taker.blobsOfTask(1 as never).toSorted(byDigest)).toEqual(
        [inline("page", true), inline("1", true), inline("2", false)].toSorted(byDigest),
      );
      expect(taker.blobsOfTask(noSuchTask as never)).toEqual([]);
      taker.close();
    });

    test("are offered by tasks that succeeded alone", async () => {
      const run = await under.store.createRun(newRun());
      for (const status of ["failed", "caught", "skipped", "cancelled", "lost"] as const) {
        const bad = tick({
          started: [started(run, 1)],
          finished: [finished(1, { status, cache: { key, reads: {} } })],
        });
        await expect(under.store.commitTick(bad)).rejects.toMatchObject({ code: "FLOW_METADATA_BAD_ARGUMENT" });
      }
      expect(await under.store.cacheEntries(key, 9)).toEqual([]);
    });

    test.each(["together", "apart"])("give their artifacts and pages to a task that takes them (%s)", async (how) => {
      const run = await under.store.createRun(newRun());
      await under.store.commitTick(
        tick({
          started: [started(run, 1), started(run, 2, { path: "1", inherits: 1 as never })],
          blobs: ["page", "1", "2"].map(blobOf),
          finished: [
            finished(1, { artifacts: [artifactOf("before", "1")] }),
            finished(2, { pages: [page], fanOut: 2, artifacts: [artifactOf("x", "1"), artifactOf("y", "2")] }),
          ],
        }),
      );
      const other = await under.store.createRun(newRun());
      const begins = [started(other, 3)];
      const ends = [finished(3, { takenFrom: 2 as never, fanOut: 2 })];
      if (how === "together") await under.store.commitTick(tick({ started: begins, finished: ends }));
      else {
        await under.store.commitTick(tick({ started: begins }));
        await under.store.commitTick(tick({ run: other.sequence, finished: ends }));
      }
      expect(await under.store.task(3 as never)).toMatchObject({
        status: "succeeded",
        fanOut: 2,
        origin: { task: 2, kind: "cache" },
      });
      expect(await under.store.ownArtifacts(3 as never)).toEqual([artifactOf("x", "1"), artifactOf("y", "2")]);
      expect(await under.store.itemPage(3 as never, 1)).toEqual({ split: 3, ...page });
    });

    test("are taken from a task that is there and succeeded, or from none", async () => {
      const run = await under.store.createRun(newRun());
      await under.store.commitTick(tick({ started: [started(run, 1)], finished: [finished(1, { status: "failed" })] }));
      const take = (takenFrom: number) =>
        under.store.commitTick(
          tick({
            started: [started(run, 2, { path: "1" })],
            finished: [finished(2, { takenFrom: takenFrom as never })],
          }),
        );
      await expect(take(1)).rejects.toMatchObject({ code: "FLOW_METADATA_BAD_ARGUMENT" });
      expect(await under.store.task(2 as never)).toBeUndefined();
    });

    test("leave a task begun when the one that it would take is not there any more, and say so", async () => {
      const run = await under.store.createRun(newRun());
      const taker = await under.store.createRun(newRun());
      await under.store.commitTick(tick({ started: [started(run, 1)], finished: [finished(1)] }));
      const { codec, digest } = artifactOf("x", "1");
      const read = { task: 2 as never, producer: run.id, artifact: "x", codec, digest };
      const ends = [finished(2, { takenFrom: noSuchTask as never }), finished(3, { takenFrom: 1 as never })];
      const begins = [started(taker, 2), started(taker, 3, { path: "1" })];
      const notTaken = await under.store.commitTick(
        tick({ run: taker.sequence, started: begins, finished: ends, reads: [read] }),
      );
      expect(notTaken).toEqual([2]);
      expect(await under.store.task(2 as never)).toMatchObject({ status: "running" });
      expect((await under.store.task(2 as never))!.origin).toBeUndefined();
      expect(await under.store.task(3 as never)).toMatchObject({ status: "succeeded", origin: { task: 1 } });
      expect(await under.store.reads(taker.sequence)).toEqual([]);
      // It ends later, as any other task.
      expect(await under.store.commitTick(tick({ run: taker.sequence, finished: [finished(2)] }))).toEqual([]);
      expect(await under.store.task(2 as never)).toMatchObject({ status: "succeeded" });
    });
  });
}
