/** Records that were changed by hand are refused wherever something would be read by them, and give nobody another value. */
import { cpSync } from "node:fs";
import { openClient, openStores } from "@millrace/core/internal";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openWriter } from "../../packages/core/src/metadata/sqlite/connection.ts";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  "source.ts": flowText(
    "Source",
    `
    readonly rate = param(z.coerce.number().default(1));
    readonly isBroken = param(z.coerce.boolean().default(false));
    value!: number; other!: number; parts!: number[]; part!: number; seen!: number;
    @step({ next: "work", foreach: "parts" }) start() { this.value = this.rate * 10; this.other = 77; this.parts = [1, 2, 3]; }
    @step({ next: "gather" }) work(item: number) { this.part = item * this.rate; this.log.metric("size", item); }
    @join({ next: "end" }) gather(inputs: Inputs<Source>) {
      this.mergeArtifacts(inputs, { include: ["value", "other"] });
      this.seen = inputs.reduce((sum, { part }) => sum + part, 0);
    }
    @step() end() { if (this.isBroken) throw new Error("broken"); }`,
    'import { join, type Inputs } from "@millrace/core";',
  ),
  "reader.ts": flowText(
    "Reader",
    `
    readonly source = upstream<Source>("Source");
    copy!: number;
    @step({ next: "end" }) start() { this.copy = this.source.data.value; }
    @step() end() {}`,
    'import type Source from "./source.ts";',
  ),
  "cached.ts": flowText(
    "Cached",
    `
    readonly rate = param(z.coerce.number().default(1));
    readonly more = param(z.coerce.number().default(1));
    value!: number; both!: number;
    @step({ next: "end", cache: true }) start() { this.value = this.rate * 10; this.log.metric("rate", this.rate); }
    @step() end() { this.both = this.value + this.more; }`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());
const good = project.file("good");
let count = 0;

beforeAll(async () => {
  await done(good, "run", "source.ts");
  await done(good, "run", "source.ts", "--rate", "2");
  const failed = await project.here(["run", "source.ts", "--is-broken", "--store", good]);
  expect(failed.code).toBe(1);
  for (const rate of ["1", "2"]) await done(good, "run", "cached.ts", "--rate", rate);
}, 120_000);

async function done(store: string, ...words: readonly string[]): Promise<any[]> {
  const { code, stderr, lines } = await project.here([...words, "--json", "--store", store]);
  if (code !== 0) throw new Error(`${words.join(" ")}: ${code} ${stderr} ${JSON.stringify(lines.at(-1))}`);
  return lines as any[];
}

/** A copy of the store with its records changed. */
async function changed(...statements: readonly string[]): Promise<string> {
  const store = project.file(`changed-${++count}`);
  cpSync(good, store, { recursive: true });
  const db = openWriter(`${store}/millrace.db`);
  try {
    db.pragma("foreign_keys = OFF");
    for (const statement of statements)
      expect([statement, db.prepare(statement).run().changes > 0]).toEqual([statement, true]);
  } finally {
    db.close();
  }
  return store;
}

async function refusal(store: string, ...words: readonly string[]): Promise<string> {
  const { code, stderr, stdout } = await project.here([...words, "--store", store]);
  expect([words.join(" "), code, stdout.includes("another value")]).toEqual([words.join(" "), 4, false]);
  expect(stderr).toMatch(/FLOW_METADATA_CHANGED_RECORDS/);
  expect(stderr).toMatch(/flow validate \w+\/\d/);
  return stderr;
}

const task = (run: string, step: string): string =>
  `(SELECT t.sequence FROM task AS t JOIN run AS r ON r.sequence = t.run WHERE r.flow_name || '/' || r.number = '${run}' AND t.step = '${step}')`;
const gather = task("Source/1", "gather");
const OTHER_VALUE = `UPDATE artifact SET digest = (SELECT digest FROM artifact WHERE task = ${gather} AND name = 'other'),
  size_bytes = (SELECT size_bytes FROM artifact WHERE task = ${gather} AND name = 'other') WHERE task = ${gather} AND name = 'value'`;
const OTHER_END = `UPDATE run SET end_task = ${task("Source/2", "end")} WHERE number = 1 AND flow_name = 'Source'`;
const SUCCEEDED = "UPDATE run SET status = 'succeeded' WHERE flow_name = 'Source' AND number = 3";

test.each([
  ["another value", OTHER_VALUE, /Source\/1\/gather are not those that it left/],
  ["the end of another run", OTHER_END, /Source\/1 is recorded as ended by a task of another run/],
  [
    "another parameter",
    `UPDATE run SET parameters = '{"rate":3,"isBroken":false}' WHERE flow_name = 'Source' AND number = 1`,
    /Source\/1 was given something else/,
  ],
])("%s is not read", { timeout: 120_000 }, async (_what, statement, words) => {
  const store = await changed(statement);
  expect(await refusal(store, "dump", "Source/1", "value")).toMatch(words);
  expect(await refusal(store, "dump", "Source/1.value", "-o", project.file("value.bin"))).toMatch(words);
  expect(await refusal(store, "pull", "Source/1", "value", "-o", project.file("value.txt"))).toMatch(words);
  expect(await refusal(store, "run", "reader.ts", "--source-run", "Source/1")).toMatch(words);
  expect(await refusal(store, "resume", "Source/1", "--from", "end")).toMatch(words);
  // A step of it is run again on what it had before it.
  expect(await refusal(store, "step", "Source/1/end")).toMatch(words);
  // Whoever means another run is not concerned.
  expect((await done(store, "dump", "Source/2", "value"))[0].value).toBe(20);
});

test("through the client nothing is read by changed records", { timeout: 60_000 }, async () => {
  const store = await changed(OTHER_VALUE);
  const stores = await openStores({ store, cwd: project.folder, environment: {}, create: false });
  const client = await openClient(stores);
  const run = await client.run("Source/1");
  await expect((run!.data as any).value).rejects.toMatchObject({ code: "FLOW_METADATA_CHANGED_RECORDS" });
  const tasks: any[] = [];
  for await (const each of (run as any).step("work").tasks) tasks.push(await (each.data as any).part);
  expect(tasks).toEqual([1, 2, 3]); // What does not come from the changed record is read as before.
  await stores.close();
});

test("a run that only its own row calls succeeded is no upstream", { timeout: 60_000 }, async () => {
  const store = await changed(SUCCEEDED);
  expect(await refusal(store, "run", "reader.ts", "--source-run", "Source/3")).toMatch(/Source\/3/);
});

test("what a task is said to have read, and what it measured, is told from what it recorded", {
  timeout: 120_000,
}, async () => {
  const start = task("Source/3", "start");
  const reads = await changed(
    `UPDATE task SET value_reads = '[]' WHERE run = (SELECT run FROM task WHERE sequence = ${start}) AND step <> 'end'`,
  );
  expect(await refusal(reads, "resume", "Source/3", "--rate", "5")).toMatch(/Source\/3\/start are not those/);
  const first = `(SELECT min(t.sequence) FROM task AS t JOIN run AS r ON r.sequence = t.run WHERE r.flow_name = 'Source' AND r.number = 1 AND t.step = 'work')`;
  for (const statement of [
    `UPDATE metric SET value = value + 1 WHERE task = ${first}`,
    `UPDATE metric SET step = 4 WHERE task = ${first}`,
    `DELETE FROM metric WHERE task = ${first}`,
    `INSERT INTO metric SELECT run, 'planted', task, 0, NULL, 5 FROM metric WHERE task = ${first}`,
  ]) {
    const store = await changed(statement);
    const { code, lines } = await project.here(["store", "verify", "--json", "--store", store]);
    expect([statement, code]).not.toEqual([statement, 0]);
    expect(JSON.stringify(lines)).toMatch(/Source\/1\/work\/\d are not those that it left/);
  }
});

test("an entry of the step cache that was made for another task is no hit, is found, and repair takes it out", {
  timeout: 120_000,
}, async () => {
  const [one, two] = [task("Cached/1", "start"), task("Cached/2", "start")];
  const swapped = await changed(
    `UPDATE cache_entry SET task = -1 WHERE task = ${one}`,
    `UPDATE cache_entry SET task = ${one} WHERE task = ${two}`,
    `UPDATE cache_entry SET task = ${two} WHERE task = -1`,
  );
  const report = await project.here(["store", "verify", "--store", swapped]);
  expect([report.code, report.stdout]).toEqual([4, expect.stringMatching(/step cache offers Cached\/1\/start/)]);
  await done(swapped, "run", "cached.ts", "--rate", "1", "--more", "5");
  expect((await done(swapped, "dump", "Cached/3", "both"))[0].value).toBe(15);
  expect((await project.here(["store", "repair", "--store", swapped])).code).toBe(0);
  expect((await project.here(["store", "verify", "--store", swapped])).code).toBe(0);

  // What the offered task left was changed: the entry is right, and the outcome is not what it stands for.
  const other = await changed(
    `UPDATE artifact SET digest = (SELECT digest FROM artifact WHERE task = ${two} AND name = 'value') WHERE task = ${one} AND name = 'value'`,
  );
  await done(other, "run", "cached.ts", "--rate", "1", "--more", "6");
  expect((await done(other, "dump", "Cached/3", "both"))[0].value).toBe(16);

  // A hit is still one where nothing was changed: metrics and all.
  const same = await changed("UPDATE store SET next_task = next_task + 1");
  await done(same, "run", "cached.ts", "--rate", "2", "--more", "7");
  expect(JSON.stringify(await done(same, "show", "Cached/3/start"))).toMatch(/"kind":"cache"/);
  expect((await project.here(["store", "verify", "--store", same])).code).toBe(0);
});

test("the last value of a metric, by which runs are chosen, is held to what tasks recorded", {
  timeout: 60_000,
}, async () => {
  const store = await changed(
    "UPDATE run_metric SET value = 99 WHERE run = (SELECT sequence FROM run WHERE flow_name = 'Source' AND number = 1)",
  );
  const { code, stdout } = await project.here([
    "validate",
    "Source/1",
    "--require",
    "metric:size>50",
    "--store",
    store,
  ]);
  expect([code, stdout]).toEqual([1, expect.stringMatching(/last value of the metric "size" of Source\/1 is another/)]);
});

test("what was read of an upstream keeps its run, also where the row of the upstream is lost", {
  timeout: 60_000,
}, async () => {
  const whole = project.file("with-reader");
  cpSync(good, whole, { recursive: true });
  await done(whole, "run", "reader.ts", "--source-run", "Source/1");
  const db = openWriter(`${whole}/millrace.db`);
  expect(db.prepare("DELETE FROM upstream").run().changes).toBe(1);
  db.close();
  const { code, stderr } = await project.here(["runs", "delete", "Source/1", "--store", whole]);
  expect([code, stderr]).toEqual([1, expect.stringMatching(/Reader\/1/)]);
  // Commands in hints would act on another store.
  expect(stderr).toContain(`(with --store ${whole})`);
});

test("a store whose origins of forks and of cached tasks were deleted is whole", { timeout: 60_000 }, async () => {
  const store = project.file("without-origins");
  cpSync(good, store, { recursive: true });
  await done(store, "resume", "Source/1", "--from", "end");
  await done(store, "run", "cached.ts", "--rate", "1", "--more", "9");
  await done(store, "runs", "delete", "Source/1");
  await done(store, "runs", "delete", "Cached/1");
  const { code, stdout } = await project.here(["store", "verify", "--store", store]);
  expect([code, stdout]).toEqual([0, expect.stringContaining("Whole")]);
  const db = openWriter(`${store}/millrace.db`);
  db.pragma("foreign_keys = OFF");
  db.prepare("DELETE FROM deleted_run").run();
  db.close();
  const lost = await project.here(["store", "verify", "--store", store]);
  expect([lost.code, lost.stdout]).toEqual([4, expect.stringContaining("was forked from is not in the store")]);
});

test("a package whose manifest was changed so that it names no files is damage", { timeout: 60_000 }, async () => {
  const store = await changed("UPDATE code_package SET manifest = '{}'");
  const { code, stdout } = await project.here(["store", "verify", "--store", store]);
  expect([code, stdout]).toEqual([4, expect.stringMatching(/S09 .*names none of its 3 files/)]);
});

/** What each command says of a store, with its exit code. */
async function says(
  store: string,
  pattern: RegExp,
  calls: readonly (readonly [words: readonly string[], code: number])[],
): Promise<void> {
  for (const [words, code] of calls) {
    const called = await project.here([...words, "--store", store]);
    const text = called.stdout + called.stderr;
    expect([words, called.code, text]).toEqual([words, code, expect.stringMatching(pattern)]);
  }
}

test("the code of another package is not given out as that of a run", { timeout: 60_000 }, async () => {
  const of = (name: string) => `(SELECT package_digest FROM run WHERE flow_name = '${name}' AND number = 1)`;
  const store = await changed(
    `UPDATE code_package SET manifest = (SELECT manifest FROM code_package WHERE digest = ${of("Cached")}) WHERE digest = ${of("Source")}`,
  );
  await says(store, /names other files than its digest/, [
    [["code", "Source/1"], 3],
    [["validate", "Source/1"], 1],
    [["store", "verify"], 4],
  ]);
});

test("a record of a package that says something else than the package is damage", { timeout: 60_000 }, async () => {
  const store = await changed(
    `UPDATE code_package SET manifest = replace(manifest, 'source.ts', 'sauce.ts') WHERE instr(manifest, 'source.ts') > 0`,
  );
  await says(store, /another manifest than its own|something else than the package's own manifest/, [
    [["code", "Source/1"], 3],
    [["validate", "Source/1"], 1],
    [["store", "verify"], 4],
  ]);
});

test("an entry of the step cache that nobody can read is taken out by the repair that is advised", {
  timeout: 60_000,
}, async () => {
  for (const change of ["reads = 'no JSON'", "reads = '[]', record_digest = NULL"]) {
    const store = await changed(`UPDATE cache_entry SET ${change}`);
    await says(store, /flow store repair/, [[["store", "verify"], 4]]);
    await says(store, /took offers out of the step cache/, [[["store", "repair"], 0]]);
    await says(store, /Whole/, [[["store", "verify"], 0]]);
  }
});
