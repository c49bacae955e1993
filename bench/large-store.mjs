// Makes a store of many runs in seconds: three runs of the real command (one that succeeds, one that fails, one that
// reads another), whose rows are then copied with SQL under new ids and numbers. Digests of runs, of tasks whose values
// differ, and of the log of tags are those that the store itself would have written, so that `flow store verify` finds
// nothing wrong.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { newRunId } from "../packages/core/src/ids/run-id.ts";
import { canonicalJson } from "../packages/core/src/metadata/canonical-json.ts";
import { EndDigest, metricFacts, startDigest, taskDigest } from "../packages/core/src/metadata/record-digest.ts";
import { TAG_LOG_START, tagEventDigest } from "../packages/core/src/metadata/tag-chain.ts";
import { flowCommand, root, timeProcess } from "./kit.mjs";

const Database = createRequire(path.join(root, "packages/core/package.json"))("better-sqlite3");

/** Of each ten runs of the store: seven succeed, two fail, one reads from the newest that succeeded. */
const KINDS = ["good", "failed", "good", "good", "reader", "good", "failed", "good", "good", "good"];
const START_AT = Date.UTC(2026, 0, 1);
const STEP_MS = 60_000;

/**
 * Makes a store in a folder that is not there yet. Its runs are of the flows Many (ten tasks each, a metric "score") and
 * ManyReader (two tasks), and hold tags so that each question has its hard case:
 *
 * - "oldest": the first run alone, so that all newer ones do not have it;
 * - "nightly": every run of Many that succeeded; "broken": every one that failed, and none that succeeded;
 * - "week:N": a thousand runs each. No run has the tag "nowhere".
 *
 * @param options.folder of the store
 * @param options.runs how many runs, default 120,000, which have about a million tasks
 * @returns how much there is of each
 */
export function makeLargeStore({ folder, runs = 120_000 }) {
  seed(folder);
  const db = new Database(path.join(folder, "millrace.db"));
  try {
    db.pragma("synchronous = OFF");
    db.pragma("foreign_keys = OFF");
    db.pragma("cache_size = -262144");
    db.transaction(() => copyRuns(db, runs))();
    db.pragma("wal_checkpoint(TRUNCATE)");
    const count = (table) => db.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
    return { runs: count("run"), tasks: count("task"), tags: count("run_tag"), events: count("tag_event") };
  } finally {
    db.close();
  }
}

function seed(folder) {
  const run = (file, ...words) =>
    timeProcess(
      process.execPath,
      [flowCommand, "run", path.join("bench/flows", file), "--store", folder, "--quiet", ...words],
      { cwd: root },
      words.includes("--fail") ? 1 : 0,
    );
  run("many.ts", "--tag", "oldest");
  run("many.ts", "--fail", "--tag", "broken");
  run("many-reader.ts", "--source-tag", "oldest");
}

function copyRuns(db, wanted) {
  const templates = { good: templateOf(db, 1), failed: templateOf(db, 2), reader: templateOf(db, 3) };
  const insert = {};
  for (const table of [
    "run",
    "execution",
    "run_parameter",
    "run_value",
    "upstream",
    "run_metric",
    "run_tag",
    "tag_event",
  ])
    insert[table] = insertInto(db, table);
  db.exec("CREATE TEMP TABLE made (run, template, base, end_record)");
  const made = db.prepare("INSERT INTO made VALUES (?, ?, ?, ?)");
  const log = tagLog(db, insert.tag_event);
  let nextTask = db.prepare("SELECT max(sequence) FROM task").pluck().get() + 1;
  let newest = { id: templates.good.run.id };
  const numbers = { 1: 2, 2: 1 };
  const flows = Object.fromEntries(db.prepare("SELECT name, id FROM flow").raw().all());
  numbers[flows.Many] = 2;
  numbers[flows.ManyReader] = 1;

  for (let sequence = 4; sequence <= wanted; sequence++) {
    const kind = KINDS[sequence % KINDS.length];
    const template = templates[kind];
    const createdAt = START_AT + sequence * STEP_MS;
    const tookMs = template.run.finished_at - template.run.created_at;
    const number = ++numbers[template.run.flow];
    const id = newRunId(createdAt);
    const run = {
      ...template.run,
      sequence,
      id,
      number,
      created_at: createdAt,
      started_at: createdAt,
      finished_at: createdAt + tookMs,
      end_task: template.run.end_task === null ? null : nextTask + template.endIndex,
      failure: template.run.failure?.replace("Many/2/", `Many/${number}/`) ?? null,
    };
    const upstreams = template.upstream.map((row) => ({
      ...row,
      run: sequence,
      producer: newest.id,
      candidates: JSON.stringify([newest.id]),
      resolved_at: createdAt,
    }));
    const score = Math.abs(Math.sin(sequence)); // No order in time, and no two the same.
    const record =
      template.scored && taskDigest({ ...template.scored, metrics: [metricFacts("score", Float64Array.of(score))] });
    const start = startOf(run, template.values, upstreams);
    run.start_digest = Buffer.from(start, "hex");
    insert.run.run(run);
    insert.execution.run({
      ...template.execution,
      run: sequence,
      started_at: createdAt,
      heartbeat_at: createdAt,
      ended_at: createdAt + tookMs,
      end_digest: Buffer.from(endOf(start, run, template, record, newest.id), "hex"),
    });
    for (const row of template.parameters) insert.run_parameter.run({ ...row, run: sequence });
    for (const row of template.values) insert.run_value.run({ ...row, run: sequence });
    for (const row of upstreams) insert.upstream.run(row);
    if (record !== undefined)
      insert.run_metric.run({
        run: sequence,
        name: "score",
        flow: run.flow,
        task: run.end_task,
        step: null,
        value: score,
      });
    made.run(sequence, template.run.sequence, nextTask, record === undefined ? null : Buffer.from(record, "hex"));
    nextTask += template.tasks.length;
    for (const tag of tagsOf(kind, sequence)) {
      insert.run_tag.run({ run: sequence, tag, flow: run.flow, status: run.status });
      log(run, tag);
    }
    if (kind === "good") newest = { id };
  }
  copyTasks(db);
  db.prepare("UPDATE store SET next_task = ?").run(nextTask);
  db.prepare("UPDATE sqlite_sequence SET seq = ? WHERE name = 'run'").run(wanted);
  db.exec(`UPDATE flow SET last_number = (SELECT max(number) FROM run WHERE flow = flow.id),
    run_count = (SELECT count(*) FROM run WHERE flow = flow.id), newest_run = (SELECT max(sequence) FROM run WHERE flow = flow.id)`);
}

function tagsOf(kind, sequence) {
  const week = `week:${Math.floor(sequence / 1_000)}`;
  if (kind === "good") return ["nightly", week];
  return kind === "failed" ? ["broken", week] : [];
}

/** The rows of one run, as all of its copies have them. */
function templateOf(db, run) {
  const all = (sql) => db.prepare(sql).all(run);
  const row = all("SELECT * FROM run WHERE sequence = ?")[0];
  const tasks = all(`SELECT *, lower(hex(record_digest)) AS digest FROM task WHERE run = ? ORDER BY sequence`);
  const scored = all("SELECT task FROM run_metric WHERE run = ?")[0]?.task;
  return {
    run: row,
    execution: all("SELECT * FROM execution WHERE run = ?")[0],
    parameters: all("SELECT * FROM run_parameter WHERE run = ?"),
    values: all("SELECT * FROM run_value WHERE run = ? ORDER BY name"),
    upstream: all("SELECT * FROM upstream WHERE run = ? ORDER BY name"),
    reads: all(`SELECT task.step, task.path, task.attempt, x.*, lower(hex(x.digest)) AS hex FROM upstream_read AS x
      JOIN task ON task.sequence = x.task WHERE x.run = ? ORDER BY x.task, x.upstream, x.producer, x.artifact`),
    tasks,
    endIndex: tasks.findIndex((task) => task.sequence === row.end_task),
    scored: scored === undefined ? undefined : recordOf(db, tasks, scored),
  };
}

/** What the digest of a task covers, without its metrics. */
function recordOf(db, tasks, sequence) {
  const task = tasks.find((each) => each.sequence === sequence);
  return {
    step: task.step,
    path: task.path,
    status: task.status,
    fanOut: task.fan_out,
    choice: task.choice,
    parent: tasks.find((each) => each.sequence === task.inherits)?.digest ?? null,
    terms: task.terms,
    valueReads: task.value_reads,
    artifacts: db
      .prepare("SELECT name, codec, lower(hex(digest)) FROM artifact WHERE task = ? ORDER BY name")
      .raw()
      .all(sequence),
    pages: [],
  };
}

const canonicalTexts = new Map();

/** Nearly all columns are the same text in every copy. */
function canonical(text) {
  if (!canonicalTexts.has(text)) canonicalTexts.set(text, canonicalJson(JSON.parse(text ?? "null")));
  return canonicalTexts.get(text);
}

function startOf(run, values, upstreams) {
  const hex = (bytes) => bytes?.toString("hex") ?? null;
  return startDigest([
    run.id,
    run.project,
    run.flow_name,
    hex(run.package_digest),
    ...[run.system_tags, run.parameters, run.secret_parameters, run.environment].map(canonical),
    run.origin,
    "{}",
    canonical(run.parent),
    values.map((value) => [value.name, value.kind, value.codec, hex(value.digest)]),
    upstreams.map((row) => [
      row.name,
      row.flow_project,
      row.flow_name,
      canonical(row.selector),
      row.producer,
      row.candidate_count,
      row.candidates,
    ]),
  ]);
}

function endOf(start, run, { tasks, endIndex, reads }, record, producer) {
  const end = tasks[endIndex];
  const sum = new EndDigest([start, run.status, end?.step ?? null, end?.path ?? null, end?.attempt ?? null]);
  for (const [index, task] of tasks.entries())
    sum.add([
      task.step,
      task.path,
      task.attempt,
      task.status,
      index === endIndex && record !== undefined ? record : task.digest,
    ]);
  for (const read of reads)
    sum.add([read.step, read.path, read.attempt, read.upstream, producer, read.artifact, read.codec, read.hex]);
  return sum.end();
}

/** Tasks, and what lies beside them, in the order of their numbers: each index grows at its end. */
function copyTasks(db) {
  const columns = db.prepare("SELECT name FROM pragma_table_info('task')").pluck().all();
  const copied = {
    sequence: "made.base + y.place",
    run: "made.run",
    inherits: "y.inherits - y.sequence + y.place + made.base",
    started_at: "run.created_at + y.started_at - y.begun",
    finished_at: "run.created_at + y.finished_at - y.begun",
    record_digest:
      "CASE WHEN y.sequence = y.last THEN coalesce(made.end_record, y.record_digest) ELSE y.record_digest END",
  };
  db.exec(`CREATE TEMP TABLE template_task AS
    SELECT y.*, row_number() OVER (PARTITION BY y.run ORDER BY y.sequence) - 1 AS place, run.created_at AS begun,
      run.end_task AS last
    FROM main.task AS y JOIN run ON run.sequence = y.run WHERE y.run <= 3`);
  db.exec("CREATE INDEX temp.template_task_by_run ON template_task (run, place)");
  db.exec(`INSERT INTO main.task (${columns.join()}) SELECT ${columns.map((name) => copied[name] ?? `y.${name}`).join()}
    FROM made CROSS JOIN template_task AS y ON y.run = made.template CROSS JOIN run ON run.sequence = made.run`);
  db.exec(`INSERT INTO artifact (task, name, codec, digest, size_bytes)
    SELECT made.base + y.place, x.name, x.codec, x.digest, x.size_bytes
    FROM made CROSS JOIN template_task AS y ON y.run = made.template CROSS JOIN main.artifact AS x ON x.task = y.sequence`);
  db.exec(`INSERT INTO upstream_read (run, task, upstream, producer, artifact, codec, digest)
    SELECT made.run, made.base + y.place, x.upstream, edge.producer, x.artifact, x.codec, x.digest
    FROM made CROSS JOIN main.upstream_read AS x ON x.run = made.template
    CROSS JOIN template_task AS y ON y.run = x.run AND y.sequence = x.task
    CROSS JOIN upstream AS edge ON edge.run = made.run AND edge.name = x.upstream`);
  db.exec(`INSERT INTO metric (run, name, task, position, step, value)
    SELECT run, name, task, 0, step, value FROM run_metric WHERE run > 3 ORDER BY run`);
}

/** Appends to the log of tags as a run does that is given a tag when it starts. */
function tagLog(db, insert) {
  const last = db.prepare("SELECT * FROM tag_event ORDER BY sequence DESC LIMIT 1").get();
  let sequence = last?.sequence ?? 0;
  let previous = last?.digest.toString("hex") ?? TAG_LOG_START;
  const nothing = { reason: null, move: null, action: null, from_run: null, checks: null, policy: null };
  return (run, tag) => {
    const event = { actor: "bench", host: "bench", verb: "add", tag, run: run.id, via: "run", sequence: ++sequence };
    const digest = tagEventDigest({ ...event, at: new Date(run.created_at), previous });
    const bytes = { previous: Buffer.from(previous, "hex"), digest: Buffer.from(digest, "hex") };
    insert.run({ ...nothing, ...event, ...bytes, at: run.created_at });
    previous = digest;
  };
}

function insertInto(db, table) {
  const columns = db.prepare("SELECT name FROM pragma_table_info(?)").pluck().all(table);
  return db.prepare(`INSERT INTO ${table} (${columns.join()}) VALUES (${columns.map((name) => `@${name}`).join()})`);
}

// By hand: node bench/large-store.mjs FOLDER [RUNS]
if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [folder, runs = "120000"] = process.argv.slice(2);
  const begin = performance.now();
  const made = makeLargeStore({ folder: path.resolve(folder), runs: Number(runs) });
  console.log(JSON.stringify(made), `${((performance.now() - begin) / 1_000).toFixed(1)} s`);
}
