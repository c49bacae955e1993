import { describe, expect, test } from "vitest";
import { newRunId } from "../../../packages/core/src/ids/run-id.ts";
import { artifactOf, blobOf, digestOf, environment, names, newRun, noon, runner } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

export function createRunVerb(under: MetadataStoreUnderTest): void {
  describe("createRun", () => {
    describe("bad arguments", () => {
      test("refuses a run whose id is there, and counts no number for it", async () => {
        const run = await under.store.createRun(newRun());
        await expect(under.store.createRun(newRun({ id: run.id }))).rejects.toMatchObject({
          code: "FLOW_METADATA_CONFLICT",
        });
        expect((await under.store.createRun(newRun())).number).toBe(2);
      });
      test.each(["", " a", "a\n", "x".repeat(501), "e\u0301", "\u202eprod"])(
        "refuses the tag %j and keeps nothing of the run",
        async (tag) => {
          await expect(under.store.createRun(newRun({ tags: ["fine", tag] }))).rejects.toMatchObject({
            code: "FLOW_METADATA_BAD_ARGUMENT",
          });
          expect(await under.store.runs({})).toEqual([]);
          expect(await under.store.tagEvents({})).toEqual([]);
          expect(await under.store.flows()).toEqual([]);
        },
      );
      test("refuses a value whose bytes are not stored", async () => {
        const values = [{ ...artifactOf("seed", "7"), kind: "parameter" as const }];
        await expect(under.store.createRun(newRun({ values }))).rejects.toMatchObject({
          code: "FLOW_METADATA_MISSING_BLOB",
        });
        expect(await under.store.runs({})).toEqual([]);
      });
      test.each([10n, Number.NaN, () => 1])("refuses the parameter %s, which JSON has not", async (value) => {
        await expect(under.store.createRun(newRun({ parameters: { deep: [{ value }] } }))).rejects.toMatchObject({
          code: "FLOW_METADATA_BAD_ARGUMENT",
          message: expect.stringContaining("deep[0].value"),
        });
      });
    });

    describe("behaviour", () => {
      test("gives back what was written, and so does every way to read it", async () => {
        const id = newRunId();
        const written = await under.store.createRun(
          newRun({
            id,
            tags: ["test:v1", "größe", "a"],
            systemTags: ["node:24", "host:mill"],
            parameters: {
              seed: 7,
              nested: { b: [1, null, "x"], a: true },
              __proto__: undefined,
              constructor: "plain",
            } as never,
            secretParameters: ["token"],
            packageDigest: digestOf("package"),
          }),
        );
        expect(written).toEqual({
          sequence: written.sequence,
          id,
          flow: { project: "shop", name: "Train" },
          number: 1,
          status: "running",
          createdAt: noon,
          startedAt: noon,
          tags: ["a", "größe", "test:v1"],
          systemTags: ["host:mill", "node:24"],
          parameters: { seed: 7, nested: { b: [1, null, "x"], a: true }, constructor: "plain" },
          secretParameters: ["token"],
          packageDigest: digestOf("package"),
          environment,
          execution: { number: 1, runner, startedAt: noon, heartbeatAt: noon },
        });
        expect(await under.store.run(written.sequence)).toEqual(written);
        expect(await under.store.runById(id)).toEqual(written);
        expect(await under.store.runByNumber({ name: "Train" }, 1)).toEqual([written]);
        expect(await under.store.runByNumber({ project: "shop", name: "Train" }, 1)).toEqual([written]);
        expect(await under.store.runs({})).toEqual([written]);
        const other = await under.fixture.reopen();
        expect(await other.runById(id)).toEqual(written);
        await other.close();
      });
      test("numbers the runs of each flow from 1, and sequences over all", async () => {
        const runs = [];
        for (const name of ["Train", "Predict", "Train", "Train", "Predict"]) {
          runs.push(await under.store.createRun(newRun({ flow: { project: "shop", name } })));
        }
        runs.push(await under.store.createRun(newRun({ flow: { project: "other", name: "Train" } })));
        expect(names(runs)).toEqual(["Train/1", "Predict/1", "Train/2", "Train/3", "Predict/2", "Train/1"]);
        const sequences = runs.map((run) => run.sequence);
        expect(sequences).toEqual([...sequences].sort((left, right) => left - right));
        expect(new Set(sequences).size).toBe(6);
      });
      test("keeps the values of a run, by name, with their bytes", async () => {
        const values = [
          { ...artifactOf("seed", "7"), kind: "parameter" as const },
          { ...artifactOf("limits", "[1,2]"), kind: "constant" as const },
          { ...artifactOf("again", "7"), kind: "config" as const },
        ];
        const run = await under.store.createRun(newRun({ values, blobs: [blobOf("7"), blobOf("[1,2]"), blobOf("7")] }));
        expect(await under.store.runValues(run.sequence)).toEqual([values[2], values[1], values[0]]);
        expect(await under.store.blob(digestOf("7"))).toEqual(blobOf("7"));
        expect(await under.store.blob(digestOf("nothing"))).toBeUndefined();
      });
      test("keeps a blob that lies elsewhere as a row without bytes, and the first row of a digest", async () => {
        const far = {
          digest: digestOf("large"),
          sizeBytes: 5_000_000_000,
          storedBytes: 4_000_000_000,
          compression: "zstd" as const,
        };
        await under.store.createRun(newRun({ blobs: [far] }));
        await under.store.createRun(newRun({ blobs: [{ ...blobOf("large") }] }));
        expect(await under.store.blob(far.digest)).toEqual(far);
      });
      test("writes one event for each tag, as the run's own", async () => {
        const run = await under.store.createRun(newRun({ tags: ["b", "a", "b"], actor: "ann", host: "north" }));
        const events = await under.store.tagEvents({ run: run.id });
        expect(events.map(({ verb, tag, actor, host, via, at }) => ({ verb, tag, actor, host, via, at }))).toEqual(
          ["a", "b"].map((tag) => ({ verb: "add", tag, actor: "ann", host: "north", via: "run", at: noon })),
        );
      });
    });

    describe("of a renamed flow", () => {
      const named = (name: string, formerly: readonly string[] = []) =>
        newRun({ flow: { project: "shop", name }, formerly });

      test("goes on with the numbers and the history of its earlier name", async () => {
        await under.store.createRun(named("Train"));
        await under.store.createRun(named("Train"));
        expect((await under.store.createRun(named("Trainer", ["Train"]))).number).toBe(3);
        for (const name of ["Train", "Trainer"]) {
          expect(names(await under.store.runs({ flow: { name } }))).toEqual(["Trainer/3", "Train/2", "Train/1"]);
          expect(names(await under.store.runByNumber({ name }, 2))).toEqual(["Train/2"]);
          expect(await under.store.countRuns({ flow: { project: "shop", name } })).toBe(3);
        }
        expect((await under.store.flows()).map(({ flow, runs }) => [flow, runs])).toEqual([
          [{ project: "shop", name: "Trainer" }, 3],
        ]);
      });
      test("takes runs of the earlier name (an old branch) into the same numbers", async () => {
        await under.store.createRun(named("Trainer", ["Train"]));
        expect(names([await under.store.createRun(named("Train"))])).toEqual(["Train/2"]);
        expect(names([await under.store.createRun(named("Trainer"))])).toEqual(["Trainer/3"]);
      });
      test("joins two histories when the earlier name is declared late; names that were printed stay true", async () => {
        const old = await under.store.createRun({ ...named("Train"), tags: ["prod"] });
        await under.store.createRun(named("Train"));
        await under.store.createRun(named("Trainer"));
        const joined = await under.store.createRun(named("Trainer", ["Train"]));
        expect(joined.number).toBe(3);
        expect(names(await under.store.runs({ flow: { name: "Trainer" } }))).toEqual([
          "Trainer/3",
          "Trainer/1",
          "Train/2",
          "Train/1",
        ]);
        expect(names(await under.store.runByNumber({ name: "Trainer" }, 1))).toEqual(["Trainer/1"]);
        expect(names(await under.store.runByNumber({ name: "Train" }, 1))).toEqual(["Train/1"]);
        expect((await under.store.runs({ flow: { name: "Trainer" }, tags: ["prod"] })).map((run) => run.id)).toEqual([
          old.id,
        ]);
        expect((await under.store.tags({ flow: { name: "Trainer" } })).map(({ tag }) => tag)).toEqual(["prod"]);
        expect(await under.store.flows()).toEqual([
          { flow: { project: "shop", name: "Trainer" }, runs: 4, newest: joined.sequence },
        ]);
      });
      test("leaves a flow of the same name in another project alone", async () => {
        await under.store.createRun(newRun({ flow: { project: "other", name: "Train" } }));
        expect((await under.store.createRun(named("Trainer", ["Train"]))).number).toBe(1);
      });
    });
  });
}
