/** Runs go from one store to another, and are there what they were: values, records, lineage, output, code. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { FLOWS } from "./flows.ts";

const project = new Project(FLOWS);
const other = project.file("other");
const there = ["--store", other];
let ids: Readonly<Record<string, string>>;

afterAll(() => project[Symbol.asyncDispose]());

const run = async (words: readonly string[], code = 0): Promise<any> => {
  const called = await project.here(["run", ...words, "--json"]);
  expect([words, called.code, called.stderr]).toEqual([words, code, expect.anything()]);
  return called.lines.at(-1).record;
};
const json = async (...words: readonly string[]): Promise<any> => {
  const called = await project.here([...words, "--json"]);
  expect([words, called.code, called.stderr, called.stdout]).toEqual([words, 0, "", expect.anything()]);
  return called.lines.length === 1 ? called.lines[0] : called.lines;
};
const digest = (file: string): string =>
  createHash("sha256")
    .update(fs.readFileSync(project.file(file)))
    .digest("hex");
const codeOf = async (...words: readonly string[]): Promise<unknown> => {
  const { code, lines } = await project.here([...words, "--json"]);
  return [code, lines.at(-1)?.code ?? lines.at(-1)?.error?.code];
};

beforeAll(async () => {
  const data = await run(["data.ts"]);
  const train = await run(["train.ts", "--tag", "prod:v1"]);
  const again = await run(["train.ts", "-k", "4"]);
  const fails = await run(["fails.ts"], 1);
  const outer = await run(["outer.ts", "--flow", "Outer"]);
  const fork = (await project.here(["resume", "Train/1", "--from", "gather", "--json"])).lines.at(-1).record;
  ids = Object.fromEntries(
    Object.entries({ data, train, again, fails, outer, fork }).map(([name, { id }]) => [name, id]),
  );
  const moved = await project.here(["tag", "add", "Train/1", "eu", "--reason", "good"]);
  expect(moved.code).toBe(0);
  expect((await project.here(["tag", "remove", "Train/1", "eu"])).code).toBe(0);
}, 300_000);

describe("a file of runs", () => {
  test("is a plain tar, the same for the same runs, to a file or to stdout", async () => {
    const report = await json("export", "Train/1", "-o", "train.tar", "--with-upstreams");
    expect(report.runs).toMatchObject([
      { run: "Data/1", runId: ids.data, asked: false },
      { run: "Train/1", runId: ids.train, asked: true },
    ]);
    expect(report.references).toEqual([]);
    expect(fs.statSync(project.file("train.tar"))).toMatchObject({ size: report.sizeBytes });
    expect(fs.statSync(project.file("train.tar")).mode & 0o777).toBe(0o600);
    const binary = new URL("../../packages/cli/bin/flow.mjs", import.meta.url).pathname;
    const words = [binary, "export", ids.train!, "-o", "-", "--with-upstreams"];
    const piped = execFileSync(process.execPath, words, {
      cwd: project.folder,
      maxBuffer: 1e8,
      stdio: ["ignore", "pipe", "ignore"],
    });
    expect(Buffer.compare(piped, fs.readFileSync(project.file("train.tar")))).toBe(0);
    expect(fs.readdirSync(project.folder).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  test.skipIf(process.platform === "win32")(
    "can be listed and unpacked by tar, and its values by their digests",
    () => {
      const names = execFileSync("tar", ["tf", "train.tar"], { cwd: project.folder, encoding: "utf8" })
        .trim()
        .split("\n");
      expect(names[0]).toBe("manifest.jsonl");
      fs.mkdirSync(project.file("unpacked"));
      execFileSync("tar", ["xf", "../train.tar"], { cwd: project.file("unpacked") });
      const blobs = names.filter((name) => name.startsWith("blobs/"));
      expect(blobs.length).toBeGreaterThan(8);
      for (const name of blobs) expect(digest(`unpacked/${name}`)).toBe(path.basename(name));
    },
  );

  test("names no path, no database and no secret of the machine but what records have", async () => {
    const text = fs.readFileSync(project.file("train.tar"), "latin1");
    expect(text.includes("SQLite format")).toBe(false);
    for (const line of text.matchAll(/"name":"([^"]+\/[^"]+)","sizeBytes"/g))
      expect(line[1]).toMatch(/^(runs|packages)\/[0-9a-f-]+(\/[a-z]+\.jsonl|\.json)$/);
  });
});

describe("import", () => {
  test("says what would come in, and changes nothing", async () => {
    const report = await json("import", "train.tar", "--dry-run", ...there);
    expect(report).toMatchObject({ isDryRun: true });
    expect(report.runs).toMatchObject([
      { runId: ids.data, state: "new", from: { run: "shop/Data/1" }, tagsThere: [] },
      { runId: ids.train, state: "new", from: { run: "shop/Train/1" }, tagsThere: ["prod:v1"], tags: [] },
    ]);
    expect(report.runs[1]).not.toHaveProperty("run");
    expect(fs.existsSync(other)).toBe(false);
  });

  test("takes runs over with all that they left, under the next number, and knows where they are from", async () => {
    const called = await project.here(["import", "train.tar", ...there]);
    expect([called.code, called.stderr]).toEqual([0, `Made a new store in ${other}\n`]);
    expect(called.stdout).toContain("Train/1 (shop/Train/1 there)  succeeded");
    expect(called.stdout).toContain("flow tag add Train/1 prod:v1");
    expect(called.stdout).toContain("flow show Train/1");
    const [was, is] = [await json("show", ids.train!), await json("show", ids.train!, ...there)];
    const { imported, ...rest } = is;
    const { store } = imported;
    expect(imported).toMatchObject({ run: "shop/Train/1", actor: expect.any(String), at: expect.any(String) });
    expect(rest).toEqual({ ...was, tags: [], children: rest.children });
    expect(await json("dump", ids.train!, ...there)).toEqual(await json("dump", ids.train!));
    expect(await json("dump", `${ids.data}/start`, ...there)).toEqual(await json("dump", `${ids.data}/start`));
    const logs = async (...words: readonly string[]) =>
      (await project.here(["logs", ids.train!, "--json", ...words])).lines.map(({ text, task }) => [text, task]);
    expect(await logs(...there)).toEqual(await logs());
    expect((await project.here(["show", ids.train!, ...there])).stdout).toContain(`shop/Train/1 of the store ${store}`);
  });

  test("leaves lineage and values that validate", async () => {
    for (const id of [ids.train!, ids.data!]) {
      const report = await json("validate", id, "--strict", ...there);
      expect(report.checks.filter((check: any) => check.status !== "pass")).toEqual([]);
      expect(report.hashed.blobs).toBeGreaterThan(0);
    }
  });

  test("leaves out what is there already, also through a pipe and under other numbers", async () => {
    const report = await json("import", "train.tar", ...there);
    expect(report.runs.map(({ state, run }: any) => [state, run])).toEqual([
      ["present", "Data/1"],
      ["present", "Train/1"],
    ]);
    const binary = new URL("../../packages/cli/bin/flow.mjs", import.meta.url).pathname;
    const answer = execFileSync(process.execPath, [binary, "import", "-", "--json"], {
      cwd: project.folder,
      input: fs.readFileSync(project.file("train.tar")),
      encoding: "utf8",
    });
    expect(JSON.parse(answer).runs.map(({ state }: any) => state)).toEqual(["present", "present"]); // its own store
  });

  test("gives the same file back, but for tags, which are each store's own", async () => {
    const fresh = ["--store", project.file("fresh")];
    await json("export", ids.fails!, ids.data!, "-o", "a.tar");
    await json("import", "a.tar", ...fresh);
    await json("export", "Data/1", "Fails/1", "-o", "b.tar", ...fresh);
    expect(digest("b.tar")).toBe(digest("a.tar"));
    await json("export", ids.train!, "-o", "c.tar", "--with-upstreams", ...there);
    const entries = (file: string) =>
      execFileSync("tar", ["xOf", file, "manifest.jsonl"], { cwd: project.folder, encoding: "utf8" })
        .split("\n")
        .filter((line) => line.includes('"entry"') || line.includes('"blob"'));
    const [from, back] = [entries("train.tar"), entries("c.tar")];
    expect(back.filter((line) => !from.includes(line)).map((line) => JSON.parse(line).name)).toEqual([
      `runs/${ids.train}/tags.jsonl`,
    ]);
  });

  test("a run that failed, a fork, what came from the cache, runs inside steps: all come as they are", async () => {
    const all = [ids.fails!, ids.fork!, ids.outer!, ids.again!];
    await json("export", ...all, "-o", "all.tar", "--with-upstreams");
    const report = await json("import", "all.tar", "--store", project.file("third"));
    expect(report.runs.filter(({ state }: any) => state === "new").length).toBeGreaterThan(5);
    for (const id of all) {
      const [was, is] = [await json("show", id), await json("show", id, "--store", project.file("third"))];
      const { imported: _, ...rest } = is;
      // Numbers are the store's own; Train/1, the fork's origin, is not in the file.
      const plain = (record: any) => JSON.parse(JSON.stringify(record).replaceAll(/"(\w+)\/\d+/g, '"$1/N'));
      const { origin: a, ...left } = plain(rest);
      const { origin: b, ...right } = plain(was);
      expect([left, a?.runId]).toEqual([{ ...right, tags: [] }, b?.runId]);
    }
    expect((await json("show", ids.outer!, "--store", project.file("third"))).children).toMatchObject({ count: 1 });
    const again = await json("import", "all.tar", "--store", project.file("third"));
    expect(new Set(again.runs.map(({ state }: any) => state))).toEqual(new Set(["present"]));
  });

  test("without upstreams keeps their ids and names", async () => {
    const store = ["--store", project.file("fourth")];
    const report = await json("export", ids.train!, "-o", "alone.tar");
    expect(report.references).toEqual([{ run: "shop/Data/1", runId: ids.data }]);
    const imported = await json("import", "alone.tar", ...store);
    expect(imported.runs).toMatchObject([{ missing: ["shop/Data/1"] }]);
    const record = await json("show", ids.train!, ...store);
    expect(record.upstreams).toMatchObject([{ name: "source", runId: ids.data, runThere: "shop/Data/1" }]);
    const { lines } = await project.here(["validate", ids.train!, "--json", ...store]);
    expect(lines[0].checks.filter(({ status }: any) => status === "fail")).toEqual([]);
    await json("import", "train.tar", ...store);
    const whole = await json("validate", ids.train!, ...store);
    expect(whole.checks.filter(({ status }: any) => status === "fail")).toEqual([]);
    expect((await json("show", ids.train!, ...store)).upstreams).toMatchObject([{ run: "Data/1" }]);
  });

  test("moves nothing that a selector means, not even with tags", async () => {
    const store = ["--store", project.file("fifth")];
    await json("export", ids.data!, ids.again!, "-o", "again.tar");
    await json("import", "again.tar", ...store); // Train/2 of there is Train/1 here.
    expect((await project.here(["tag", "add", "Train/1", "prod:v1", ...store])).code).toBe(0);
    const own = (await project.here(["run", "train.ts", "--tag", "prod:v1", "--json", ...store])).lines.at(-1).record;
    expect(own.upstreams).toMatchObject([{ run: "Data/1" }]); // The only one: imported runs count where no other is.
    const means = async (selector: string) =>
      JSON.parse((await project.here(["show", selector, "--json", ...store])).stdout).id;
    expect(await means("Train@prod:v1")).toBe(own.id);
    const report = await json("import", "train.tar", "--tags", ...store);
    expect(report.runs.at(-1)).toMatchObject({
      runId: ids.train,
      run: "Train/3",
      tags: ["prod:v1"],
      shadowed: [{ tag: "prod:v1", by: "Train/2" }],
    });
    expect([await means("Train@prod:v1"), await means("Train")]).toEqual([own.id, own.id]);
    const { moves } = await json("tag", "list", "Train/3", ...store);
    expect(moves).toMatchObject([
      { tag: "prod:v1", via: "flow import", reason: expect.stringContaining("shop/Train/1") },
    ]);
    const validated = await json("validate", "Train/3", ...store);
    expect(validated.checks.filter(({ status }: any) => status === "fail")).toEqual([]);
  });

  test("a failed run goes on by its own code where its name is typed, and nowhere else", async () => {
    const store = ["--store", project.file("third")];
    expect(await codeOf("resume", ...store)).toEqual([1, "FLOW_RESUME_NO_RUN"]);
    const named = await project.here(["resume", ids.fails!, "--json", ...store]);
    expect([named.code, named.lines.at(-1).record.id]).toEqual([1, ids.fails]);
    // It went on here: the file's run is another one now.
    expect(await codeOf("import", "all.tar", ...store)).toEqual([1, "FLOW_TRANSFER_OTHER_CONTENT"]);
  });
});

describe("export", () => {
  test("needs a file, and runs that are over", async () => {
    expect(await codeOf("export", "Train/1")).toEqual([2, "FLOW_CLI_MISSING_ARGUMENT"]);
    expect(await codeOf("export", "Train/1/work", "-o", "x.tar")).toEqual([2, "FLOW_CLIENT_BAD_SELECTOR"]);
    expect(await codeOf("export", "Train/1", "-o", "no/folder/x.tar")).toEqual([1, "FLOW_CLI_OUTPUT_NOT_WRITABLE"]);
  });

  test("fails by name where a value is damaged, and leaves no file", async () => {
    const folder = path.join(project.store, "blobs/sha256");
    const stored = fs.readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.length > 60);
    const { lines } = await project.here(["dump", `${ids.data}/start`, "--json"]);
    const rows = lines.find(({ name }) => name === "rows");
    const file = path.join(folder, stored.find((name) => name.includes(rows.digest))!);
    const bytes = fs.readFileSync(file);
    fs.writeFileSync(project.file("older.tar"), "older");
    try {
      fs.writeFileSync(file, Buffer.concat([bytes.subarray(0, 90), Buffer.of(bytes[90]! ^ 1), bytes.subarray(91)]));
      const called = await project.here(["export", ids.data!, "-o", "older.tar"]);
      expect([called.code, called.stdout]).toEqual([1, ""]);
      expect(called.stderr).toContain('artifact "rows" of Data/1/start');
      expect(called.stderr).toContain(rows.digest);
      fs.rmSync(file);
      expect(await codeOf("export", ids.data!, "-o", "older.tar")).toEqual([1, "FLOW_ARTIFACT_MISSING"]);
    } finally {
      fs.writeFileSync(file, bytes);
    }
    expect(fs.readFileSync(project.file("older.tar"), "utf8")).toBe("older");
    expect(fs.readdirSync(project.folder).filter((name) => name.endsWith(".part"))).toEqual([]);
  });
});
