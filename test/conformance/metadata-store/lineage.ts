import { describe, expect, test } from "vitest";
import { newRunId } from "../../../packages/core/src/ids/run-id.ts";
import type { NewUpstream, UpstreamRead } from "../../../packages/core/src/metadata/metadata-store.ts";
import { digestOf, finished, newRun, noon, started, tick } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

export function lineageVerb(under: MetadataStoreUnderTest): void {
  describe("lineage", () => {
    const upstream = (name: string, changes: Partial<NewUpstream> = {}): NewUpstream => ({
      name,
      flow: { project: "shop", name: "Generate" },
      selector: { kind: "tags", tags: ["prod:v1"] },
      candidateCount: 2,
      candidates: ["Generate/2", "Generate/1"],
      resolvedAt: noon,
      ...changes,
    });

    test("keeps the upstreams of a run by name, resolved or not", async () => {
      const producer = newRunId();
      const upstreams = [
        upstream("source", { producer }),
        upstream("maybe", {
          flow: { name: "Elsewhere" },
          selector: { kind: "sameAs", path: ["model", "source"] },
          candidateCount: 0,
          candidates: [],
        }),
      ];
      const run = await under.store.createRun(newRun({ upstreams }));
      expect(await under.store.upstreams(run.sequence)).toEqual([
        { ...upstreams[1], run: run.sequence },
        { ...upstreams[0], run: run.sequence },
      ]);
    });
    test("finds the consumers of a run, newest first, each once", async () => {
      const producer = newRunId();
      const runs = [];
      for (let index = 0; index < 3; index++) {
        runs.push(
          await under.store.createRun(
            newRun({ upstreams: [upstream("a", { producer }), upstream("b", { producer })] }),
          ),
        );
      }
      await under.store.createRun(newRun({ upstreams: [upstream("a", { producer: newRunId() })] }));
      expect(await under.store.consumers(producer)).toEqual(runs.toReversed());
      expect(await under.store.consumers(producer, 2)).toEqual(runs.toReversed().slice(0, 2));
      expect(await under.store.consumers(newRunId())).toEqual([]);
    });
    test("keeps each read once, by task", async () => {
      const run = await under.store.createRun(newRun());
      const other = await under.store.createRun(newRun());
      const producer = newRunId();
      const read = (task: number, artifact: string, named?: string): UpstreamRead => ({
        task: task as never,
        ...(named === undefined ? {} : { upstream: named }),
        producer,
        artifact,
        codec: "cbor",
        digest: digestOf(artifact),
      });
      await under.store.commitTick(
        tick({
          started: [started(run, 1), started(run, 2, { path: "1" })],
          finished: [finished(1)],
          reads: [read(2, "rows", "source"), read(1, "rows", "source"), read(1, "model", "source"), read(1, "rows")],
        }),
      );
      await under.store.commitTick(tick({ started: [started(other, 3)], reads: [read(3, "rows")] }));
      await under.store.commitTick(tick({ run: run.sequence, reads: [read(1, "rows", "source")] }));
      expect(await under.store.reads(run.sequence)).toEqual([
        read(1, "rows"),
        read(1, "model", "source"),
        read(1, "rows", "source"),
        read(2, "rows", "source"),
      ]);
    });
  });
}
