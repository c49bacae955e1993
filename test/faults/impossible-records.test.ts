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
    ["UPDATE execution SET heartbeat_at = 9e15 WHERE run = 2", /^Source\/2 .*execution.heartbeat_at is no time/],
    ["UPDATE task SET started_at = -5 WHERE step = 'gather'", /^Source\/\d\/gather .*task.started_at is no time/],
    ["UPDATE upstream SET resolved_at = 9e15", /^Reader\/1 .*upstream.resolved_at is no time/],
    ["UPDATE log SET at = -1 WHERE sequence = 1", /^Source\/1\/work\/\d .*log.at is no time/],
    ["UPDATE gone_artifact SET gone_at = 9e15", /^Brief\/1\/start .*gone_artifact.gone_at is no time/],
    [
      "INSERT INTO cache_entry SELECT zeroblob(32), min(sequence), '{}', -1, NULL FROM task",
      /^Source\/1\/start .*cache_entry.created_at is no time/,
    ],
  ])("is damage that names its run: %s", async (sql, words) => {
    hurt(sql);
    expect(await evidence("S06")).toEqual(expect.arrayContaining([expect.stringMatching(words)]));
    expect((await store.repair()).ok).toBe(false);
  });

  test("fails the validation of its run, and a clock that was set back does not, be it to 1970", async () => {
    hurt("UPDATE task SET finished_at = 9e15 WHERE step = 'gather'");
    expect(await store.validate("Source/1")).toEqual([
      expect.stringMatching(/^V00 .*Source\/1\/gather.*"finished_at" holds no time/),
    ]);
    for (const time of ["created_at - 86400000", "7"]) {
      hurt(`UPDATE run SET finished_at = ${time} WHERE sequence = 2`);
      expect(await store.validate("Source/2")).toEqual([]);
      expect((await store.verify({})).ok).toBe(true);
    }
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
      const { code, stdout } = await store.project.here(["validate", ...words, "--json", "--store", store.folder]);
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

const DELETED = `INSERT INTO deleted_run SELECT '01890000-0000-7000-8000-000000000000', 99, flow, project, flow_name, 1, 'failed', created_at,
  created_at, 'ann', 'north', 'flow runs delete', NULL FROM run WHERE flow_name = 'Failing';
  UPDATE flow SET last_number = 9`;
const TERMS = `INSERT INTO artifact_term SELECT run, sequence, 'kept', 1, NULL FROM task WHERE step = 'start'
  AND run = (SELECT sequence FROM run WHERE flow_name = 'Brief')`;

describe("what is left of a deleted run", () => {
  test("is no damage as a deletion leaves it", async () => {
    hurt(DELETED);
    expect(await evidence("S06")).toEqual([]);
  });

  test.each([
    [
      "UPDATE deleted_run SET id = (SELECT id FROM run WHERE flow_name = 'Failing')",
      /^Failing\/1 is recorded as deleted, and it is there/,
    ],
    ["UPDATE deleted_run SET sequence = 1", /^Failing\/1 is recorded as deleted, and Source\/1 has its place/],
    ["UPDATE deleted_run SET status = 'running'", /^Failing\/1 .*"running", in which no run is deleted/],
    ["UPDATE deleted_run SET number = 77", /^Failing\/77 .*given numbers up to 9/],
    ["UPDATE deleted_run SET number = -1", /^what is left of Failing\/-1/],
    ["UPDATE deleted_run SET id = 'x'", /^what is left of Failing\/1 \(x\)/],
    ["UPDATE deleted_run SET flow = 99", /^the flow of Failing\/1, which was deleted/],
    [
      "UPDATE deleted_run SET deleted_at = 9e15",
      /^what is left of Failing\/1 has a time that cannot be: deleted_run.deleted_at/,
    ],
    [
      "UPDATE deleted_run SET created_at = -1",
      /^what is left of Failing\/1 has a time that cannot be: deleted_run.created_at/,
    ],
  ])("is damage after %s", async (sql, words) => {
    hurt(`${DELETED}; ${sql}`);
    expect(await evidence("S06")).toEqual([expect.stringMatching(words)]);
  });
});

describe("when a value is given up", () => {
  test.each([
    [
      "is recorded, and its task said that it is kept",
      TERMS,
      /^"kept" of Brief\/1\/start is recorded to be given up \(transient\), and its task said/,
    ],
    [
      "is recorded for another run",
      `${TERMS}; UPDATE artifact_term SET run = 1`,
      /^when "kept" of Brief\/1\/start is given up is recorded for another run/,
    ],
    [
      "is not recorded, though its task said that it is",
      `INSERT INTO artifact SELECT task, name, codec, digest, size_bytes FROM gone_artifact; DELETE FROM gone_artifact`,
      /^the task Brief\/1\/start said that "big" is not kept for ever/,
    ],
  ])("%s: that is damage", async (_name, sql, words) => {
    hurt(sql);
    expect(await evidence("S06")).toEqual(expect.arrayContaining([expect.stringMatching(words)]));
  });
});

/** JSON of another shape: the column, what stands there, the run that is named, and what the finding says. */
const SHAPES: readonly (readonly [table: string, column: string, text: string, words: RegExp])[] = [
  ["run", "system_tags", "[1]", /^Source\/1 .*run.system_tags is a list of other things than texts/],
  ["run", "environment", '{"host":"h"}', /^Source\/1 .*run.environment is an object without "millrace"/],
  ["run", "failure", '{"error":{"code":"A"}}', /^Source\/1 .*run.failure is an object without "error.message"/],
  ["run", "origin_facts", '{"changedSteps":[1]}', /^Source\/1 .*run.origin_facts is an object without "changedSteps"/],
  ["run", "parent", "{}", /^Source\/1 .*run.parent is an object without "run"/],
  ["execution", "runner", '{"host":"h","pid":"7"}', /^Source\/1 .*execution.runner is an object without "pid"/],
  ["execution", "command", '{"a":1}', /^Source\/1 .*execution.command is no JSON list/],
  ["execution", "options", "[]", /^Source\/1 .*execution.options is no JSON object/],
  ["upstream", "selector", '{"kind":"tags"}', /^Reader\/1 .*upstream.selector is an object without "tags"/],
  ["upstream", "selector", '{"kind":"toString"}', /^Reader\/1 .*upstream.selector is an object without "kind"/],
  ["upstream", "candidates", "[7]", /^Reader\/1 .*upstream.candidates is a list of other things/],
  ["task", "error", '{"message":"x"}', /^Source\/1\/start .*task.error is an object without "code"/],
  ["task", "value_reads", "[null]", /^Source\/1\/start .*task.value_reads is a list of other things/],
  ["task", "terms", '{"a":"ttl"}', /^Source\/1\/start .*task.terms is an object without "a"/],
];

describe("JSON of another shape", () => {
  test.each(SHAPES)(
    "%s.%s = %s is damage that names its run, and no command ends as a defect of ours",
    async (table, column, text, words) => {
      hurt(`UPDATE ${table} SET ${column} = '${text}'`);
      expect(await evidence("S06")).toEqual(expect.arrayContaining([expect.stringMatching(words)]));
      expect(await store.exportRefusal("Reader/1")).toMatch(/^FLOW_METADATA_C/);
      for (const words of [
        ["runs"],
        ["validate"],
        ["show", "Reader/1"],
        ["lineage", "Reader/1"],
        ["store", "gc", "--older-than", "0s"],
      ]) {
        const { code, stderr } = await store.project.here([...words, "--store", store.folder]);
        expect([code === 70, /FLOW_INTERNAL/.test(stderr)]).toEqual([false, false]);
      }
    },
  );
});

test("lost pages of items: what to type is said, whoever goes on from them is told so, and it helps", async () => {
  hurt("DELETE FROM item_page WHERE split IN (SELECT sequence FROM task WHERE run = 1)");
  const dry = await store.repair({ dryRun: true });
  expect(dry.losses).toMatchObject([
    {
      run: "Source/1",
      lost: ["the items of Source/1/start"],
      commands: ["flow resume Source/1 --from start"],
      advice: expect.stringContaining("a copy alone"),
    },
  ]);
  const resume = (step: string) => store.project.here(["resume", "Source/1", "--from", step, "--store", store.folder]);
  const { code, stderr } = await resume("work");
  expect(code).toBe(4);
  expect(stderr).toMatch(/Source\/1\/start split into 4 items, and its pages hold 0/);
  expect(stderr).toContain("flow resume Source/1 --from STEP");
  expect(stderr).toContain("FLOW_METADATA_CHANGED_RECORDS");
  // What runs again need not be whole: the way out that is named is one.
  expect((await resume("start")).code).toBe(0);
});

test("what a repair leaves is in its report", async () => {
  hurt("UPDATE artifact SET name = 'smaller' WHERE task = 2 AND name = 'small'; UPDATE flow SET run_count = 7");
  const repaired = await store.repair();
  expect(repaired.left).toEqual([
    expect.objectContaining({ id: "S11", evidence: expect.stringContaining("are not those that it left") }),
  ]);
});
