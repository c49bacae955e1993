/** `flow diff` and `flow code` as a user meets them, on real runs. */
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const train = (rate: string): string =>
  flowText(
    "Train",
    `readonly rate = param(z.number().default(1)); readonly source = upstream(Rows);
    readonly settings = includeFile({ default: "settings.txt", encoding: "utf8" });
    model!: number; fixed!: string;
    @step({ next: "end" }) start() { this.model = this.rate * ${rate} + this.source.data.rows.length; this.fixed = "f"; }
    @step() end() {}`,
    `import { Rows, type Unit } from "./lib/index.ts"; export const unit: Unit = "m";`,
  );

const project = new Project({
  "lib/index.ts": `export * from "./rows.ts"; export type { Unit } from "./types.ts";\n`,
  "lib/types.ts": `export type Unit = "m";\n`,
  "lib/names.json": `{ "a": 1 }\n`,
  "lib/rows.ts": flowText(
    "Rows",
    `rows!: number[]; @step({ next: "end" }) start() { this.rows = [names.a, Date.now()]; } @step() end() {}`,
    `import names from "./names.json" with { type: "json" }; export { Rows };`,
  ),
  "settings.txt": "one",
  "train.ts": train("2"),
});

beforeAll(async () => {
  const ok = async (...words: string[]): Promise<void> => {
    const { code, stderr } = await project.here([...words, "--quiet"]);
    expect(code, stderr).toBe(0);
  };
  await ok("run", "lib/rows.ts");
  await ok("run", "train.ts");
  await ok("run", "train.ts");
  await ok("run", "lib/rows.ts");
  project.write({ "settings.txt": "two", "train.ts": train("3") });
  await ok("run", "train.ts", "--rate", "5", "--tag", "prod:v1");
}, 300_000);
afterAll(() => project[Symbol.asyncDispose]());

test("two runs of the same on the same are the same, though they took another time", async () => {
  const { code, stdout, stderr } = await project.flow(["diff", "Train/1", "Train/2", "--exit-code"]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("Train/1 and Train/2 are the same in all that makes a result");
  expect(stdout).not.toContain("Artifacts\n");
});

test("what differs is told by theme: code, parameters, files, upstreams, data, artifacts", async () => {
  const { code, stdout } = await project.flow(["diff", "Train/2", "Train/3"]);
  expect(code).toBe(0);
  const cells = (name: string) =>
    stdout
      .split("\n")
      .find((line) => line.slice(2).startsWith(`${name} `))
      ?.split(/ {2,}/);
  expect(cells("rate")).toEqual(["~ rate", "1", "5"]);
  expect(cells("source")).toEqual(["~ source", "Rows/1 (newest)", "Rows/2 (newest)"]);
  expect(cells("settings")?.[1]).toMatch(/^[0-9a-f]{12} 3 B$/);
  expect(cells("source.rows")?.[1]).toMatch(/^[0-9a-f]{12} of Rows\/1$/);
  expect(cells("train.ts")?.[0]).toBe("~ train.ts");
  expect(cells("model")?.[0]).toBe("~ model");
  expect(cells("fixed")).toBeUndefined();
  expect(stdout).not.toContain("lib/rows.ts");
  expect((await project.flow(["diff", "Train/2", "Train/3", "--exit-code"])).code).toBe(1);
  expect((await project.flow(["diff", "Train/2", "Train/3", "--all"])).stdout).toMatch(/^ {2}fixed .* the same$/m);

  const [json] = (await project.flow(["diff", "Train/2", "Train@prod:v1", "--json"])).lines;
  expect(json).toMatchObject({ schema: 1, left: { run: "Train/2" }, right: { run: "Train/3" }, isSame: false });
  expect(json.sections.artifacts.map(({ name, state }: { name: string; state: string }) => [name, state])).toEqual([
    ["fixed", "same"],
    ["model", "changed"],
  ]);
  expect(json.sections.environment.some(({ name }: { name: string }) => name === "node")).toBe(true);
});

test("changed lines are shown as diff shows them", async () => {
  const { stdout } = await project.flow(["diff", "Train/2", "Train/3", "--code"]);
  expect(stdout).toContain("--- train.ts\n+++ train.ts\n@@ -");
  expect(stdout).toMatch(/\n-.*this\.rate \* 2 \+.*\n\+.*this\.rate \* 3 \+/);
  // A flow that is the other's part: what is only on one side.
  const other = await project.flow(["diff", "Rows/1", "Train/1", "--code"]);
  expect(other.stdout).toMatch(/\+\+\+ train\.ts\n@@ -0,0 \+1,\d+ @@\n\+import/);
});

test("the sources of a run are listed, and given back byte for byte with what left no code", async () => {
  const listed = await project.flow(["code", "Train/2"]);
  expect([listed.code, listed.stderr]).toEqual([0, ""]);
  const names = [...listed.stdout.matchAll(/^(\S+\.\S+) +\d/gm)].map(([, name]) => name);
  expect(names).toEqual(["lib/index.ts", "lib/names.json", "lib/rows.ts", "train.ts"]);

  const saved = await project.flow(["code", "Train/2", "-o", "then"]);
  expect([saved.code, saved.stdout]).toEqual([0, ""]);
  expect(saved.stderr).toBe("✓ 4 sources of Train/2 in then\n");
  const read = (name: string): string => fs.readFileSync(project.file(name), "utf8");
  expect(read("then/train.ts")).toBe(train("2"));
  for (const name of ["lib/index.ts", "lib/names.json", "lib/rows.ts"]) expect(read(`then/${name}`)).toBe(read(name));

  const again = await project.flow(["code", "Train/3", "-o", "then"]);
  expect([again.code, again.stdout]).toEqual([2, ""]);
  expect(again.stderr).toContain("FLOW_PACKAGE_SOURCES_IN_THE_WAY");
  expect(again.stderr).toContain('"lib/index.ts" is there already');
  expect(read("then/train.ts")).toBe(train("2"));
  expect((await project.flow(["code", "Train/3", "-o", "then", "--force"])).code).toBe(0);
  expect(read("then/train.ts")).toBe(train("3"));

  const [json] = (await project.flow(["code", "Train/2", "--json"])).lines;
  expect(json.sources.at(-1)).toMatchObject({ path: "train.ts", isKept: true, text: train("2") });
});

test("nothing is written into the store, and what cannot be asked is refused", async () => {
  const store = await project.flow(["code", "Train/2", "-o", path.join(".millrace", "code")]);
  expect(store.code).toBe(1);
  expect(store.stderr).toContain("it lies in the store");
  expect(fs.existsSync(project.file(".millrace/code"))).toBe(false);
  for (const words of [
    ["code"],
    ["code", "Train/2", "--force"],
    ["code", "Train/2.model"],
    ["diff", "Train/1"],
    ["diff", "Train/1", "Train/2/start"],
    ["diff", "Train/1", "Train/2", "Train/3"],
  ]) {
    const refused = await project.flow(words);
    expect([refused.code, refused.stdout], words.join(" ")).toEqual([2, ""]);
  }
});

test("metrics: last values, how far they moved, and what only one run has", async () => {
  project.write({
    "score.ts": flowText(
      "Score",
      `readonly r2 = param(z.number()); readonly more = param(z.string().default(""));
      @step() start() {
        this.log.metric("r2", 5); this.log.metric("r2", this.r2); this.log.metric("rows", 100); this.log.metric("none", 0);
        if (this.more === "left") { this.log.metric("seconds", 1.5); this.log.metric("odd", Number.NaN); this.log.metric("from0", 0); }
        if (this.more === "right") { this.log.metric("recall@5", 0.71); this.log.metric("odd", 2); this.log.metric("from0", 3); }
      }`,
    ),
  });
  for (const words of [
    ["--r2", "-0.8", "--more", "left"],
    ["--r2", "-0.6", "--more", "right"],
    ["--r2", "-0.6", "--more", "right"],
  ])
    expect((await project.here(["run", "score.ts", "--quiet", ...words])).code).toBe(0);
  const { stdout } = await project.flow(["diff", "Score/1", "Score/2"]);
  const table = /^Metrics \(2 the same\)\n([\s\S]*?)\n\n/m
    .exec(stdout)![1]!
    .split("\n")
    .map((line) => line.trim().split(/ {2,}/));
  expect(table).toEqual([
    ["NAME", "SCORE/1", "SCORE/2", "DIFFERENCE", "PER CENT"],
    ["~ from0", "0", "3", "+3"],
    ["~ odd", "NaN", "2"],
    ["~ r2", "-0.8", "-0.6", "+0.2", "+25 %"],
    ["- seconds", "1.5", "-"],
    ["+ recall@5", "-", "0.71"],
  ]);
  const [json] = (await project.flow(["diff", "Score/1", "Score/2", "--json"])).lines;
  expect(json.sections.metrics.find(({ name }: { name: string }) => name === "r2")).toEqual({
    name: "r2",
    state: "changed",
    left: { kind: "value", value: -0.8 },
    right: { kind: "value", value: -0.6 },
    difference: expect.closeTo(0.2),
    percent: expect.closeTo(25),
  });
  expect((await project.flow(["diff", "Score/2", "Score/3", "--exit-code"])).code).toBe(0);
  // A metric may be a time: alone it makes no difference.
  project.write({ "time.ts": flowText("Time", `@step() start() { this.log.metric("ms", performance.now()); }`) });
  for (let run = 0; run < 2; run++) expect((await project.here(["run", "time.ts", "--quiet"])).code).toBe(0);
  const timed = await project.flow(["diff", "Time/1", "Time/2", "--exit-code"]);
  expect([timed.code, timed.stdout]).toEqual([0, expect.stringMatching(/^~ ms /m)]);
});
