/** Collecting in a store whose records were changed or lost: what a repair can bring back stays, and what is in doubt is nobody's to decide. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deleteRuns } from "../../packages/core/src/admin/gc/delete-runs.ts";
import type { RunRow } from "../../packages/core/src/metadata/metadata-store.ts";
import { repairStore } from "../../packages/core/src/wiring/store-admin.ts";
import { BY, DAY, type GcStore, gcStore, large, small } from "./kit.ts";

let store: GcStore;
beforeEach(async () => {
  store = await gcStore();
});
afterEach(() => store[Symbol.asyncDispose]());

const old = { daysAgo: 100 };
const all = { olderThanMs: DAY, statuses: ["succeeded", "failed", "cancelled", "lost"] } as const;

describe("a value whose own record is lost", () => {
  test("is left while other records name it, so that a repair brings it back", async () => {
    const value = large("kept");
    const run = await store.run({ a: value });
    store.execute("PRAGMA foreign_keys = OFF; DELETE FROM blob");
    store.age(2);
    store.here.time += 2 * DAY;
    const dry = await store.gc({ graceMs: 0, dryRun: true });
    expect([dry.files.count, dry.named]).toEqual([0, { count: 1, bytes: expect.any(Number) }]);
    const { files, named } = await store.gc({ graceMs: 0 });
    expect([files.count, named]).toEqual([0, dry.named]);
    const place = { store: store.layout.folder, cwd: store.layout.folder, environment: {} };
    expect((await repairStore(place)).ok).toBe(true);
    expect(await store.valuesOf(run)).toEqual({ a: value });
    expect((await store.gc({ graceMs: 0 })).named.count).toBe(0);
  });

  test("goes with the last run that names it, and a dry run says so", async () => {
    await store.run({ a: large("gone") }, old);
    store.execute("PRAGMA foreign_keys = OFF; DELETE FROM blob");
    store.age(2);
    const dry = await store.gc({ ...all, graceMs: 0, dryRun: true });
    expect([dry.runs.count, dry.files.count, dry.named.count]).toEqual([1, 1, 0]);
    const wet = await store.gc({ ...all, graceMs: 0 });
    expect([wet.runs.count, wet.files.count, wet.named.count, store.files()]).toEqual([1, 1, 0, 0]);
  });

  test("of a code package is known by its manifest, which a repair ties it to again", async () => {
    const run = await store.run({ a: small("file of a package") });
    const digest = "SELECT lower(hex(digest)) FROM artifact LIMIT 1";
    store.execute(`INSERT INTO code_package SELECT zeroblob(32), json_object('files', json_array(json_object('name', 'a', 'digest', (${digest}))));
      UPDATE run SET package_digest = zeroblob(32)`);
    store.execute("PRAGMA foreign_keys = OFF; DELETE FROM artifact");
    await store.gc({ graceMs: 0 });
    expect([store.count("blob"), store.count("code_package"), run.number]).toEqual([1, 1, 1]);
  });
});

/** What is done to the second run, and what is said of it. */
const DOUBTS: readonly (readonly [name: string, sql: string, why: RegExp])[] = [
  [
    "a record that cannot be read",
    "UPDATE run SET environment = '[' WHERE sequence = 2",
    /"run.environment" holds no JSON/,
  ],
  ["a time that is none", "UPDATE run SET finished_at = -9 WHERE sequence = 2", /run.finished_at is no time: -9/],
  [
    "an end years before its begin",
    "UPDATE run SET finished_at = 5 WHERE sequence = 2",
    /run.finished_at lies years before run.created_at: 1970-01-01/,
  ],
  [
    "two states",
    "UPDATE run SET status = 'cancelled' WHERE sequence = 2",
    /cancelled by its own record, and succeeded by that/,
  ],
  [
    "a lost execution",
    "DELETE FROM execution WHERE run = 2",
    /execution 1 of Train\/2, its current one, is not recorded/,
  ],
  [
    "a runner that nobody can read",
    "UPDATE run SET status = 'running', finished_at = NULL WHERE sequence = 2; UPDATE execution SET runner = '{', status = 'running' WHERE run = 2",
    /"execution.runner" holds no JSON/,
  ],
  [
    "an artifact that its task did not leave",
    "UPDATE artifact SET name = 'b' WHERE task = 2",
    /Train\/2\/start#0 are not those that it left/,
  ],
  ["a tag that it has lost", "DELETE FROM run_tag", /does not hold "prod:v1", which the log of tags gave it/],
];

test.each(DOUBTS)("no policy decides over a run with %s; it goes when somebody names it", async (_name, sql, why) => {
  const runs: RunRow[] = [];
  for (const tags of [[], ["prod:v1"], []]) runs.push(await store.run({ x: small(1) }, { ...old, tags }));
  store.execute(`PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; ${sql}`);
  const policy = { ...all, keepTags: sql.includes("run_tag") ? ["prod:*"] : ["nothing"] };
  for (const dryRun of [true, false]) {
    const report = await store.gc({ ...policy, dryRun });
    expect(report.runs.count).toBe(2);
    expect(report.kept).toMatchObject([{ run: "Train/2" }]);
    expect(report.kept[0]!.because).toEqual(
      expect.arrayContaining([{ kind: "unfit", why: expect.stringMatching(why) }]),
    );
  }
  expect(store.count("run")).toBe(1);
  store.execute("DELETE FROM run_tag");
  await deleteRuns(store.records, [runs[1]!.sequence], { withLost: true, by: { ...BY, at: new Date() } });
  expect(store.count("run")).toBe(0);
});
