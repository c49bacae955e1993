import { describe, expect, test } from "vitest";
import { newRunId } from "../../../packages/core/src/ids/run-id.ts";
import { finishedRun, names, newRun, noSuchRun } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

export function runsVerb(under: MetadataStoreUnderTest): void {
  describe("reading runs", () => {
    describe("bad arguments", () => {
      test.each([0, -1, 1.5, 1_001, Number.NaN])("refuses a page of %d runs", async (limit) => {
        await expect(under.store.runs({ limit })).rejects.toMatchObject({ code: "FLOW_METADATA_BAD_ARGUMENT" });
      });
      test("gives nothing for what is not there", async () => {
        await under.store.createRun(newRun());
        expect(await under.store.run(noSuchRun)).toBeUndefined();
        expect(await under.store.runById(newRunId())).toBeUndefined();
        expect(await under.store.runByNumber({ name: "Train" }, 2)).toEqual([]);
        expect(await under.store.runByNumber({ name: "Nobody" }, 1)).toEqual([]);
        expect(await under.store.runByNumber({ project: "other", name: "Train" }, 1)).toEqual([]);
        expect(await under.store.runs({ flow: { name: "Nobody" } })).toEqual([]);
        expect(await under.store.countRuns({ flow: { name: "Nobody" } })).toBe(0);
        expect(await under.store.runs({ tags: ["nothing"] })).toEqual([]);
      });
      test("takes hostile texts as texts", async () => {
        await under.store.createRun(newRun({ tags: ["' OR 1=1 --", "%", "_"] }));
        expect(await under.store.runs({ tags: ["x' OR '1'='1"] })).toEqual([]);
        expect(await under.store.runs({ tags: ["a%"] })).toEqual([]);
        expect(await under.store.runs({ tags: ["' OR 1=1 --"] })).toHaveLength(1);
        expect(await under.store.runs({ flow: { name: '"; DROP TABLE run; --' } })).toEqual([]);
      });
    });

    test("the newest succeeded run with all tags is found among failed, running and other ones", async () => {
      await finishedRun(under.store, { tags: ["prod", "eu"] });
      const wanted = await finishedRun(under.store, { tags: ["prod", "eu", "more"] });
      await finishedRun(under.store, { tags: ["prod"] });
      await finishedRun(under.store, { tags: ["prod", "eu"] }, "failed");
      await finishedRun(under.store, { tags: ["prod", "eu"] }, "cancelled");
      await under.store.createRun(newRun({ tags: ["prod", "eu"] }));
      await finishedRun(under.store, { tags: ["prod", "eu"], flow: { project: "shop", name: "Predict" } });
      for (const tags of [
        ["prod", "eu"],
        ["eu", "prod"],
        ["eu", "prod", "eu"],
      ]) {
        const found = await under.store.runs({
          flow: { project: "shop", name: "Train" },
          tags,
          status: "succeeded",
          limit: 1,
        });
        expect(found.map((run) => run.id)).toEqual([wanted.id]);
      }
      expect(await under.store.countRuns({ flow: { name: "Train" }, tags: ["prod", "eu"], status: "succeeded" })).toBe(
        2,
      );
      expect(await under.store.countRuns({ flow: { name: "Train" }, tags: ["prod", "eu"] })).toBe(5);
      expect(await under.store.countRuns({ tags: ["prod", "eu"] })).toBe(6);
      expect(await under.store.countRuns({ tags: ["prod", "eu"], status: "succeeded" })).toBe(3);
      expect(await under.store.countRuns({ tags: ["prod", "eu"] }, 4)).toBe(4);
      expect(await under.store.countRuns({ tags: ["prod", "eu"] }, 7)).toBe(6);
      expect(await under.store.countRuns({ status: "succeeded" }, 2)).toBe(2);
    });
    test("names of runs are those of the records that the same query gives", async () => {
      for (const name of ["Train", "Predict"])
        for (const status of ["succeeded", "failed"] as const) {
          await finishedRun(under.store, { tags: ["prod", "eu"], flow: { project: "shop", name } }, status);
          await finishedRun(under.store, { tags: ["eu"], flow: { project: "shop", name } }, status);
        }
      const newest = await under.store.createRun(newRun());
      for (const query of [
        {},
        { limit: 3 },
        { before: newest.sequence },
        { flow: { name: "Train" } },
        { tags: ["eu"], status: "failed" },
        { flow: { name: "Predict" }, tags: ["eu", "prod"], status: "succeeded" },
        { status: "running" },
        { status: "lost" },
        { tags: ["nothing"] },
      ] as const) {
        const records = await under.store.runs(query);
        const shown = (await under.store.runNames(query)).map(({ sequence, flow, number }) => ({
          sequence,
          flow,
          number,
        }));
        expect(shown).toEqual(records.map(({ sequence, flow, number }) => ({ sequence, flow, number })));
      }
      expect(await under.store.runNames({})).toHaveLength(9);
    });
    test("a tag and a status are found in every flow", async () => {
      const train = await finishedRun(under.store, { tags: ["prod"] });
      const other = await finishedRun(under.store, { tags: ["prod"], flow: { project: "other", name: "Train" } });
      await finishedRun(under.store, { tags: ["prod"], flow: { project: "shop", name: "Predict" } }, "failed");
      const predict = await finishedRun(under.store, { tags: ["prod"], flow: { project: "shop", name: "Predict" } });
      await finishedRun(under.store, { tags: ["eu"] });
      const found = async (limit?: number) =>
        (await under.store.runs({ tags: ["prod"], status: "succeeded", ...(limit && { limit }) })).map(({ id }) => id);
      expect(await found()).toEqual([predict.id, other.id, train.id]);
      expect(await found(2)).toEqual([predict.id, other.id]);
    });
    test("tags are named in their order, those of one flow, from one on and as many as were looked at", async () => {
      await finishedRun(under.store, { tags: ["c", "a", "b"] });
      await finishedRun(under.store, { tags: ["a", "e"] });
      await finishedRun(under.store, { tags: ["d", "b"], flow: { project: "shop", name: "Predict" } });
      const named = (name: string, more: object = {}) => under.store.tagNames({ flow: { name }, limit: 10, ...more });
      expect(await named("Train")).toEqual(["a", "b", "c", "e"]);
      expect(await named("Predict")).toEqual(["b", "d"]);
      expect(await named("Train", { from: "b" })).toEqual(["b", "c", "e"]);
      expect(await named("Train", { from: "bb", limit: 2 })).toEqual(["c"]); // "d" is of another flow.
      expect(await named("Nobody")).toEqual([]);
      await expect(named("Train", { limit: 0 })).rejects.toMatchObject({ code: "FLOW_METADATA_BAD_ARGUMENT" });
    });
    test("newest is what was created last, however it is tagged, finished or dated", async () => {
      const first = await under.store.createRun(newRun({ createdAt: new Date("2030-01-01") }));
      const second = await under.store.createRun(newRun({ createdAt: new Date("2020-01-01") }));
      await under.store.finishRun({
        run: second.sequence,
        execution: 1,
        status: "succeeded",
        finishedAt: new Date("2020-01-02"),
      });
      await under.store.finishRun({
        run: first.sequence,
        execution: 1,
        status: "succeeded",
        finishedAt: new Date("2031-01-01"),
      });
      await under.store.moveTags({
        run: first.sequence,
        add: ["late"],
        remove: [],
        actor: "a",
        host: "h",
        at: new Date(),
        via: "tag",
      });
      expect(names(await under.store.runs({ status: "succeeded", limit: 1 }))).toEqual(["Train/2"]);
    });
    test("every filter, with every other, agrees with a plain filter over all runs", async () => {
      const flows = ["Train", "Predict"];
      const statuses = ["succeeded", "failed", undefined] as const;
      for (let index = 0; index < 36; index++) {
        const changes = {
          flow: { project: index % 5 === 0 ? "other" : "shop", name: flows[index % 2]! },
          tags: ["a", "b", "c"].filter((_, bit) => (index >> bit) & 1),
          parameters: { size: index % 3, deep: { y: 1, x: [index % 2] } },
        };
        const status = statuses[index % 3];
        if (status === undefined) await under.store.createRun(newRun(changes));
        else await finishedRun(under.store, changes, status);
      }
      const all = await under.store.runs({ limit: 1_000 });
      expect(all).toHaveLength(36);
      const queries = [];
      for (const flow of [undefined, { name: "Train" }, { project: "shop", name: "Predict" }])
        for (const status of [undefined, "succeeded", "running"] as const)
          for (const tags of [undefined, ["a"], ["c", "a"], ["a", "b", "c"]])
            for (const parameters of [undefined, { size: 2 }, { size: 0, deep: { x: [0], y: 1 } }])
              for (const before of [undefined, all[9]!.sequence])
                queries.push(
                  Object.fromEntries(
                    Object.entries({ flow, status, tags, parameters, before }).filter(
                      ([, value]) => value !== undefined,
                    ),
                  ),
                );
      for (const query of queries as Parameters<typeof under.store.runs>[0][]) {
        const expected = all.filter(
          (run) =>
            (query.flow === undefined ||
              (run.flow.name === query.flow.name && (query.flow.project ?? run.flow.project) === run.flow.project)) &&
            (query.status === undefined || run.status === query.status) &&
            (query.tags ?? []).every((tag) => run.tags.includes(tag)) &&
            (query.parameters?.size === undefined || run.parameters.size === query.parameters.size) &&
            (query.parameters?.deep === undefined ||
              JSON.stringify((run.parameters.deep as { x: unknown }).x) === "[0]"),
        );
        const older = expected.filter((run) => query.before === undefined || run.sequence < query.before);
        expect(names(await under.store.runs({ ...query, limit: 1_000 })), JSON.stringify(query)).toEqual(names(older));
        expect(await under.store.runs({ ...query, limit: 3 })).toEqual(older.slice(0, 3));
        expect(await under.store.countRuns(query), JSON.stringify(query)).toBe(expected.length);
      }
    });
    test("pages of 50 by default go on before the last of the page", async () => {
      for (let index = 0; index < 53; index++) await under.store.createRun(newRun());
      const first = await under.store.runs({});
      expect(first).toHaveLength(50);
      expect(names(await under.store.runs({ before: first.at(-1)!.sequence }))).toEqual([
        "Train/3",
        "Train/2",
        "Train/1",
      ]);
    });
    test("flows and tags are counted, flows by name, tags by use", async () => {
      await finishedRun(under.store, { tags: ["x", "rare"] });
      const newest = await finishedRun(under.store, { tags: ["x"] });
      const predict = await finishedRun(under.store, { tags: ["x", "b"], flow: { project: "shop", name: "Predict" } });
      expect(await under.store.flows()).toEqual([
        { flow: { project: "shop", name: "Predict" }, runs: 1, newest: predict.sequence },
        { flow: { project: "shop", name: "Train" }, runs: 2, newest: newest.sequence },
      ]);
      expect(await under.store.tags({})).toEqual([
        { tag: "x", runs: 3, newest: predict.sequence },
        { tag: "b", runs: 1, newest: predict.sequence },
        { tag: "rare", runs: 1, newest: newest.sequence - 1 },
      ]);
      expect(await under.store.tags({ flow: { name: "Train" } })).toEqual([
        { tag: "x", runs: 2, newest: newest.sequence },
        { tag: "rare", runs: 1, newest: newest.sequence - 1 },
      ]);
      expect(await under.store.tags({ flow: { name: "Nobody" } })).toEqual([]);
    });
    test("two projects with a flow of one name are told apart, and read together when no project is named", async () => {
      await finishedRun(under.store, { flow: { project: "a", name: "Train" }, tags: ["x"] });
      await finishedRun(under.store, { flow: { project: "b", name: "Train" }, tags: ["x"] });
      await finishedRun(under.store, { flow: { project: "a", name: "Train" }, tags: ["x"] });
      const shown = (rows: readonly { readonly flow: { readonly project: string }; readonly number: number }[]) =>
        rows.map((row) => `${row.flow.project} ${row.number}`);
      expect(shown(await under.store.runs({ flow: { name: "Train" } }))).toEqual(["a 2", "b 1", "a 1"]);
      expect(shown(await under.store.runs({ flow: { name: "Train" }, limit: 2 }))).toEqual(["a 2", "b 1"]);
      expect(shown(await under.store.runs({ flow: { project: "b", name: "Train" } }))).toEqual(["b 1"]);
      expect(shown(await under.store.runByNumber({ name: "Train" }, 1)).sort()).toEqual(["a 1", "b 1"]);
      expect((await under.store.tags({ flow: { name: "Train" } }))[0]).toMatchObject({ tag: "x", runs: 3 });
    });
    test("a store opened for reading gives the same, and refuses every write", async () => {
      const run = await finishedRun(under.store, { tags: ["x"] });
      const reader = await under.fixture.openReadOnly();
      expect(await reader.runs({ tags: ["x"] })).toEqual([run]);
      expect(await reader.info()).toEqual(await under.store.info());
      const writer = reader as typeof under.store;
      await expect(writer.createRun(newRun())).rejects.toMatchObject({ code: "FLOW_METADATA_READ_ONLY" });
      await expect(writer.reserveTasks(1)).rejects.toMatchObject({ code: "FLOW_METADATA_READ_ONLY" });
      const later = await finishedRun(under.store, { tags: ["x"] });
      expect((await reader.runs({ tags: ["x"] })).map((row) => row.id)).toEqual([later.id, run.id]);
      await reader.close();
    });
  });
}
