import { describe, expect, test } from "vitest";
import type { RunRow, TagMove } from "../../../packages/core/src/metadata/metadata-store.ts";
import { verifyTagLog } from "../../../packages/core/src/metadata/tag-chain.ts";
import type { TagPolicy } from "../../../packages/core/src/metadata/tag-policy.ts";
import { newRun, noon } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

const BY = { actor: "ann", host: "north", at: noon, via: "tag" };

export function tagPoliciesVerb(under: MetadataStoreUnderTest): void {
  const move = (run: RunRow, add: readonly string[], more: Partial<TagMove> = {}): TagMove => ({
    run: run.sequence,
    add,
    remove: [],
    ...BY,
    ...more,
  });
  const setPolicy = (policy: TagPolicy, keepNewest = false) => under.store.setTagPolicy({ policy, keepNewest, ...BY });
  const finish = (run: RunRow, status: "succeeded" | "failed" = "succeeded") =>
    under.store.finishRun({ run: run.sequence, execution: 1, status, finishedAt: noon });
  const finished = async (tags: readonly string[] = []) => finish(await under.store.createRun(newRun({ tags })));
  const holders = async (tag: string) => (await under.store.runs({ tags: [tag] })).map(({ number }) => number);
  const problemsOf = async (work: Promise<unknown>) => {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown as { readonly code: string; readonly context: { readonly problems?: unknown } },
    );
    return error;
  };

  describe("tag policies", () => {
    describe("bad arguments", () => {
      test.each(["", "a\u0000", "*".repeat(11), "x".repeat(501)])("refuses the pattern %j", async (pattern) => {
        await expect(setPolicy({ pattern, exclusive: true })).rejects.toMatchObject({ code: "FLOW_TAG_BAD_POLICY" });
      });
      test("refuses a policy that asks for nothing, and an age that is none", async () => {
        for (const policy of [{}, { exclusive: false }, { maxAgeMs: 0 }, { maxAgeMs: 0.5 }, { allow: [" "] }])
          await expect(setPolicy({ pattern: "p", ...policy })).rejects.toMatchObject({ code: "FLOW_TAG_BAD_POLICY" });
        expect(await under.store.tagPolicies()).toEqual([]);
        expect(await under.store.tagEvents({})).toEqual([]);
      });
      test("refuses to remove one that is not there, and names those that are", async () => {
        await setPolicy({ pattern: "prod:*", exclusive: true });
        await expect(under.store.removeTagPolicy("prod", BY)).rejects.toMatchObject({
          code: "FLOW_TAG_NO_POLICY",
          hint: "There are prod:*",
        });
      });
    });

    test("are kept, replaced and removed, and every change is in the chained log", async () => {
      const policy = { pattern: "prod:*", exclusive: true, allow: ["bob", "ann"], requireChecks: ["V03", "V02"] };
      const [event] = await setPolicy(policy);
      expect(event).toMatchObject({ verb: "set-policy", tag: "prod:*", actor: "ann", move: 1 });
      expect(event).not.toHaveProperty("run");
      expect(await setPolicy(policy)).toEqual([]);
      expect(await under.store.tagPolicies()).toEqual([
        { pattern: "prod:*", exclusive: true, allow: ["ann", "bob"], requireChecks: ["V02", "V03"] },
      ]);
      await setPolicy({ pattern: "prod:*", exclusive: true, maxAgeMs: 5 });
      await setPolicy({ pattern: "a", protected: true });
      await under.store.removeTagPolicy("a", BY);
      expect(await under.store.tagPolicies()).toEqual([{ pattern: "prod:*", exclusive: true, maxAgeMs: 5 }]);
      const log = (await under.store.tagEvents({})).toReversed();
      expect(log.map(({ verb, tag }) => `${verb} ${tag}`)).toEqual([
        "set-policy prod:*",
        "set-policy prod:*",
        "set-policy a",
        "remove-policy a",
      ]);
      expect(verifyTagLog(log)).toMatchObject({ kind: "whole", events: 4 });
    });

    describe("exclusive", () => {
      test("takes the tag from the run that held it, in one move of two events", async () => {
        await setPolicy({ pattern: "prod:*", exclusive: true });
        const [first, second] = [await finished(), await finished()];
        await under.store.moveTags(move(first, ["prod:v1"]));
        const events = await under.store.moveTags(move(second, ["prod:v1"], { reason: "better" }));
        expect(events.map(({ verb, run, from, move: id }) => [verb, run, from, id])).toEqual([
          ["remove", first.id, undefined, events[0]!.sequence],
          ["add", second.id, first.id, events[0]!.sequence],
        ]);
        expect(await holders("prod:v1")).toEqual([second.number]);
        expect(verifyTagLog((await under.store.tagEvents({})).toReversed())).toMatchObject({ kind: "whole" });
      });
      test("counts within one flow: another flow keeps its own", async () => {
        await setPolicy({ pattern: "prod:*", exclusive: true });
        const train = await finished();
        const other = await finish(
          await under.store.createRun(newRun({ flow: { project: "shop", name: "Another" }, tags: [] })),
        );
        await under.store.moveTags(move(train, ["prod:v1"]));
        await under.store.moveTags(move(other, ["prod:v1"]));
        expect(await under.store.runs({ tags: ["prod:v1"] })).toHaveLength(2);
        expect((await under.store.holders(train.flow, "prod:v1")).map(({ id }) => id)).toEqual([train.id]);
      });
      test("is refused while several hold the tag, naming them; --keep newest keeps the newest successful one", async () => {
        const runs = [await finished(["p"]), await finished(["p"])];
        const failed = await finish(await under.store.createRun(newRun({ tags: ["p"] })), "failed");
        const [first, second, third] = [...runs, failed].map(({ flow, number }) => `${flow.name}/${number}`);
        await expect(setPolicy({ pattern: "p", exclusive: true })).rejects.toMatchObject({
          code: "FLOW_TAG_SEVERAL_HOLDERS",
          message: expect.stringContaining(`"p" is held by ${first}, ${third}, ${second}`),
          hint: expect.stringContaining(`flow tag remove ${first} p; flow tag remove ${third} p`),
        });
        expect(await under.store.tagPolicies()).toEqual([]);
        const events = await setPolicy({ pattern: "p", exclusive: true }, true);
        expect(events.map(({ verb }) => verb)).toEqual(["set-policy", "remove", "remove"]);
        expect(await holders("p")).toEqual([runs[1]!.number]);
      });
      test("of many moves at once one holds the tag, and none was without it", async () => {
        await setPolicy({ pattern: "prod:*", exclusive: true });
        const runs = await Promise.all(Array.from({ length: 6 }, () => finished()));
        const other = await under.fixture.reopen();
        await Promise.all(
          runs.flatMap((run) => [under.store, other].map((store) => store.moveTags(move(run, ["prod:v1"])))),
        );
        await other.close();
        expect(await holders("prod:v1")).toHaveLength(1);
        let held: string | undefined;
        for (const { verb, run } of (await under.store.tagEvents({ tag: "prod:v1" })).toReversed()) {
          expect(verb === "add" ? held : run).toBe(verb === "add" ? undefined : held);
          held = verb === "add" ? run : undefined;
        }
      });
    });

    test("what a policy asks for is refused all at once, and nothing moves", async () => {
      await setPolicy({ pattern: "prod:*", succeededOnly: true, reasonRequired: true, allow: ["bob"] });
      await setPolicy({ pattern: "*:v1", maxAgeMs: 1_000, requireChecks: ["V03"] });
      const failed = await finish(await under.store.createRun(newRun({ tags: [] })), "failed");
      const error = await problemsOf(
        under.store.moveTags(move(failed, ["prod:v1"], { at: new Date(noon.getTime() + 3_600_000) })),
      );
      const text = JSON.stringify(error);
      for (const code of ["NOT_ALLOWED", "REASON_REQUIRED", "NOT_SUCCEEDED", "TOO_OLD", "CHECK_FAILED"])
        expect(text, code).toContain(`FLOW_TAG_${code}`);
      expect(await holders("prod:v1")).toEqual([]);
      await under.store.removeTagPolicy("*:v1", BY);
      const alone = { actor: "bob", reason: "try" };
      await expect(under.store.moveTags(move(failed, ["prod:v1"], alone))).rejects.toMatchObject({
        code: "FLOW_TAG_NOT_SUCCEEDED",
        message: expect.stringContaining("is failed"),
      });
    });

    test("a policy is satisfied by who may, why, how young and what was checked", async () => {
      await setPolicy({
        pattern: "prod:*",
        succeededOnly: true,
        protected: true,
        reasonRequired: true,
        allow: ["ann"],
        requireChecks: ["V03"],
        maxAgeMs: 1_000,
      });
      const run = await finished();
      const checks = [{ id: "V03", status: "pass" }] as const;
      const late = { at: new Date(noon.getTime() + 3_600_000), reason: "incident", checks };
      const old = under.store.moveTags(move(run, ["prod:v1"], late));
      await expect(old).rejects.toMatchObject({ code: "FLOW_TAG_TOO_OLD" });
      await expect(
        under.store.moveTags(move(run, ["prod:v1"], { reason: "x", checks: [{ id: "V03", status: "fail" }] })),
      ).rejects.toMatchObject({ code: "FLOW_TAG_CHECK_FAILED" });
      const [event] = await under.store.moveTags(move(run, ["prod:v1"], { ...late, forceAge: true }));
      expect(event).toMatchObject({ verb: "add", checks, reason: "incident" });
      await expect(under.store.moveTags(move(run, [], { remove: ["prod:v1"] }))).rejects.toMatchObject({
        code: "FLOW_TAG_REASON_REQUIRED",
      });
      await expect(
        under.store.moveTags(move(run, [], { remove: ["prod:v1"], reason: "no", actor: "eve" })),
      ).rejects.toMatchObject({ code: "FLOW_TAG_NOT_ALLOWED" });
      expect((await under.store.run(run.sequence))!.tags).toEqual(["prod:v1"]);
    });

    test("compare and set: a move is refused when somebody else has moved the tag", async () => {
      const [first, second] = [await finished(["p"]), await finished()];
      await expect(under.store.moveTags(move(second, ["p"], { take: true, expect: second.id }))).rejects.toMatchObject({
        code: "FLOW_TAG_NOT_EXPECTED",
      });
      await expect(under.store.moveTags(move(second, ["p"], { take: true, expect: "none" }))).rejects.toMatchObject({
        code: "FLOW_TAG_NOT_EXPECTED",
      });
      await under.store.moveTags(move(second, ["p"], { take: true, expect: first.id }));
      expect(await holders("p")).toEqual([second.number]);
    });

    test("a run holds at most 50 tags; one with more may keep and lose them", async () => {
      const many = Array.from({ length: 50 }, (_, index) => `t${index}`);
      const run = await finished(many);
      await expect(under.store.moveTags(move(run, ["more"]))).rejects.toMatchObject({ code: "FLOW_TAG_TOO_MANY" });
      await under.store.moveTags(move(run, ["more"], { remove: ["t0"] }));
      expect((await under.store.run(run.sequence))!.tags).toHaveLength(50);
    });

    describe("a tag that a run is asked to take", () => {
      test("is asked for no more only by who may move it", async () => {
        await setPolicy({ pattern: "gold", allow: ["ann"] });
        const run = await under.store.createRun(newRun());
        await under.store.moveTags(move(run, ["gold"]));
        await expect(under.store.moveTags(move(run, [], { remove: ["gold"], actor: "mallory" }))).rejects.toMatchObject(
          { code: "FLOW_TAG_NOT_ALLOWED" },
        );
        expect(await under.store.tagRequests(run.sequence)).toMatchObject([{ tag: "gold", status: "waiting" }]);
        await under.store.moveTags(move(run, [], { remove: ["gold"] }));
        expect(await under.store.tagRequests(run.sequence)).toEqual([]);
      });

      test("is asked for no more once the run was given it by hand: it does not come back when the run goes on", async () => {
        await setPolicy({ pattern: "gold", exclusive: true });
        const run = await under.store.createRun(newRun());
        await under.store.moveTags(move(run, ["gold"]));
        const failed = await finish(run, "failed");
        await under.store.moveTags(move(failed, ["gold"]));
        expect(await under.store.tagRequests(run.sequence)).toEqual([]);
      });

      test("is held from its success on, and by the run that held it until then", async () => {
        const good = await finished(["prod:v1"]);
        await setPolicy({ pattern: "prod:*", exclusive: true });
        const run = await under.store.createRun(newRun({ tags: ["prod:v1", "free"], tagReason: "nightly" }));
        expect(run.tags).toEqual(["free"]);
        expect(await under.store.tagRequests(run.sequence)).toMatchObject([
          { tag: "prod:v1", status: "waiting", reason: "nightly", via: "run" },
        ]);
        expect(await holders("prod:v1")).toEqual([good.number]);
        expect((await finish(run)).tags).toEqual(["free", "prod:v1"]);
        expect(await holders("prod:v1")).toEqual([run.number]);
        const [event] = await under.store.tagEvents({ tag: "prod:v1", limit: 1 });
        expect(event).toMatchObject({ verb: "add", action: "request", from: good.id, reason: "nightly" });
        expect(await under.store.tagRequests(run.sequence)).toMatchObject([{ status: "moved" }]);
      });
      test("is never taken by a run that fails, and waits for it to go on", async () => {
        const good = await finished(["prod:v1"]);
        await setPolicy({ pattern: "prod:*", exclusive: true });
        const run = await under.store.createRun(newRun({ tags: ["prod:v1"] }));
        await finish(run, "failed");
        expect(await holders("prod:v1")).toEqual([good.number]);
        const begin = { run: run.sequence, at: noon, runner: { host: "north", pid: 1 }, actor: "ann", command: [] };
        const execution = await under.store.beginExecution(begin);
        await under.store.finishRun({ run: run.sequence, execution, status: "succeeded", finishedAt: noon });
        expect(await holders("prod:v1")).toEqual([run.number]);
      });
      test("is refused at the start by who asks, and then there is no run", async () => {
        await setPolicy({ pattern: "prod:*", allow: ["bob"] });
        await expect(under.store.createRun(newRun({ tags: ["prod:v1"] }))).rejects.toMatchObject({
          code: "FLOW_TAG_NOT_ALLOWED",
        });
        expect(await under.store.countRuns({})).toBe(0);
      });
      test("does not make a run fail: a policy that is set meanwhile is said to have refused it", async () => {
        await setPolicy({ pattern: "prod:*", exclusive: true });
        const run = await under.store.createRun(newRun({ tags: ["prod:v1"] }));
        await setPolicy({ pattern: "prod:*", exclusive: true, requireChecks: ["V03"] });
        expect(await finish(run)).toMatchObject({ status: "succeeded", tags: [] });
        expect(await under.store.tagRequests(run.sequence)).toMatchObject([
          { status: "refused", why: expect.stringContaining("check V03") },
        ]);
      });
      test("is given up when it is taken away before the run succeeds", async () => {
        await setPolicy({ pattern: "prod:*", exclusive: true });
        const run = await under.store.createRun(newRun({ tags: [] }));
        expect(await under.store.moveTags(move(run, ["prod:v1"]))).toEqual([]);
        expect(await under.store.tagRequests(run.sequence)).toMatchObject([{ tag: "prod:v1", via: "tag" }]);
        await under.store.moveTags(move(run, [], { remove: ["prod:v1"] }));
        expect((await finish(run)).tags).toEqual([]);
      });
    });
  });
}
