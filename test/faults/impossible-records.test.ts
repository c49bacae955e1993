/** Records that cannot be: times, lost executions, rows of another shape. Each is found, named, and keeps nobody from the rest. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { damageOf, StoreToHurt } from "./damage-kit.ts";

const store = new StoreToHurt();
beforeAll(() => store.write(), 120_000);
afterAll(() => store[Symbol.asyncDispose]());

const hurt = (sql: string): void => {
  store.heal();
  store.sql((db) => db.exec(sql));
};
const evidence = async (id: string): Promise<readonly string[]> =>
  damageOf((await store.verify({})).findings).flatMap((finding) => (finding.id === id ? [finding.evidence] : []));

describe("a time that cannot be", () => {
  test.each([
    [
      "UPDATE run SET created_at = 9e18 WHERE sequence = 2",
      /^Source\/2 has a time that cannot be: run.created_at is no time: 9/,
    ],
    ["UPDATE run SET started_at = -1 WHERE sequence = 2", /^Source\/2 .*run.started_at is no time: -1/],
    [
      "UPDATE run SET finished_at = 7 WHERE sequence = 2",
      /^Source\/2 .*run.finished_at lies years before run.created_at: 1970-01-01 and 20/,
    ],
    ["UPDATE execution SET heartbeat_at = 9e15 WHERE run = 2", /^Source\/2 .*execution.heartbeat_at is no time/],
    [
      "UPDATE execution SET ended_at = 0 WHERE run = 2",
      /^Source\/2 .*execution.ended_at lies years before execution.started_at/,
    ],
    ["UPDATE task SET started_at = -5 WHERE step = 'gather'", /^Source\/\d\/gather .*task.started_at is no time/],
    [
      "UPDATE task SET finished_at = 5 WHERE step = 'gather'",
      /^Source\/\d\/gather .*task.finished_at lies years before/,
    ],
    ["UPDATE upstream SET resolved_at = 9e15", /^Reader\/1 .*upstream.resolved_at is no time/],
    ["UPDATE log SET at = -1 WHERE sequence = 1", /^Source\/1\/work\/\d .*log.at is no time/],
    ["UPDATE gone_artifact SET gone_at = 9e15", /^Brief\/1\/start .*gone_artifact.gone_at is no time/],
    [
      "INSERT INTO cache_entry SELECT zeroblob(32), min(sequence), '{}', -1 FROM task",
      /^Source\/1\/start .*cache_entry.created_at is no time/,
    ],
  ])("is damage that names its run: %s", async (sql, words) => {
    hurt(sql);
    expect(await evidence("S06")).toEqual(expect.arrayContaining([expect.stringMatching(words)]));
    expect((await store.repair()).ok).toBe(false);
  });

  test("fails the validation of its run, and a clock that was set back by days does not", async () => {
    hurt("UPDATE run SET finished_at = 7 WHERE sequence = 2");
    expect(await store.validate("Source/2")).toEqual([
      expect.stringMatching(/^V00 .*run.finished_at lies years before/),
    ]);
    hurt("UPDATE run SET finished_at = created_at - 86400000 WHERE sequence = 2");
    expect(await store.validate("Source/2")).toEqual([]);
    expect((await store.verify({})).ok).toBe(true);
  });
});

test("a lost execution is found by verify and validate", async () => {
  hurt("DELETE FROM execution WHERE run = 2");
  expect(await evidence("S06")).toEqual(["execution 1 of Source/2, its current one, is not recorded"]);
  expect(await store.validate("Source/2")).toEqual([
    expect.stringMatching(/^V00 .*execution 1 of Source\/2, its current one/),
  ]);
});

describe("validating without a selector", () => {
  test.each([
    ["a run that cannot be read", "UPDATE run SET parameters = '[' WHERE sequence = 2", ["Source/2"]],
    ["an upstream that cannot be read", "UPDATE upstream SET candidates = '{}'", ["Reader/1"]],
  ])("%s fails, and the others are judged", async (_name, sql, failing) => {
    hurt(sql);
    for (const words of [[], ["--all"]]) {
      const { code, stdout } = await store.project.flow(["validate", ...words, "--json", "--store", store.folder]);
      const report = JSON.parse(stdout);
      expect(code).toBe(1);
      const named = (ok: boolean) => report.runs.filter((run: any) => run.ok === ok).map(({ run }: any) => run);
      expect(named(false)).toEqual(failing);
      expect(named(true)).toEqual(
        words.length === 0
          ? ["Reader/1"].filter((run) => !failing.includes(run))
          : expect.arrayContaining(["Source/1", "Brief/1"]),
      );
      const said = report.checks.filter(({ id, status }: any) => id === "V00" && status === "fail");
      expect(said).toMatchObject([{ subject: { run: failing[0] }, evidence: expect.stringContaining(failing[0]!) }]);
    }
  });
});
