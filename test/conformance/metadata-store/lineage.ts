import { describe, expect, test } from "vitest";
import { newRunId, type RunId } from "../../../packages/core/src/ids/run-id.ts";
import type { NewUpstream, RunRow, UpstreamRead } from "../../../packages/core/src/metadata/metadata-store.ts";
import { artifactOf, blobOf, digestOf, finished, newRun, noon, started, tick } from "./records.ts";
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

    test("links runs in both directions, with what was read along each", async () => {
      const { store } = under;
      const source = await store.createRun(newRun());
      const started1 = (run: RunRow, sequence: number) => started(run, sequence, { step: "fit", path: "1" });
      const run = await store.createRun(newRun({ upstreams: [upstream("source", { producer: source.id })] }));
      const other = newRunId();
      const read = (task: number, artifact: string, producer: RunId, named?: string): UpstreamRead => ({
        task: task as never,
        ...(named === undefined ? {} : { upstream: named }),
        producer,
        artifact,
        codec: "cbor",
        digest: digestOf(artifact),
      });
      await store.commitTick(
        tick({
          run: source.sequence,
          started: [started(source, 1)],
          finished: [finished(1)],
        }),
      );
      await store.commitTick(
        tick({
          run: run.sequence,
          started: [started(run, 2), started1(run, 3)],
          finished: [
            finished(2, { takenFrom: 1 as never }),
            finished(3, { cache: { key: digestOf("key"), reads: { "this.rows": "cbor 1" } } }),
          ],
          reads: [read(2, "rows", source.id, "source"), read(3, "rows", source.id, "source"), read(3, "model", other)],
        }),
      );
      const call = { run: run.sequence, step: "fit", path: "1", call: 0, inputsDigest: digestOf("inputs") };
      const child = await store.createRun(newRun({ parent: call }));
      const fork = await store.createRun(newRun({ origin: { run: run.id } }));

      const up = await store.lineage({ runs: [run.id, child.id, fork.id, newRunId()], direction: "up" });
      const selector = { kind: "tags", tags: ["prod:v1"] };
      const links = [
        { from: source.id, to: run.id, kind: "upstream", name: "source", selector },
        { from: child.id, to: run.id, kind: "call", step: "fit", path: "1" },
        { from: run.id, to: child.id, kind: "start", step: "fit", path: "1" },
        { from: run.id, to: fork.id, kind: "fork" },
        { from: source.id, to: run.id, kind: "cache", tasks: 1 },
      ];
      expect(up.links).toEqual(links);
      const rows = { artifact: "rows", codec: "cbor", digest: digestOf("rows") };
      const reads = [
        {
          from: source.id,
          to: run.id,
          upstream: "source",
          ...rows,
          tasks: 2,
          steps: ["fit", "start"],
          task: "fit/1",
        },
        {
          from: other,
          to: run.id,
          artifact: "model",
          codec: "cbor",
          digest: digestOf("model"),
          tasks: 1,
          steps: ["fit"],
          task: "fit/1",
        },
      ];
      const byArtifact = <T extends { artifact: string }>(list: readonly T[]) =>
        [...list].sort((left, right) => (left.artifact < right.artifact ? 1 : -1));
      expect(byArtifact(up.reads)).toEqual(reads);

      const down = await store.lineage({ runs: [source.id, run.id, child.id, other], direction: "down" });
      const sorted = (list: readonly object[]) => list.map((link) => JSON.stringify(link)).sort();
      expect(sorted(down.links)).toEqual(sorted(up.links));
      expect(byArtifact(down.reads)).toEqual(reads);
      const one = await store.lineage({ runs: [source.id, other], direction: "down", artifact: "model" });
      expect(one).toEqual({ links: [], reads: [reads[1]] });
      expect(await store.lineage({ runs: [], direction: "down" })).toEqual({ links: [], reads: [] });

      const known = await store.lineageRuns([run.id, newRunId(), run.id]);
      expect(known).toEqual({ runs: [await store.run(run.sequence)], deleted: [], values: [] });
      expect(await store.taskReads(3 as never)).toEqual(["this.rows"]);
      expect(await store.taskReads(2 as never)).toBeUndefined();
    });

    test("finds the task that set what another leaves visible", async () => {
      const run = await under.store.createRun(newRun());
      const [old, changed] = [artifactOf("rows", "old"), artifactOf("rows", "new")];
      await under.store.commitTick(
        tick({
          blobs: [blobOf("old"), blobOf("new")],
          started: [
            started(run, 1),
            started(run, 2, { step: "fit", inherits: 1 as never }),
            started(run, 3, { step: "end", inherits: 2 as never }),
          ],
          finished: [finished(1, { artifacts: [old] }), finished(2, { artifacts: [changed] }), finished(3)],
        }),
      );
      expect(await under.store.artifactTask(3 as never, "rows")).toBe(2);
      expect(await under.store.artifactTask(1 as never, "rows")).toBe(1);
      expect(await under.store.artifactTask(3 as never, "none")).toBeUndefined();
    });
  });
}
