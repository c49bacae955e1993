/** Records that are deleted or changed by hand, one after the other: verify finds each; repair mends what follows from others. */
import fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isFlowError } from "../../packages/core/src/errors/flow-error.ts";
import { sample, seeded } from "../kit/seed.ts";
import { damageOf, StoreToHurt } from "./damage-kit.ts";
import { times } from "./twenty.ts";

const { random } = seeded("damaged-records");
const store = new StoreToHurt();
beforeAll(() => store.write(), 120_000);
afterAll(() => store[Symbol.asyncDispose]());

/** What is done to the records, the check that finds it, and words of its evidence. */
type Hurt = readonly [name: string, sql: string, check: string, words: RegExp];
/** With the run whose validation fails, and words of what it says. */
type Lie = readonly [...Hurt, run: string, said: RegExp];

const END = "(SELECT end_task FROM run WHERE flow_name = 'Source' AND number = 1)";
const ARTIFACT = "(SELECT min(sequence) FROM task WHERE step = 'work')";
const RUN = "(SELECT sequence FROM run WHERE flow_name = 'Source' AND number = 1)";
const NO_DELETE = "DROP TRIGGER tag_event_no_delete";
const NO_UPDATE = "DROP TRIGGER tag_event_no_update";

/** What only a copy brings back, or a step that is run again. */
const LOSSES: readonly Hurt[] = [
  ["a run", `DELETE FROM run WHERE sequence = ${RUN}`, "S02", /run of/],
  ["a flow", "DELETE FROM flow WHERE name = 'Reader'", "S02", /flow of Reader\/1/],
  ["a task", `DELETE FROM task WHERE sequence = ${ARTIFACT}`, "S02", /task of an artifact/],
  ["the end task", `DELETE FROM task WHERE sequence = ${END}`, "S02", /task that ended Source\/1/],
  ["an end that is no end", `UPDATE run SET end_task = NULL WHERE sequence = ${RUN}`, "S06", /Source\/1 succeeded/],
  [
    "the end of another run",
    `UPDATE run SET end_task = ${END} WHERE flow_name = 'Source' AND number = 2`,
    "S06",
    /Source\/2 is recorded to end/,
  ],
  [
    "a parent task",
    "UPDATE task SET inherits = -7 WHERE step = 'work' AND path = '1'",
    "S02",
    /Source\/\d\/work\/1 starts from/,
  ],
  [
    "a parent of another run",
    `UPDATE task SET inherits = (SELECT min(sequence) FROM task) WHERE sequence = (SELECT max(sequence) FROM task WHERE step = 'end')`,
    "S06",
    /another run/,
  ],
  [
    "an origin",
    "UPDATE task SET origin = 99999, origin_kind = 'resume' WHERE step = 'gather'; UPDATE run SET origin = (SELECT id FROM run WHERE sequence = 2) WHERE sequence = 1",
    "S02",
    /taken over from/,
  ],
  [
    "half of an origin",
    "UPDATE task SET origin_kind = 'cache' WHERE step = 'gather'",
    "S06",
    /taken over in one column/,
  ],
  [
    "the run that a fork comes from",
    `UPDATE run SET origin = 'nobody' WHERE sequence = ${RUN}`,
    "S02",
    /Source\/1 was forked from/,
  ],
  ["a digest", "UPDATE artifact SET digest = zeroblob(32) WHERE name = 'small'", "S03", /"small" of Source\/\d\/work/],
  [
    "a value in the database",
    "DELETE FROM blob WHERE digest = (SELECT digest FROM artifact WHERE name = 'small' LIMIT 1)",
    "S03",
    /"small" of Source\/\d\/work/,
  ],
  ["a value of the run", "UPDATE run_value SET digest = zeroblob(32) WHERE name = 'unit'", "S03", /"unit" of Source/],
  ["what was read", "UPDATE upstream_read SET digest = zeroblob(32)", "S03", /which Reader\/1\/start read/],
  [
    "a page of items",
    "DELETE FROM item_page WHERE split = (SELECT min(split) FROM item_page)",
    "S06",
    /Source\/1\/start split into 4 items/,
  ],
  ["the count of a page", "UPDATE item_page SET count = count - 1", "S06", /split into/],
  ["the first of a page", "UPDATE item_page SET first = first + 1", "S06", /split into/],
  ["a number of items", "UPDATE task SET fan_out = 9 WHERE fan_out = 4", "S06", /split into 9 items/],
  ["a code package", "DELETE FROM code_package", "S09", /code package of Source\/1/],
  [
    "the manifest of a package",
    `UPDATE code_package SET manifest = replace(manifest, 'flow.mjs', 'flow.mjz')`,
    "S09",
    /names other files/,
  ],
  [
    "JSON",
    "UPDATE run SET environment = '{' WHERE flow_name = 'Reader'",
    "S06",
    /Reader\/1 cannot be read: run.environment/,
  ],
  ["JSON of a task", "UPDATE task SET error = 'no' WHERE error IS NOT NULL", "S06", /task.error is no JSON/],
  [
    "a task that goes on",
    "UPDATE task SET status = 'running', finished_at = NULL WHERE step = 'gather'",
    "S06",
    /gather is running, and its run has succeeded/,
  ],
  [
    "an end without a time",
    "UPDATE task SET finished_at = NULL WHERE step = 'gather'",
    "S06",
    /its end is not recorded/,
  ],
  [
    "a run that has ended and has not",
    `UPDATE run SET finished_at = NULL WHERE sequence = ${RUN}`,
    "S06",
    /Source\/1 is succeeded/,
  ],
  [
    "an execution that is not the current one",
    "INSERT INTO execution SELECT run, 2, runner, actor, command, package_digest, options, started_at, heartbeat_at, NULL, 'running', program_schema, NULL FROM execution WHERE run = 1",
    "S06",
    /execution 2 of/,
  ],
  ["a name of a flow", "UPDATE run SET flow_name = 'Other' WHERE flow_name = 'Reader'", "S06", /no name of its flow/],
  [
    "a parent run",
    `UPDATE run SET parent = '{"run":"x","step":"a","path":"","call":0}' WHERE flow_name = 'Reader'`,
    "S06",
    /says that a step started it/,
  ],
  ["an event of the log", `${NO_DELETE}; DELETE FROM tag_event WHERE sequence = 1`, "S08", /event 1 is missing/],
  [
    "a changed event",
    `${NO_UPDATE}; UPDATE tag_event SET actor = 'somebody' WHERE sequence = 2`,
    "S08",
    /changed after it was written/,
  ],
  [
    "a tag that nobody gave",
    `INSERT INTO run_tag SELECT sequence, 'planted', flow, status FROM run WHERE sequence = ${RUN}`,
    "S08",
    /Source\/1 holds "planted"/,
  ],
  ["the line of a task", "UPDATE log SET task = 99999", "S02", /line of output/],
  ["the run of an upstream", "UPDATE upstream SET run = 99", "S02", /run of an upstream/],
  ["the run of an execution", "UPDATE execution SET run = 99 WHERE run = 1", "S02", /run of an execution/],
  [
    "the task of a metric",
    "UPDATE metric SET task = task + 99999 WHERE position = 1",
    "S02",
    /Source\/\d that recorded a metric/,
  ],
  [
    "the run of metrics",
    "UPDATE metric SET run = 99 WHERE run = 2; UPDATE run_metric SET run = 99 WHERE run = 2",
    "S02",
    /run of a metric/,
  ],
  ["an entry of the cache", "INSERT INTO cache_entry SELECT zeroblob(32), 99999, '[]', 0, NULL", "S02", /step cache/],
  [
    "an offer of the cache",
    "INSERT INTO cache_entry SELECT zeroblob(32), sequence, '{}', 0, NULL FROM task WHERE status = 'failed'",
    "S06",
    /offers Failing\/1\/start/,
  ],
  ["a table", "DROP TABLE item_page", "S01", /table "item_page" is not in the database/],
];

const WORK = "(SELECT sequence FROM task WHERE step = 'work' AND path = '1' AND run = 1)";
const BRIEF = "(SELECT min(sequence) FROM task WHERE run = (SELECT sequence FROM run WHERE flow_name = 'Brief'))";
const OTHER_VALUE = `(SELECT digest FROM artifact WHERE name = 'small' AND task <> ${WORK} LIMIT 1)`;
const LEFT = /Source\/1\/work\/1 are not those that it left/;
const GIVEN = /Source\/1 was given something else/;
const ENDED = /Source\/1 ended otherwise/;

/** Rows that were changed so that they still fit together: nothing but a digest tells, and only a copy helps. */
const LIES: readonly Lie[] = [
  [
    "another value of the store",
    `UPDATE artifact SET digest = ${OTHER_VALUE}, size_bytes = (SELECT size_bytes FROM blob WHERE blob.digest = ${OTHER_VALUE}) WHERE task = ${WORK} AND name = 'small'`,
    "S11",
    LEFT,
    "Source/1",
    LEFT,
  ],
  [
    "another codec",
    `UPDATE artifact SET codec = 'bytes' WHERE task = ${WORK} AND name = 'small'`,
    "S11",
    LEFT,
    "Source/1",
    LEFT,
  ],
  ["an artifact less", `DELETE FROM artifact WHERE task = ${WORK} AND name = 'small'`, "S11", LEFT, "Source/1", LEFT],
  [
    "an artifact more",
    `INSERT INTO artifact SELECT task, 'planted', codec, digest, size_bytes FROM artifact WHERE task = ${WORK} AND name = 'small'`,
    "S11",
    LEFT,
    "Source/1",
    LEFT,
  ],
  [
    "another name",
    `UPDATE artifact SET name = 'smaller' WHERE task = ${WORK} AND name = 'small'`,
    "S11",
    LEFT,
    "Source/1",
    LEFT,
  ],
  [
    "another start of a task",
    `UPDATE task SET inherits = ${WORK} WHERE sequence = ${END}`,
    "S11",
    /Source\/1\/end are not those/,
    "Source/1",
    /Source\/1\/end are not those/,
  ],
  ["no start of a task", `UPDATE task SET inherits = NULL WHERE sequence = ${WORK}`, "S11", LEFT, "Source/1", LEFT],
  ["a task that failed", `UPDATE task SET status = 'caught' WHERE sequence = ${WORK}`, "S11", LEFT, "Source/1", LEFT],
  [
    "a digest of a task",
    `UPDATE task SET record_digest = NULL WHERE sequence = ${WORK}`,
    "S11",
    ENDED,
    "Source/1",
    ENDED,
  ],
  [
    "a page of other items",
    `UPDATE item_page SET digest = ${OTHER_VALUE}, size_bytes = (SELECT size_bytes FROM blob WHERE blob.digest = ${OTHER_VALUE}) WHERE split = (SELECT min(sequence) FROM task WHERE run = 1)`,
    "S11",
    /Source\/1\/start are not those/,
    "Source/1",
    /Source\/1\/start are not those/,
  ],
  [
    "items that a page and its task count alike",
    "UPDATE item_page SET count = 3 WHERE count = 4; UPDATE task SET fan_out = 3 WHERE fan_out = 4",
    "S11",
    /Source\/1\/start are not those/,
    "Source/1",
    /Source\/1\/start are not those/,
  ],
  [
    "pages that do not hold all items",
    "UPDATE item_page SET count = 3 WHERE count = 4",
    "S06",
    /Source\/1\/start split into 4 items, and its pages hold 3/,
    "Source/1",
    /Source\/1\/start split into 4 items, and its pages hold 3/,
  ],
  [
    "another end",
    `UPDATE run SET end_task = (SELECT sequence FROM task WHERE step = 'gather' AND run = 1) WHERE sequence = ${RUN}`,
    "S11",
    ENDED,
    "Source/1",
    ENDED,
  ],
  [
    "a read less",
    "DELETE FROM upstream_read",
    "S11",
    /Reader\/1 ended otherwise/,
    "Reader/1",
    /Reader\/1 ended otherwise/,
  ],
  [
    "another producer",
    "UPDATE upstream SET producer = (SELECT id FROM run WHERE sequence = 2), candidates = '[\"Source/2\"]'",
    "S11",
    /Reader\/1 was given something else/,
    "Reader/1",
    /Reader\/1 was given something else/,
  ],
  ["a parameter", `UPDATE run SET parameters = '{"rows":5}' WHERE sequence = ${RUN}`, "S11", GIVEN, "Source/1", GIVEN],
  [
    "a parameter, and what it is found by",
    `UPDATE run SET parameters = '{"rows":3}' WHERE sequence = ${RUN};
     UPDATE run_parameter SET value_digest = (SELECT value_digest FROM run_parameter WHERE run = 2) WHERE run = 1`,
    "S11",
    GIVEN,
    "Source/1",
    GIVEN,
  ],
  [
    "a value of another run",
    "UPDATE run_value SET digest = (SELECT digest FROM run_value WHERE run = 2 AND name = 'rows') WHERE run = 1 AND name = 'rows'",
    "S11",
    GIVEN,
    "Source/1",
    GIVEN,
  ],
  [
    "the commit that it ran from",
    `UPDATE run SET environment = json_set(environment, '$.git', json('{"sha":"0","dirty":false}')) WHERE sequence = ${RUN}`,
    "S11",
    GIVEN,
    "Source/1",
    GIVEN,
  ],
  [
    "the digest of a beginning",
    `UPDATE run SET start_digest = NULL WHERE sequence = ${RUN}`,
    "S11",
    /Source\/1 has lost/,
    "Source/1",
    /has lost/,
  ],
  [
    "the digest of an end",
    "UPDATE execution SET end_digest = NULL WHERE run = 1",
    "S11",
    /Source\/1 has lost/,
    "Source/1",
    /has lost/,
  ],
  [
    "a value that was given up, forgotten",
    "DELETE FROM gone_artifact",
    "S11",
    /Brief\/1\/start are not those/,
    "Brief/1",
    /Brief\/1\/start are not those/,
  ],
  [
    "a value that was given up for another reason",
    "UPDATE gone_artifact SET reason = 'ttl'",
    "S11",
    /"big" of Brief\/1\/start is recorded as given up \(ttl\)/,
    "Brief/1",
    /given up \(ttl\)/,
  ],
  [
    "a value that is said to be given up",
    `INSERT INTO gone_artifact SELECT task, name, codec, digest, size_bytes, 'ttl', 0 FROM artifact WHERE task = ${BRIEF};
     DELETE FROM artifact WHERE task = ${BRIEF}`,
    "S11",
    /"kept" of Brief\/1\/start is recorded as given up \(ttl\), and its task said that it is kept/,
    "Brief/1",
    /its task said that it is kept/,
  ],
  [
    "the state of a run",
    "UPDATE run SET status = 'cancelled' WHERE flow_name = 'Failing'",
    "S06",
    /Failing\/1 is cancelled by its own record, and failed by that of its current execution/,
    "Failing/1",
    /Failing\/1/,
  ],
  [
    "a failed run that succeeded",
    `UPDATE run SET status = 'succeeded', failure = NULL, end_task = (SELECT max(sequence) FROM task WHERE run = run.sequence) WHERE flow_name = 'Failing'`,
    "S11",
    /Failing\/1 ended otherwise/,
    "Failing/1",
    /Failing\/1 ended otherwise/,
  ],
  [
    "the state of an execution",
    "UPDATE execution SET status = 'lost' WHERE run = 1",
    "S06",
    /Source\/1 is succeeded by its own record, and lost by that of its current execution/,
    "Source/1",
    /current execution/,
  ],
  [
    "a state, and the one beside its tag",
    `UPDATE run SET status = 'failed' WHERE sequence = ${RUN}`,
    "S06",
    /Source\/1 is failed by its own record, and succeeded beside its tag "prod:v1"/,
    "Source/1",
    /Source\/1 failed/,
  ],
  [
    "a manifest that is no object",
    "UPDATE code_package SET manifest = '[]'",
    "S09",
    /its manifest is not one/,
    "Source/1",
    /code package/,
  ],
];

/** What repair computes again. */
const DERIVED: readonly Hurt[] = [
  ["the count of runs", "UPDATE flow SET run_count = 7", "S07", /runs of shop\/Source: 7/],
  ["the newest run", "UPDATE flow SET newest_run = 0", "S07", /newest run of shop\/Source/],
  ["the last number", "UPDATE flow SET last_number = 0", "S07", /number that is taken/],
  ["the next task", "UPDATE store SET next_task = 2", "S07", /next task would get number 2/],
  ["the order of runs", "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'run'", "S07", /place of the next run/],
  ["the order of runs as a whole", "DELETE FROM sqlite_sequence WHERE name = 'run'", "S07", /place of the next run/],
  ["the state beside a tag", "UPDATE run_tag SET status = 'failed'", "S07", /"prod:v1" of Source\/1/],
  ["the flow beside a tag", "UPDATE run_tag SET flow = 99", "S07", /"prod:v1" of Source\/1/],
  ["a tag that the log gave", "DELETE FROM run_tag", "S08", /Source\/1 does not hold "prod:v1"/],
  ["a parameter by its value", "DELETE FROM run_parameter", "S07", /Source\/1 is looked for/],
  [
    "a parameter by another value",
    "UPDATE run_parameter SET value_digest = zeroblob(32)",
    "S07",
    /Source\/1 is looked for/,
  ],
  ["the end of an execution", "UPDATE execution SET ended_at = NULL WHERE run = 1", "S06", /its end is not recorded/],
  [
    "the last value of a metric",
    "UPDATE run_metric SET value = 7",
    "S07",
    /last value of the metric "size" of Source\/1/,
  ],
  ["the step of it", "UPDATE run_metric SET step = 7", "S07", /metric "size" of Source\/2/],
  ["the flow beside it", "UPDATE run_metric SET flow = 99", "S07", /metric "size" of Source\/1/],
  ["all last values", "DELETE FROM run_metric", "S07", /metric "size" of Source\/1/],
  [
    "a last value of nothing",
    "INSERT INTO run_metric (run, name, flow, task, value) SELECT run, 'more', flow, task, 1 FROM run_metric",
    "S07",
    /metric "more" of Source\/1/,
  ],
  [
    "an offer of the cache that nobody can read",
    "INSERT INTO cache_entry SELECT zeroblob(32), sequence, '[]', 0, NULL FROM task WHERE status = 'succeeded' LIMIT 1",
    "S06",
    /cannot be read: cache_entry\.reads/,
  ],
  ["the name of a flow", "DELETE FROM flow_name WHERE name = 'Reader'", "S07", /Reader is not found by its name/],
  ["an index", "DROP INDEX task_by_path", "S01", /index "task_by_path" is not in/],
  ["a trigger", NO_DELETE, "S01", /trigger "tag_event_no_delete"/],
  [
    "a size of an artifact",
    "UPDATE artifact SET size_bytes = 1 WHERE name = 'noise'",
    "S05",
    /"noise" of Source\/1\/work\/0 is recorded with 1 bytes/,
  ],
  ["a size of a page", "UPDATE item_page SET size_bytes = 1", "S05", /items of Source\/1\/start/],
  [
    "a size of a value",
    "UPDATE blob SET size_bytes = 1 WHERE compression = 'zstd'",
    "S05",
    /its size is recorded as 1/,
  ],
  [
    "a size of a plain value",
    "UPDATE blob SET size_bytes = 1 WHERE compression = 'none' AND stored IS NULL",
    "S05",
    /its size is recorded as 1/,
  ],
  [
    "a stored size",
    "UPDATE blob SET stored_bytes = stored_bytes + 1 WHERE stored IS NOT NULL",
    "S07",
    /its stored size/,
  ],
  [
    "a compression",
    "UPDATE blob SET compression = 'none' WHERE compression = 'zstd' AND stored IS NULL",
    "S07",
    /its compression is recorded as none/,
  ],
  ["the record of a large value", "DELETE FROM blob WHERE stored IS NULL", "S03", /its bytes are there all the same/],
  ["the tie of a file to its package", "DELETE FROM code_package_blob", "S09", /is not tied to it/],
];

/** A third of them, other ones each time, or as many as are asked for. */
const some = <T>(hurts: readonly T[]): readonly T[] =>
  sample(hurts, times(Math.ceil(hurts.length / 3), hurts.length), random);

describe.each(some(LOSSES))("hurt: %s", (_name, sql, check, words) => {
  test("is found, and no repair pretends to mend it", async () => {
    store.heal();
    store.sql((db) => db.exec(sql));
    const { ok, findings } = await store.verify();
    expect(ok).toBe(false);
    expect(damageOf(findings).filter(({ id }) => id === check)).toEqual(
      expect.arrayContaining([expect.objectContaining({ evidence: expect.stringMatching(words) })]),
    );
    expect((await store.repair()).ok).toBe(false);
    expect((await store.verify()).ok).toBe(false);
  });
});

describe.each(some(LIES))("changed by hand: %s", (_name, sql, check, words, run, said) => {
  test("is found by verify, validate and export, and repair leaves it as it is", async () => {
    store.heal();
    store.sql((db) => db.exec(sql));
    const changed = store.records();
    const { ok, findings } = await store.verify();
    expect(ok).toBe(false);
    const told = damageOf(findings).filter(({ id }) => id === check);
    expect(told).toEqual(expect.arrayContaining([expect.objectContaining({ evidence: expect.stringMatching(words) })]));
    expect(told.every(({ remedy }) => remedy !== "repair")).toBe(true);
    expect(await store.validate(run)).toEqual(expect.arrayContaining([expect.stringMatching(said)]));
    if (check !== "S09") expect(await store.exportRefusal(run)).toBe("FLOW_METADATA_CHANGED_RECORDS");
    const repaired = await store.repair();
    expect([repaired.ok, repaired.done]).toEqual([false, []]);
    expect(store.records()).toEqual(changed);
  });
});

describe.each(some(DERIVED))("hurt: %s", (_name, sql, check, words) => {
  test("is found, and repair makes it what it was, once", async () => {
    store.heal();
    const before = store.records();
    store.sql((db) => db.exec(sql));
    const hurt = store.records();
    const { ok, findings } = await store.verify();
    const told = findings.filter(({ id, remedy }) => id === check && remedy === "repair");
    expect(told).toEqual(expect.arrayContaining([expect.objectContaining({ evidence: expect.stringMatching(words) })]));
    const isOnlyNote = told.every(({ kind }) => kind === "note");
    expect(ok).toBe(isOnlyNote);
    expect(damageOf(findings).every(({ remedy }) => remedy === "repair")).toBe(true);

    const dry = await store.repair({ dryRun: true });
    expect([dry.ok, dry.done.length > 0]).toEqual([isOnlyNote, true]);
    expect(store.records()).toEqual(hurt);

    const repaired = await store.repair();
    expect([repaired.ok, repaired.losses, repaired.copy]).toEqual([true, [], "millrace.db.before-repair-1"]);
    expect(repaired.done.length).toBeGreaterThan(0);
    expect(store.records()).toEqual(before);
    const after = await store.verify();
    expect([after.ok, after.findings]).toEqual([true, []]);

    const again = await store.repair();
    expect([again.ok, again.done, again.copy]).toEqual([true, [], undefined]);
  });
});

test("a database whose pages were overwritten is damaged, or says the same as before; nothing is thrown raw", {
  timeout: 3_600_000,
}, async () => {
  store.heal();
  const whole = fs.readFileSync(store.file("millrace.db"));
  const pageBytes = whole.readUInt16BE(16);
  const pages = whole.length / pageBytes;
  const before = JSON.stringify(store.records());
  const hurts = Array.from({ length: pages }, (_, page) => page).flatMap((page) =>
    (["zero", "garbage", "another"] as const).map((kind) => ({ page, kind })),
  );
  const wrong: string[] = [];
  let found = 0;
  for (const { page, kind } of sample(hurts, times(12, hurts.length), random)) {
    store.heal();
    const bytes = Buffer.from(whole);
    const from = ((page + 1 + Math.floor(random() * (pages - 1))) % pages) * pageBytes;
    const fresh =
      kind === "zero"
        ? Buffer.alloc(pageBytes)
        : kind === "garbage"
          ? Buffer.from({ length: pageBytes }).map(() => random() * 256)
          : whole.subarray(from, from + pageBytes);
    bytes.set(fresh, page * pageBytes);
    fs.writeFileSync(store.file("millrace.db"), bytes);
    const place = `page ${page + 1} of ${pages}: ${kind}`;
    try {
      const { ok } = await store.verify();
      if (!ok) found++;
      else if (JSON.stringify(store.records()) !== before) wrong.push(`${place}: whole, and says something else`);
    } catch (error) {
      wrong.push(`${place}: verify threw ${isFlowError(error) ? error.code : (error as Error).stack}`);
    }
    try {
      const { ok } = await store.repair();
      if (ok && JSON.stringify(store.records()) !== before) wrong.push(`${place}: repaired to something else`);
    } catch (error) {
      if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) wrong.push(`${place}: repair threw ${(error as Error).stack}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(found).toBeGreaterThan(10);
});

test("a store whose records are gone, empty or something else is damaged, and its values are still checked", async () => {
  for (const hurt of [
    () => fs.rmSync(store.file("millrace.db")),
    () => fs.writeFileSync(store.file("millrace.db"), ""),
    () =>
      fs.writeFileSync(
        store.file("millrace.db"),
        "not a database at all, and long enough to be read as one".repeat(99),
      ),
  ]) {
    store.heal();
    const files = store.blobs().filter(({ file }) => file !== undefined);
    hurt();
    const whole = await store.verify();
    expect(damageOf(whole.findings)).toMatchObject([{ id: "S01", remedy: "copy" }]);
    expect(whole.hashed.blobs).toBe(files.length);
    fs.appendFileSync(store.file(files[0]!.file!), "x");
    expect(damageOf((await store.verify()).findings).map(({ id }) => id)).toEqual(["S01", "S04"]);
    await expect(store.repair()).rejects.toMatchObject({
      code: "FLOW_METADATA_CORRUPT",
      hint: expect.stringContaining("copy"),
    });
  }
});
