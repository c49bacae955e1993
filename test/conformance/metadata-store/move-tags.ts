import { describe, expect, test } from "vitest";
import type { TagMove } from "../../../packages/core/src/metadata/metadata-store.ts";
import { TAG_LOG_START, verifyTagLog } from "../../../packages/core/src/metadata/tag-chain.ts";
import { newRun, noon, noSuchRun } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

export function moveTagsVerb(under: MetadataStoreUnderTest): void {
  const move = (run: number, add: readonly string[], remove: readonly string[] = [], reason?: string): TagMove => ({
    run: run as never,
    add,
    remove,
    actor: "ann",
    host: "north",
    at: noon,
    via: "tag",
    ...(reason === undefined ? {} : { reason }),
  });

  describe("moveTags", () => {
    describe("bad arguments", () => {
      test("refuses an unknown run", async () => {
        await expect(under.store.moveTags(move(noSuchRun, ["a"]))).rejects.toMatchObject({
          code: "FLOW_METADATA_NO_RUN",
        });
      });
      test.each(["", "a\u0000", " ", "\u2028", "\ud800"])("refuses the tag %j and moves none", async (tag) => {
        const run = await under.store.createRun(newRun({ tags: ["held"] }));
        const bad = { code: "FLOW_METADATA_BAD_ARGUMENT" };
        await expect(under.store.moveTags(move(run.sequence, ["fine", tag]))).rejects.toMatchObject(bad);
        await expect(under.store.moveTags(move(run.sequence, [], ["held", tag]))).rejects.toMatchObject(bad);
        expect(await under.store.run(run.sequence)).toMatchObject({ tags: ["held"] });
      });
      test("refuses to add and remove one tag at once", async () => {
        const run = await under.store.createRun(newRun());
        await expect(under.store.moveTags(move(run.sequence, ["a"], ["a"]))).rejects.toMatchObject({
          code: "FLOW_METADATA_BAD_ARGUMENT",
        });
      });
      test("refuses a reason that is too long for the log, of a move, a policy or a new run", async () => {
        const run = await under.store.createRun(newRun({ tags: ["held"] }));
        const bad = { code: "FLOW_METADATA_BAD_ARGUMENT", message: expect.stringContaining("reason has 262146 bytes") };
        const reason = "é".repeat(128 * 1024 + 1);
        const by = { ...move(run.sequence, ["a"]), reason };
        await expect(under.store.moveTags(by)).rejects.toMatchObject(bad);
        await expect(under.store.setTagPolicy({ ...by, policy: { pattern: "a" } })).rejects.toMatchObject(bad);
        const named = { ...move(run.sequence, []), policy: { pattern: "a", allow: ["ann", "x".repeat(256 * 1024)] } };
        await expect(under.store.setTagPolicy(named)).rejects.toMatchObject({ code: "FLOW_TAG_BAD_POLICY" });
        await expect(under.store.removeTagPolicy("a", by)).rejects.toMatchObject(bad);
        await expect(under.store.createRun(newRun({ tagReason: reason }))).rejects.toMatchObject(bad);
        expect(await under.store.runs({ limit: 10 })).toMatchObject([{ tags: ["held"] }]);
      });
      test.each([0, -5, 0.5])("refuses a page of %d events", async (limit) => {
        await expect(under.store.tagEvents({ limit })).rejects.toMatchObject({ code: "FLOW_METADATA_BAD_ARGUMENT" });
      });
    });

    describe("behaviour", () => {
      test("adds and removes, and gives back an event for each change", async () => {
        const run = await under.store.createRun(newRun({ tags: ["a", "b"] }));
        const events = await under.store.moveTags(move(run.sequence, ["c", "b"], ["a", "never held"], "better score"));
        expect(events.map(({ verb, tag }) => `${verb} ${tag}`)).toEqual(["remove a", "add c"]);
        expect(events[0]).toMatchObject({
          run: run.id,
          actor: "ann",
          host: "north",
          at: noon,
          via: "tag",
          reason: "better score",
        });
        expect((await under.store.run(run.sequence))!.tags).toEqual(["b", "c"]);
        expect(await under.store.runs({ tags: ["a"] })).toEqual([]);
        expect(await under.store.moveTags(move(run.sequence, ["c"], ["a"]))).toEqual([]);
      });
      test("writes one chained log over all runs, newest first, in pages and by run and tag", async () => {
        const first = await under.store.createRun(newRun({ tags: ["a"] }));
        const second = await under.store.createRun(newRun());
        await under.store.moveTags(move(second.sequence, ["a", "ü 🌾, 3:x"], [], ""));
        await under.store.moveTags(move(first.sequence, [], ["a"], "old"));
        const events = await under.store.tagEvents({});
        expect(events.map((event) => event.sequence)).toEqual([4, 3, 2, 1]);
        expect(verifyTagLog(events.toReversed())).toEqual({ kind: "whole", events: 4, head: events[0]!.digest });
        expect(events[3]!.previous).toBe(TAG_LOG_START);
        expect(await under.store.tagEvents({ limit: 2 })).toEqual(events.slice(0, 2));
        expect(await under.store.tagEvents({ before: 3, limit: 1 })).toEqual([events[2]]);
        expect(await under.store.tagEvents({ run: first.id })).toEqual([events[0], events[3]]);
        expect(await under.store.tagEvents({ tag: "a" })).toEqual([events[0], events[2], events[3]]);
        expect(await under.store.tagEvents({ tag: "a", run: second.id, before: 4 })).toEqual([events[2]]);
        expect(events[1]).toMatchObject({ tag: "ü 🌾, 3:x", reason: "" });
      });
      test("keeps the chain whole when many move at once", async () => {
        const runs = await Promise.all(Array.from({ length: 5 }, () => under.store.createRun(newRun({ tags: ["t"] }))));
        const other = await under.fixture.reopen();
        await Promise.all(
          runs.flatMap((run, index) =>
            [under.store, other].map((store) => store.moveTags(move(run.sequence, [`n${index}`], ["t"]))),
          ),
        );
        await other.close();
        const events = await under.store.tagEvents({});
        expect(events).toHaveLength(5 + 5 * 2);
        expect(verifyTagLog(events.toReversed())).toMatchObject({ kind: "whole" });
      });
    });
  });
}
