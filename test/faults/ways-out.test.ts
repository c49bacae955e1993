/** From each damage there is a way out, the message names it, and it leads out. */
import fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StoreToHurt } from "./damage-kit.ts";

const store = new StoreToHurt();
beforeAll(async () => {
  store.project.write({ "words.txt": "some words" });
  await store.project.flow(["put", "Words", "words.txt"]);
  await store.write();
}, 120_000);
afterAll(() => store[Symbol.asyncDispose]());

const hurt = (sql: string): void => {
  store.heal();
  store.sql((db) => db.exec(sql));
};
const flow = (...words: string[]) => store.project.flow([...words, "--store", store.folder]);

describe("a run that cannot be read and holds a tag", () => {
  test("loses its tag, then goes, by the commands that the messages name", async () => {
    hurt(
      "UPDATE run SET environment = '[' WHERE sequence = (SELECT sequence FROM run WHERE flow_name = 'Source' AND number = 1)",
    );
    const listed = await flow("tag", "list");
    expect([listed.code, listed.stdout]).toEqual([0, expect.stringMatching(/prod:v1 +1 +Source\/1/)]);
    const show = await flow("show", "Source/1");
    expect(show.stderr).toContain("flow runs delete Source/1");
    const kept = await flow("runs", "delete", "Source/1", "Reader/1");
    expect(kept.stderr).toContain("flow tag remove Source/1 prod:v1");
    const removed = await flow("tag", "remove", "Source/1", "prod:v1", "--reason", "broken");
    expect([removed.code, removed.stdout]).toEqual([
      0,
      "✓ Source/1 no longer tagged prod:v1; its record cannot be read\n",
    ]);
    expect((await flow("tag", "add", "Source/1", "prod:v2")).code).toBe(3);
    expect((await flow("runs", "delete", "Source/1", "Reader/1")).code).toBe(0);
    expect((await store.verify({})).findings).toEqual([]);
  });

  test("is wanted from a copy first, and from an export without one", async () => {
    hurt("UPDATE run SET environment = '[' WHERE flow_name = 'Reader'");
    const { code, stdout } = await flow("store", "verify");
    expect(code).toBe(4);
    const [copy, without, command] = stdout.trimEnd().split("\n").slice(-3);
    expect(copy).toContain("restore from a copy of the store");
    expect(without).toContain("without a copy");
    expect(command).toContain("flow runs delete Reader/1     flow import FILE");
  });
});

test("rows of upstreams, executions and tasks that cannot be read are told with their run", async () => {
  for (const [sql, name] of [
    ["UPDATE upstream SET candidates = '5'", "Reader/1"],
    [
      "UPDATE execution SET options = '5' WHERE run = (SELECT sequence FROM run WHERE flow_name = 'Reader')",
      "Reader/1",
    ],
    [
      "UPDATE task SET error = '5' WHERE step = 'end' AND run = (SELECT sequence FROM run WHERE flow_name = 'Reader')",
      "Reader/1/end",
    ],
  ] as const) {
    hurt(sql);
    const { stderr } = await flow(...(name.endsWith("end") ? ["show", name] : ["resume", name]));
    expect(stderr).toContain(`Cannot read ${name}: "`);
    expect(stderr).toContain("flow runs delete Reader/1");
  }
});

test("what flow put recorded is to be put again, and is whole then", async () => {
  store.heal();
  const digest = store.sql(
    (db) => db.prepare("SELECT digest FROM artifact WHERE name = 'words'").pluck().get() as Uint8Array,
  );
  store.sql((db) => db.prepare("UPDATE blob SET stored = x'00' WHERE digest = ?").run(digest));
  const { losses } = await store.repair();
  expect(losses).toMatchObject([{ run: "Words/1", commands: [], advice: expect.stringContaining("flow put Words") }]);
  expect((await flow("resume", "Words/1")).stderr).toContain("flow put Words");
  expect((await flow("put", "Words", "words.txt")).code).toBe(0);
  expect((await store.verify({ readData: true })).ok).toBe(true);
});

test("records that are gone are no missing store: what helps is said", async () => {
  hurt("UPDATE flow SET run_count = 7");
  await store.repair();
  fs.rmSync(store.file("millrace.db"));
  for (const words of [["runs"], ["store", "gc"], ["show", "Source/1"], ["run", "source.ts"], ["store", "repair"]]) {
    const { code, stderr } = await flow(...words);
    expect(code).toBe(3);
    expect(stderr).toContain("FLOW_METADATA_CORRUPT");
    expect(stderr).toContain('copy "millrace.db.before-repair-1" to that name');
  }
  const verified = await flow("store", "verify");
  expect([verified.code, verified.stdout]).toEqual([4, expect.stringContaining('copy "millrace.db.before-repair-1"')]);
  expect(verified.stdout).not.toContain("runs delete");
  fs.copyFileSync(store.file("millrace.db.before-repair-1"), store.file("millrace.db"));
  expect((await flow("runs")).code).toBe(0);
  // The copy alone, without any value in a file, is a store that has lost its records too.
  fs.rmSync(store.file("millrace.db"));
  fs.rmSync(store.file("blobs"), { recursive: true });
  expect((await flow("runs")).stderr).toContain("FLOW_METADATA_CORRUPT");
});

describe("a file where a folder belongs, or the other way round", () => {
  const commands = [
    ["runs"],
    ["store", "verify"],
    ["store", "repair"],
    ["store", "gc", "--grace", "0s"],
    ["validate"],
    ["run", "source.ts", "--quiet"],
  ];
  const swap = (name: string): void => {
    const isFolder = fs.statSync(store.file(name)).isDirectory();
    fs.rmSync(store.file(name), { recursive: true });
    if (isFolder) fs.writeFileSync(store.file(name), "in the way");
    else fs.mkdirSync(store.file(name));
  };

  test.each([
    ["the records", (): string => "millrace.db", /a folder lies where the file belongs/, [3, 4]],
    [
      "the folder of unfinished files",
      (): string => "tmp",
      /not a plain file or folder|not a directory|where the store has a folder/,
      [0, 1, 3],
    ],
    [
      "a folder of values",
      (): string => `blobs/sha256/${fs.readdirSync(store.file("blobs/sha256")).sort()[0]}`,
      /is not there|not a directory|where the store has a folder/,
      [0, 1, 3, 4],
    ],
    [
      "the folder of all values",
      (): string => "blobs",
      /not a directory|is not there|not a plain|where the store has a folder/,
      [0, 1, 3, 4],
    ],
  ] as const)(
    "%s: each command says so by the path, and none is a defect of ours",
    async (_name, which, words, codes) => {
      store.heal();
      const name = which();
      swap(name);
      for (const command of commands) {
        const { code, stdout, stderr } = await flow(...command);
        expect(codes, `${command.join(" ")}: ${stderr}`).toContain(code);
        expect(stderr).not.toContain("FLOW_INTERNAL");
        if (code === 3 || command[1] === "verify") {
          expect(stdout + stderr).toMatch(words);
          expect(stdout + stderr).toContain(name);
        }
      }
    },
  );
});

test("a pull that fails leaves no empty folder behind, and none of somebody else is taken away", async () => {
  store.heal();
  for (const { file } of store.blobs()) if (file !== undefined) fs.rmSync(store.file(file));
  fs.mkdirSync(store.project.file("theirs"));
  for (const place of ["made/for/it/", "theirs/below/"]) {
    const { code, stderr } = await flow("pull", "Source/1", "noise", "-o", place);
    expect([code, stderr]).toEqual([1, expect.stringContaining("FLOW_ARTIFACT_MISSING")]);
  }
  expect(fs.existsSync(store.project.file("made"))).toBe(false);
  expect(fs.readdirSync(store.project.file("theirs"))).toEqual([]);
});

test("faults are counted once, and what helps with them adds up", async () => {
  hurt(
    "UPDATE flow SET run_count = 7 WHERE name = 'Source'; DELETE FROM item_page WHERE split = (SELECT min(split) FROM item_page)",
  );
  const { stdout } = await flow("store", "verify");
  expect(stdout.match(/^✗ {1,2}S\d\d/gm)).toHaveLength(3);
  expect(stdout).toMatch(/^✗ Damaged: 3 faults; \d+ values, none of them read$/m);
  expect(stdout).toContain(
    "of the faults, 1 for flow store repair, 1 for a step that runs again, or a copy, 1 for a copy alone",
  );
});

test("a verb that is none, and a collection without grace, say what they mean", async () => {
  store.heal();
  const { stderr } = await flow("store", "foo");
  expect(stderr).toContain("The verbs are gc, init, info, copy, rebuild, verify, repair");
  const { stdout } = await flow("store", "gc", "--grace", "0s", "--dry-run");
  expect(stdout).toContain("and deleted by this call");
  expect(stdout).not.toContain("deleted by a call after");
});
