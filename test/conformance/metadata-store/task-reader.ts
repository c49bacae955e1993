import { describe, expect, test } from "vitest";
import { newRunId } from "../../../packages/core/src/ids/run-id.ts";
import { artifactOf, blobOf, digestOf, finished, newRun, noon, noSuchTask, started, tick } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

export function taskReaderVerb(under: MetadataStoreUnderTest): void {
  describe("a task's reader", () => {
    test("gives what the store gives, without awaiting, as soon as it is committed", async () => {
      const reader = under.fixture.openTaskReader();
      const upstreams = [
        {
          name: "source",
          flow: { name: "G" },
          selector: { kind: "newest" as const },
          producer: newRunId(),
          candidateCount: 1,
          candidates: ["G/1"],
          resolvedAt: noon,
        },
      ];
      const values = [{ ...artifactOf("seed", "7"), kind: "parameter" as const }];
      const run = await under.store.createRun(newRun({ tags: ["b", "a"], upstreams, values, blobs: [blobOf("7")] }));
      expect(reader.runById(run.id)).toEqual(run);
      expect(reader.runById(newRunId())).toBeUndefined();
      expect(reader.upstreams(run.sequence)).toEqual(await under.store.upstreams(run.sequence));
      expect(reader.runValues(run.sequence)).toEqual(values);

      const page = { first: 0, count: 2, codec: "cbor", digest: digestOf("page"), sizeBytes: 4 };
      await under.store.commitTick(
        tick({
          started: [started(run, 1), started(run, 2, { step: "fit", path: "0", inherits: 1 as never })],
          blobs: [
            blobOf("page"),
            blobOf("x"),
            { digest: digestOf("far"), sizeBytes: 9e9, storedBytes: 8e9, compression: "zstd" },
          ],
          finished: [
            finished(1, { fanOut: 2, pages: [page], artifacts: [artifactOf("x", "x")] }),
            finished(2, { artifacts: [artifactOf("y", "far"), artifactOf("x", "7")] }),
          ],
        }),
      );
      expect(reader.visibleArtifacts(2 as never)).toEqual([artifactOf("x", "7"), artifactOf("y", "far")]);
      expect(reader.visibleArtifacts(1 as never)).toEqual([artifactOf("x", "x")]);
      expect(reader.visibleArtifacts(noSuchTask)).toEqual([]);
      expect(new Set(reader.leftBy([2 as never, noSuchTask, 1 as never]))).toEqual(
        new Set([
          { task: 1, artifacts: [artifactOf("x", "x")] },
          { task: 2, inherits: 1, artifacts: [artifactOf("x", "7"), artifactOf("y", "far")] },
        ]),
      );
      expect(reader.leftBy([noSuchTask])).toEqual([]);
      expect(reader.itemPage(1 as never, 1)).toEqual({ split: 1, ...page });
      expect(reader.itemPage(1 as never, 2)).toBeUndefined();
      for (const text of ["page", "far", "none"])
        expect(reader.blob(digestOf(text))).toEqual(await under.store.blob(digestOf(text)));
      await under.store.commitTick(
        tick({
          started: [
            started(run, 3, { path: "1", inherits: 1 as never }),
            started(run, 4, { path: "2", inherits: 3 as never }),
          ],
          finished: [
            finished(3, { status: "caught", artifacts: [artifactOf("failure", "x")] }),
            finished(4, { status: "skipped" }),
          ],
        }),
      );
      for (const task of [3, 4] as never[])
        expect(reader.visibleArtifacts(task)).toEqual([artifactOf("failure", "x"), artifactOf("x", "x")]);
      await under.store.finishRun({
        run: run.sequence,
        execution: 1,
        status: "succeeded",
        finishedAt: noon,
        endTask: 4 as never,
      });
      expect(reader.runById(run.id)).toEqual(await under.store.run(run.sequence));
      reader.close();
      expect(() => reader.blob(digestOf("x"))).toThrow(expect.objectContaining({ code: "FLOW_METADATA_CLOSED" }));
    });
  });
}
