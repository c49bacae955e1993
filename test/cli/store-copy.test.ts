/** `flow store copy` between folders, as a user meets it: both streams, the exit code, and what the copy is good for. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  "rows.ts": flowText(
    "Rows",
    `rows!: Uint8Array; text!: string; small!: number;
     @step({ next: "end" }) start() {
       this.rows = Uint8Array.from({ length: 50_000 }, () => current.random() * 256);
       this.text = ("line " + current.run.number + "\\n").repeat(10_000);
       this.small = current.run.number;
     }
     @step() end() {}`,
  ),
  "large.ts": flowText(
    "Large",
    `rows!: Uint8Array; @step({ next: "end" }) start() { this.rows = new Uint8Array(30_000_000).map(() => current.random() * 256); } @step() end() {}`,
  ),
});
const place = (name: string) => project.file(name);
const run = async (file: string, ...words: readonly string[]) => {
  expect((await project.here(["run", file, "--quiet", ...words])).code).toBe(0);
};
beforeAll(async () => {
  await run("rows.ts", "--tag", "prod:v1");
  await run("rows.ts");
}, 60_000);
afterAll(() => project[Symbol.asyncDispose]());

/** What a store shows of its runs, tags and values. */
async function shown(store: string): Promise<unknown> {
  const ask = async (...words: readonly string[]) => {
    const asked = await project.here([...words, "--store", store]);
    expect([asked.code, asked.stderr]).toEqual([0, ""]);
    return asked.stdout;
  };
  return {
    runs: await ask("runs", "--json"),
    tags: await ask("tag", "log", "--json"),
    values: createHash("sha256")
      .update(await ask("dump", "Rows@prod:v1", "--json"))
      .digest("hex"),
    verify: (await project.here(["store", "verify", "--read-data", "--json", "--store", store])).lines.at(-1).ok,
  };
}

const runsOf = async (store: string) => (await project.here(["runs", "--json", "--store", store])).stdout;

/** Files of a folder, so that what was to be left alone can be seen to be. */
function filesOf(folder: string): readonly string[] {
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .toSorted();
}

test("a copy shows the same runs, tags and values, is whole, and later takes what is new", async () => {
  const to = place("copy");
  const dry = await project.flow(["store", "copy", ".millrace", to, "--dry-run"]);
  expect([dry.code, dry.stderr, fs.existsSync(to)]).toEqual([0, "", false]);
  expect(dry.stdout).toMatch(/^ {2}\d+ files of values to copy, \S+ \S+\n✓ 2 runs with \d+ values would be copied\n/);
  const copied = await project.flow(["store", "copy", ".millrace", "copy"]);
  expect([copied.code, copied.stderr]).toEqual([0, ""]);
  expect(copied.stdout).toMatch(
    /^ {2}\d+ files of values, .*\n✓ 2 runs with \d+ values copied\n {2}flow runs --store \S+\n$/,
  );
  expect(await shown(to)).toEqual(await shown(project.store));
  expect((fs.statSync(path.join(to, "millrace.db")).mode & 0o777).toString(8)).toBe("600");

  await run("rows.ts", "--tag", "prod:v2");
  const [again] = (await project.flow(["store", "copy", ".millrace", "copy", "--json"])).lines;
  expect(again).toMatchObject({ runs: 3, isDryRun: false, damaged: [], from: project.store, to });
  expect(again.skipped.values).toBeGreaterThan(1);
  expect(again.copied.values).toBeGreaterThan(0);
  expect(again.copied.values).toBeLessThan(again.skipped.values);
  expect(await shown(to)).toEqual(await shown(project.store));
  const [last] = (await project.flow(["store", "copy", ".millrace", "copy", "--json"])).lines;
  expect(last.copied).toEqual({ values: 0, bytes: 0 });
}, 60_000);

test("a copy is a store that runs are made in, and is not written over then", async () => {
  expect((await project.flow(["store", "copy", ".millrace", "own"])).code).toBe(0);
  await run("rows.ts", "--store", "own");
  const before = await shown(place("own"));
  for (const words of [[], ["--dry-run"]]) {
    const refused = await project.flow(["store", "copy", ".millrace", "own", ...words]);
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toContain("FLOW_COPY_DIVERGED");
    expect(refused.stderr).toMatch(
      /it has the run Rows\/\d+, and more, which the source has not|it has the run Rows\/\d+ which/,
    );
    expect(refused.stderr).toContain("flow export");
  }
  expect(await shown(place("own"))).toEqual(before);
  // The other way it goes on from what the source has.
  expect((await project.flow(["store", "copy", "own", ".millrace"])).code).toBe(0);
  expect(await shown(project.store)).toEqual(before);
}, 60_000);

test("tags that were moved in the copy alone are not lost either", async () => {
  expect((await project.flow(["store", "copy", ".millrace", "moved"])).code).toBe(0);
  expect((await project.flow(["tag", "add", "Rows/1", "mine", "--store", "moved"])).code).toBe(0);
  const refused = await project.flow(["store", "copy", ".millrace", "moved"]);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("the move of the tag mine")]);
}, 60_000);

test("webhooks stay where they are", async () => {
  const add = ["webhook", "add", "http://127.0.0.1:9/", "--store"];
  expect((await project.flow(["store", "copy", ".millrace", "hooked"])).code).toBe(0);
  expect((await project.flow([...add, "hooked"])).code).toBe(0);
  expect((await project.flow([...add, ".millrace"])).code).toBe(0);
  expect((await project.flow([...add, ".millrace"])).code).toBe(0);
  expect((await project.flow(["store", "copy", ".millrace", "hooked"])).code).toBe(0);
  expect((await project.flow(["store", "copy", ".millrace", "unhooked"])).code).toBe(0);
  const hooks = async (store: string) =>
    (await project.flow(["webhook", "list", "--json", "--store", store])).lines.length;
  expect([await hooks(".millrace"), await hooks("hooked"), await hooks("unhooked")]).toEqual([2, 1, 0]);
}, 60_000);

/** A store of its own. */
async function stranger(): Promise<string> {
  if (!fs.existsSync(place("stranger"))) await run("rows.ts", "--store", "stranger");
  return place("stranger");
}

test.each([
  ["onto itself", ["store", "copy", ".millrace", "file:.millrace"], "FLOW_COPY_SAME_PLACE", 1],
  ["onto itself through a link", ["store", "copy", ".millrace", "link"], "FLOW_COPY_SAME_PLACE", 1],
  ["from nothing", ["store", "copy", "nothing", "target"], "FLOW_CLIENT_NO_STORE", 3],
  ["to another store", ["store", "copy", ".millrace", "stranger"], "FLOW_COPY_OTHER_STORE", 1],
  ["to another store, dry", ["store", "copy", ".millrace", "stranger", "--dry-run"], "FLOW_COPY_OTHER_STORE", 1],
  ["to a folder with other things", ["store", "copy", ".millrace", "things"], "FLOW_CLIENT_NOT_A_STORE", 3],
  ["to a scheme that is not known", ["store", "copy", ".millrace", "ftp://x/y"], "FLOW_CONFIG_BAD_STORE", 2],
  ["with one word", ["store", "copy", ".millrace"], "FLOW_CLI_MISSING_ARGUMENT", 2],
])(
  "%s it is refused, and nothing is made",
  async (_what, words, code, exit) => {
    if (!fs.existsSync(place("link"))) fs.symlinkSync(".millrace", place("link"));
    const other = await stranger();
    project.write({ "things/mine.txt": "x" });
    const before = ["target", "things"].map((name) => filesOf(place(name)));
    const shownBefore = await runsOf(other);
    const refused = await project.flow(words);
    expect([refused.code, refused.stdout]).toEqual([exit, ""]);
    expect(refused.stderr).toContain(code);
    expect(["target", "things"].map((name) => filesOf(place(name)))).toEqual(before);
    expect(await runsOf(other)).toEqual(shownBefore);
  },
  60_000,
);

test("a damaged value is named with its owner and not copied, and all else is", async () => {
  expect((await project.flow(["store", "copy", ".millrace", "hurt"])).code).toBe(0);
  const [rows, text] = await Promise.all(
    ["rows", "text"].map(async (name) => (await project.flow(["dump", "Rows/1", name, "--json"])).lines[0].digest),
  );
  const file = (digest: string, ending = "") =>
    path.join(place("hurt"), "blobs/sha256", digest.slice(0, 2), digest + ending);
  const bytes = fs.readFileSync(file(rows));
  bytes[40_000]! ^= 1;
  fs.writeFileSync(file(rows), bytes);
  fs.rmSync(file(text, ".zst"));
  const copied = await project.flow(["store", "copy", "hurt", "healthy"]);
  expect([copied.code, copied.stderr]).toEqual([4, ""]);
  expect(copied.stdout).toContain(
    `✗ Not copied: "rows" of Rows/1/start (${rows}): what is stored is damaged: its digest is`,
  );
  expect(copied.stdout).toMatch(
    new RegExp(`Not copied: "text" of Rows/1/start \\(${text}\\), and \\d+ more: the blob "blobs/`),
  );
  expect(copied.stdout).toContain("but for 2 damaged values");
  expect(filesOf(place("healthy")).filter((each) => each.includes(rows) || each.includes(text))).toEqual([]);
  // From a source that has them, only they come.
  const [mended] = (await project.flow(["store", "copy", ".millrace", "healthy", "--json"])).lines;
  expect(mended).toMatchObject({ copied: { values: 2 }, damaged: [] });
  expect(await shown(place("healthy"))).toEqual(await shown(project.store));
}, 60_000);

test("a value that is cut off in the target is copied again", async () => {
  expect((await project.flow(["store", "copy", ".millrace", "short"])).code).toBe(0);
  const { digest } = (await project.flow(["dump", "Rows/1", "rows", "--json"])).lines[0];
  fs.truncateSync(path.join(place("short"), "blobs/sha256", digest.slice(0, 2), digest), 1_000);
  const [again] = (await project.flow(["store", "copy", ".millrace", "short", "--json"])).lines;
  expect(again.copied).toEqual({ values: 1, bytes: 50_000 });
  expect(await shown(place("short"))).toEqual(await shown(project.store));
}, 60_000);

test("a copy that was interrupted is no store yet, and goes on when it is typed again", async () => {
  for (let at = 0; at < 4; at++) await run("large.ts");
  const to = place("slow");
  using watched = new WatchedValues(to);
  const copying = new SpawnedFlow(["store", "copy", ".millrace", to], { cwd: project.folder });
  await Promise.race([watched.first, copying.ended]);
  copying.signal("SIGINT");
  const ended = await copying.ended;
  expect([ended.code, ended.stdout]).toEqual([130, ""]);
  expect(ended.stderr).toContain("the same command goes on with it");
  expect(fs.existsSync(path.join(to, "millrace.db"))).toBe(false);
  const there = filesOf(path.join(to, "blobs")).length;
  expect(there).toBeGreaterThan(0);

  const refused = await project.flow(["run", "rows.ts", "--store", to]);
  expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining("type flow store copy again")]);
  const other = await project.flow(["store", "copy", await stranger(), to]);
  expect([other.code, other.stderr]).toEqual([1, expect.stringContaining("FLOW_COPY_OTHER_STORE")]);

  const [again] = (await project.flow(["store", "copy", ".millrace", to, "--json"])).lines;
  expect(again.skipped.values).toBe(there);
  expect(await shown(to)).toEqual(await shown(project.store));
  expect(fs.readdirSync(to).toSorted()).not.toContain("copy.json");
  expect(fs.readdirSync(path.join(to, "tmp"))).toEqual([]);
}, 120_000);

/** Says when the first value is in a folder that is not there yet. */
class WatchedValues {
  readonly first: Promise<void>;
  readonly #timer: NodeJS.Timeout;

  constructor(folder: string) {
    let arrived = (): void => {};
    this.first = new Promise((resolve) => (arrived = resolve));
    this.#timer = setInterval(() => {
      if (filesOf(path.join(folder, "blobs")).length > 0) arrived();
    }, 1);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
