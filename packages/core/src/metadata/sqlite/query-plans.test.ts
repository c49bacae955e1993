import { hash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as artifacts from "../sql/artifacts.ts";
import { blobByDigest } from "../sql/blobs.ts";
import { blobsOfTask, cacheEntries } from "../sql/cache.ts";
import * as executions from "../sql/executions.ts";
import { lastLogChunk, logChunks, runLogChunks } from "../sql/logs.ts";
import { copyMetric, lastOfTask, metricPage, metricsOfRun } from "../sql/metrics.ts";
import { migrations } from "../sql/migrations/migrations.ts";
import type { Query } from "../sql/query.ts";
import * as runs from "../sql/runs.ts";
import { runsByMetric, runsWithoutMetric } from "../sql/sorted-runs.ts";
import { tagRequestsOfRun } from "../sql/tag-policies.ts";
import * as tags from "../sql/tags.ts";
import * as tasks from "../sql/tasks.ts";
import * as upstreams from "../sql/upstreams.ts";
import { dueDelivery } from "../sql/webhooks.ts";
import { type Connection, openWriter } from "./connection.ts";
import { lineageSql } from "./lineage-reads.ts";
import { migrate } from "./migrate.ts";
import { heartbeatSql, leftSql, readerSql } from "./reader-sql.ts";
import { compileForSqlite } from "./statements.ts";

let folder: string;
let db: Connection;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-plans-"));
  db = openWriter(path.join(folder, "millrace.db"));
  migrate(db, path.join(folder, "millrace.db"), Date.now);
});

afterAll(() => {
  db.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

/** How SQLite would run a query: one line for each table it touches. */
function plan<Args, Row>(query: Query<Args, Row>): readonly string[] {
  const { sql, bindings } = compileForSqlite(query);
  const rows = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...bindings.map(() => 0)) as { readonly detail: string }[];
  return rows.map((row) => row.detail);
}

const page = { flow: false, status: false, tags: 0, parameters: 0, metrics: [], before: false };
const pages: Readonly<Record<string, runs.RunPageShape>> = {
  "the newest runs": page,
  "a later page": { ...page, before: true },
  "of a flow": { ...page, flow: true, before: true },
  "of a flow with a status": { ...page, flow: true, status: true, before: true },
  "with a status": { ...page, status: true },
  "with a tag": { ...page, tags: 1, before: true },
  "of a flow with a tag": { ...page, flow: true, tags: 1, before: true },
  "of a flow with a tag and a status": { ...page, flow: true, status: true, tags: 1 },
  "of a flow with tags and a status": { ...page, flow: true, status: true, tags: 3, before: true },
};

describe("a page of runs is read from an index, in order:", () => {
  test.each(Object.entries(pages))("%s", (_, shape) => {
    const details = plan(runs.runPage(shape)).join("\n");
    // Only the page over everything walks the table itself, from its newest row down, and stops at the limit.
    if (shape === page) expect(details).toBe("SCAN run");
    else expect(details).not.toMatch(/\bSCAN\b/);
    expect(details).not.toMatch(/TEMP B-TREE/);
  });

  test("the newest succeeded run of a flow with a tag is the first entry that is looked at", () => {
    const details = plan(runs.runPage(pages["of a flow with a tag and a status"]!));
    expect(details[0]).toBe("SEARCH t0 USING COVERING INDEX run_tag_by_status (tag=? AND flow=? AND status=?)");
  });

  test.each(Object.entries(pages))("how many there are %s: from one index, without their rows", (_, shape) => {
    for (const isBounded of [false, true]) {
      const details = plan(runs.runCount({ ...shape, before: false, isBounded })).filter(
        (line) => !/CO-ROUTINE|SCAN found/.test(line),
      );
      expect(details[0]).toMatch(/^(SEARCH|SCAN) (t0|run) USING COVERING INDEX/);
      expect(details.slice(1).every((line) => line.startsWith("SEARCH other EXISTS USING PRIMARY KEY"))).toBe(true);
    }
  });

  test("names are read as records are", () => {
    for (const shape of Object.values(pages)) expect(plan(runs.runNamePage(shape))).toEqual(plan(runs.runPage(shape)));
  });

  test("a run by its number is one entry, however many runs the flow has", () => {
    expect(plan(runs.runsByNumber)[0]).toBe("SEARCH run USING INDEX run_by_number (flow=? AND number=?)");
  });

  test("tags are found one behind the other, however many runs hold one", () => {
    const details = plan(tags.tagNames);
    const walked = details.filter((line) => /\bSCAN\b/.test(line));
    expect(walked.every((line) => line === "SCAN name")).toBe(true);
    expect(details.filter((line) => /run_tag/.test(line)).map((line) => line.replace(/ USING.*\(/, " ("))).toEqual([
      "SEARCH run_tag (tag>?)",
      "SEARCH run_tag (tag>?)",
      "SEARCH run_tag EXISTS (tag=? AND flow=?)",
    ]);
  });

  test.each([
    ["of a flow", "descending"],
    ["of a flow", "ascending"],
    ["of all flows", "descending"],
    ["of all flows", "ascending"],
  ] as const)("runs %s by a metric, %s", (of, order) => {
    const details = plan(runsByMetric({ ...page, flow: of === "of a flow" }, order)).join("\n");
    expect(details).toMatch(/^SEARCH rm USING COVERING INDEX run_metric_by_value \(name=\? AND value/);
    // Only runs of equal values are put in order, while the index is read.
    expect(details.replace(/USE TEMP B-TREE FOR LAST TERM OF ORDER BY/, "")).not.toMatch(/SCAN|TEMP B-TREE/);
  });

  test("runs without a metric: the newest first, as any page of them", () => {
    const details = plan(runsWithoutMetric({ ...page, flow: true, before: true })).join("\n");
    expect(details).toMatch(/SEARCH rm USING PRIMARY KEY \(run=\? AND name=\?/);
    expect(details).not.toMatch(/SCAN|TEMP B-TREE/);
  });

  test("a condition on a metric is looked up for each run of the page", () => {
    const details = plan(runs.runPage({ ...page, flow: true, metrics: [">"] })).join("\n");
    expect(details).toMatch(/SEARCH m EXISTS USING PRIMARY KEY \(run=\? AND name=\?/);
    expect(details).not.toMatch(/SCAN|TEMP B-TREE/);
  });

  test("parameters are found by their value", () => {
    const details = plan(runs.runPage({ ...page, flow: true, parameters: 1 })).join("\n");
    expect(details).toMatch(/SEARCH p USING COVERING INDEX run_parameter_by_value \(name=\? AND value_digest=\?/);
    expect(details).not.toMatch(/SCAN (run|p)\b/);
  });
});

const task = { step: false, path: false, status: false, lost: false, newest: false, after: false, limit: false };
const hot: Readonly<Record<string, Query<never, unknown>>> = {
  "a run by its number in the store": runs.runBySequence,
  "a run by its id": runs.runById,
  "a run by its number": runs.runsByNumber,
  "forks of a run that are running": runs.runningForks,
  "the flows of a name": runs.flowsByName,
  "the tags of a run": tags.tagsOfRun,
  "the values of a run": runs.runValues,
  "the upstreams of a run": upstreams.upstreamsOfRun,
  "the reads of a run": upstreams.readsOfRun,
  "the consumers of a run": upstreams.consumers({ limit: true }),
  "the last tag event": tags.lastTagEvent,
  "tag events of a run": tags.tagEventPage({ run: true, tag: false, before: true, after: false, limit: true }),
  "tag events of a tag": tags.tagEventPage({ run: false, tag: true, before: true, after: false, limit: true }),
  "events after one": tags.tagEventPage({ run: false, tag: false, before: false, after: true, limit: true }),
  "the runs that hold a tag": tags.holdersOfTag,
  "the run whose tags move": tags.taggedRun,
  "the tags that a run was asked to take": tagRequestsOfRun,
  "what webhooks are to be told of now": dueDelivery,
  "a task": tasks.taskBySequence,
  "a page of tasks": tasks.taskPage({ ...task, after: true, limit: true }),
  "a page of newest attempts": tasks.taskPage({ ...task, newest: true, after: true, limit: true }),
  "one task by its path": tasks.taskPage({ ...task, step: true, path: true }),
  "tasks by status": tasks.taskCounts,
  "the artifacts of a task": artifacts.ownArtifacts,
  "a page of items": artifacts.itemPage,
  "a blob": blobByDigest,
  "the log of a task": logChunks({ attempt: false, stream: false, after: false, limit: false }),
  "a later page of the log": logChunks({ attempt: true, stream: true, after: true, limit: true }),
  "what a run wrote since": runLogChunks,
  "the end of the log": lastLogChunk,
  "the end of a task": tasks.finishTask,
  "the current execution of a run": executions.currentExecution,
  "the executions of a run": executions.executionsOfRun,
  "a heartbeat": executions.heartbeat,
  "the run of a call": executions.childRun,
  "the runs of all calls of a run": executions.childRuns({ limit: false }),
  "the first runs of all calls of a run": executions.childRuns({ limit: true }),
  "the number of runs of all calls of a run": executions.childRunCount,
  "the runs whose calls mean a run": executions.parentRuns,
  "tasks under a key": cacheEntries,
  "where the bytes of a task are": blobsOfTask,
  "the last metrics of a run": metricsOfRun,
  "a metric of a run": metricPage({ task: false, after: false, limit: false }),
  "a later page of it": metricPage({ task: false, after: true, limit: true }),
  "a metric of a task": metricPage({ task: true, after: false, limit: false }),
  "the last value of it": lastOfTask,
  "the copy of it": copyMetric,
  "all attempts of a run": tasks.attemptsOfRun,
} as unknown as Readonly<Record<string, Query<never, unknown>>>;

describe("no table is walked for", () => {
  test.each(Object.entries(hot))("%s", (name, query) => {
    const details = plan(query).join("\n");
    if (name === "the last tag event") return expect(details).toBe("SCAN tag_event"); // from its end, one row
    expect(details).not.toMatch(/\bSCAN\b/);
  });

  test.each([
    ["all visible artifacts", artifacts.visibleArtifacts as Query<never, unknown>],
    ["one visible artifact", artifacts.visibleArtifact as Query<never, unknown>],
  ])("%s: only the chain itself is", (_, query) => {
    const details = plan(query);
    expect(details.filter((line) => /\bSCAN\b/.test(line)).every((line) => line === "SCAN chain")).toBe(true);
    expect(details.join("\n")).toMatch(/SEARCH artifact USING PRIMARY KEY/);
    expect(details.join("\n")).toMatch(/SEARCH task USING INTEGER PRIMARY KEY/);
  });
});

describe("lineage is followed by indexes alone, whatever the tables hold:", () => {
  const { up, down, ...others } = lineageSql;
  const statements = [
    ...Object.entries(up).map(([name, sql]) => [`up by ${name}`, sql] as const),
    ...Object.entries(down).map(([name, sql]) => [`down by ${name}`, sql] as const),
    ...Object.entries(others),
  ];

  test.each(statements)("%s", (_, sql) => {
    const rows = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...placesOf(sql)) as { readonly detail: string }[];
    const walked = rows.map((row) => row.detail).filter((detail) => /\bSCAN\b/.test(detail));
    // The list that comes in, and the chain that the statement itself makes.
    expect(walked.filter((detail) => !/^SCAN (wanted VIRTUAL TABLE|chain\b)/.test(detail))).toEqual([]);
    expect(rows.map((row) => row.detail).join("\n")).not.toMatch(/AUTOMATIC/);
  });

  /** What is bound: names, or one value by its place. */
  function placesOf(sql: string): readonly unknown[] {
    return sql.includes("?") ? [0] : [{ runs: "[]", artifact: "", name: "", task: 0 }];
  }
});

test.each(Object.entries(leftSql))("what tasks have left is found by keys alone: %s", (_, sql) => {
  const rows = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all({ tasks: "[]" }) as { readonly detail: string }[];
  const walked = rows.map((row) => row.detail).filter((detail) => /\bSCAN\b/.test(detail));
  expect(walked.filter((detail) => !detail.startsWith("SCAN wanted VIRTUAL TABLE"))).toEqual([]);
});

describe("the statements of a task's reader are those of the store:", () => {
  const written: Readonly<Record<keyof typeof readerSql, Query<never, unknown>>> = {
    runById: runs.runById,
    currentExecution: executions.currentExecution,
    tagsOfRun: tags.tagsOfRun,
    runValues: runs.runValues,
    upstreamsOfRun: upstreams.upstreamsOfRun,
    visibleArtifacts: artifacts.visibleArtifacts,
    itemPage: artifacts.itemPage,
    blobByDigest,
    cacheEntries,
    blobsOfTask,
  } as unknown as Readonly<Record<keyof typeof readerSql, Query<never, unknown>>>;

  test.each(Object.keys(readerSql) as (keyof typeof readerSql)[])("%s", (name) => {
    const text = readerSql[name].trim().replaceAll(/\s+/g, " ").replaceAll("( ", "(").replaceAll(" )", ")");
    expect(text).toBe(compileForSqlite(written[name]).sql);
  });
});

test("the statements of the heartbeat are those of the store", () => {
  expect(heartbeatSql.heartbeat.trim()).toBe(compileForSqlite(executions.heartbeat).sql);
  expect(heartbeatSql.runStatus).toBe(compileForSqlite(runs.runStatus).sql);
});

test("all attempts of a run come from the index in its order, newest cache entries first", () => {
  expect(plan(tasks.attemptsOfRun)).toEqual(["SEARCH task USING INDEX task_by_path (run=?)"]);
  expect(plan(cacheEntries).join("\n")).not.toMatch(/TEMP B-TREE/);
});

/** Changed a schema before its release? Put the new digest here. After it: write a migration instead. */
const SCHEMAS = [
  "b58bcd3cc7c63cb0bc0c608d3beb6761e5524426f9b12ee6998a539447e40dfb",
  "59b1d3882707d6d36cea5effbf7729af4402f40438205e0975ab97452f6e928d",
  "10a2d92a31c9bd0a6cf4ebbc8bbabec93e319a42904a471796691cdb81f28188",
  "97d68eeb4d117eec96dd44f95fa3d982e03190f86d1394ec6830bc12d1592c56",
  "0435e96e534c183b341220fbcf6030307dd681fa7a0bf7f7e3b4099722c949ba",
  "4c718a083dc32af86f2ff3441969784a28ba04c6deb647ba7c892d759ae58778",
  "d4c99e45eeffe04f93e492bf284a5dbbfaf76d3eced6fdca11952a53fb2d55e7",
  "918933c9e37dec90a7552632c1750739cca5b97ab46bbe3b87cd38c796c065a2",
  "c67855f90f9819ef5c443fb7cb7d0c2cdca4f63634b6ab7ae98b0e21aea63a6c",
];

test("the schemas are what they were when they were released", () => {
  const made = new Database(":memory:");
  const digests = migrations.map((migration) => {
    for (const statement of migration) made.exec(statement);
    const statements = made.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").pluck().all();
    return hash("sha256", statements.join("\n"), "hex");
  });
  made.close();
  expect(digests).toEqual(SCHEMAS);
});
