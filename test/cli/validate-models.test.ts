/** What was kept against what is installed now: V06, V07 and V08 of `flow validate`, each with the fault that it is there for. */
import { realpathSync, symlinkSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  "node_modules/scaler/package.json": JSON.stringify({ name: "scaler", version: "1.4.0", main: "index.js" }),
  "node_modules/scaler/index.js": "exports.scale = (x) => x * 2;",
  "fit.ts": flowText(
    "Fit",
    `
    readonly harm = param(z.enum(["none", "version", "probe"]).default("none"));
    model!: StoredModel<unknown>; scaled!: number;
    @step({ next: "end" }) async start() {
      this.scaled = scale(1);
      const tree = new DecisionTreeRegression();
      tree.train([[0], [1], [2], [3]], [1, 3, 5, 7]);
      const model = await storeModel(tree, { probe: { inputs: [[0], [3]] } });
      const { codec, codecVersion, library, facts, files, probe } = model;
      const parts = { codec, codecVersion, library, facts, files, probe };
      if (this.harm === "none") this.model = model;
      else if (this.harm === "version") this.model = new StoredModel({ ...parts, library: { ...library!, version: "99.0.0" } });
      else this.model = new StoredModel({ ...parts, probe: { ...probe!, expected: [100, 200] } });
    }
    @step() end() {}`,
    `import { DecisionTreeRegression } from "ml-cart"; import { scale } from "scaler"; import { StoredModel, storeModel } from "@millrace/ml";`,
  ),
  "use.ts": flowText(
    "Use",
    `readonly fit = upstream<any>("Fit"); x!: number; @step() start() { this.x = this.fit.data.scaled; }`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

const worst = ["fail", "warn", "pass"] as const;

/** The worst status of each check that was asked, with what was said. */
async function checks(...words: readonly string[]): Promise<Readonly<Record<string, readonly string[]>>> {
  const { lines } = await project.flow(["validate", ...words, "--json"]);
  const all = (lines.at(-1) as any).checks as readonly { id: string; status: string; evidence: string }[];
  return Object.fromEntries(
    ["V06", "V07", "V08"].map((id) => {
      const own = all.filter((check) => check.id === id);
      const status = worst.find((each) => own.some((check) => check.status === each));
      return [
        id,
        status === undefined ? [] : [status, ...own.filter((c) => c.status === status).map((c) => c.evidence)],
      ];
    }),
  );
}

const install = (version: string): void =>
  project.write({ "node_modules/scaler/package.json": JSON.stringify({ name: "scaler", version, main: "index.js" }) });

beforeAll(async () => {
  symlinkSync(realpathSync("packages/ml/node_modules/ml-cart"), project.file("node_modules/ml-cart"));
  const { code, stderr } = await project.here(["run", "fit.ts"]);
  if (code !== 0) throw new Error(stderr);
}, 60_000);

test("a model that loads and predicts as it did passes, for the run and for those that read from it", {
  timeout: 60_000,
}, async () => {
  const of = await checks("Fit/1");
  expect(of.V06).toEqual(["pass", expect.stringMatching(/^"model" of Fit\/1 loads with ml-cart /)]);
  expect(of.V07).toEqual(["pass", '"model" of Fit/1 predicts what was kept with it']);
  expect(of.V08).toEqual(["pass", expect.stringMatching(/ packages are those/)]);
  expect((await project.here(["run", "use.ts"])).code).toBe(0);
  expect((await checks("Use/1")).V06).toEqual(of.V06);
});

test("V06: a model that the installed library does not load", { timeout: 60_000 }, async () => {
  expect((await project.here(["run", "fit.ts", "--harm", "version"])).code).toBe(0);
  const of = await checks("Fit/2");
  expect(of.V06).toEqual(["fail", expect.stringMatching(/^"model" of Fit\/2 does not load: .*99\.0\.0/)]);
  expect(of.V07).toEqual([]);
});

test("a model that does not load, or predicts otherwise, gets no tag that asks for it, by whatever way", {
  timeout: 120_000,
}, async () => {
  const set = await project.flow(["tag", "policy", "set", "gold", "--exclusive", "--require-check", "V06,V07"]);
  expect(set.code).toBe(0);
  for (const [run, check] of [
    ["Fit/2", "V06"],
    ["Fit/3", "V07"],
  ] as const) {
    if ((await project.here(["show", run])).code !== 0)
      await project.here(["run", "fit.ts", "--harm", run === "Fit/2" ? "version" : "probe"]);
    for (const words of [
      ["promote", run, "--to", "silver", "--check"],
      ["promote", run, "--to", "gold"],
      ["tag", "add", run, "gold"],
    ]) {
      const { code, stderr } = await project.flow(words);
      expect([words.join(" "), code, stderr]).toEqual([words.join(" "), 1, expect.stringContaining(`check ${check}`)]);
    }
  }
  const asked = await project.flow(["run", "fit.ts", "--harm", "probe", "--tag", "gold", "--json"]);
  expect(asked.code).toBe(0);
  expect((await project.flow(["tag", "list", "gold"])).stdout).not.toMatch(/Fit\/\d/);
  expect((await project.flow(["promote", "Fit/1", "--to", "gold"])).code).toBe(0);
  const never = await project.flow(["tag", "policy", "set", "x:*", "--require-check", "V13,V20,V99"]);
  expect([never.code, never.stderr]).toEqual([
    2,
    expect.stringMatching(/V13 judges what a command is given, V20 judges .*there is no check V99/),
  ]);
  await project.flow(["tag", "policy", "remove", "gold"]);
  const both = await project.flow(["validate", "Fit/1", "--watch-freshness", "--require", "metric:x<1"]);
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining("it cannot judge --require")]);
});

test("V07: a model that predicts otherwise", { timeout: 60_000 }, async () => {
  if ((await project.flow(["show", "Fit/3"])).code !== 0)
    expect((await project.here(["run", "fit.ts", "--harm", "probe"])).code).toBe(0);
  const of = await checks("Fit/3");
  expect([of.V06![0], of.V07]).toEqual([
    "pass",
    ["fail", expect.stringMatching(/^"model" of Fit\/3 loads, and predicts otherwise: /)],
  ]);
});

test("V08: packages that were updated since, and others that are gone", { timeout: 60_000 }, async () => {
  install("1.4.9");
  expect((await checks("Fit/1")).V08![0]).toBe("pass");
  install("1.5.0");
  expect((await checks("Fit/1")).V08).toEqual(["warn", "Fit/1 ran with scaler 1.4.0, here is 1.5.0"]);
  expect((await checks("Fit/1", "--strict")).V08![0]).toBe("fail");
  install("2.0.0");
  const { code } = await project.flow(["validate", "Fit/1"]);
  expect([code, (await checks("Fit/1")).V08]).toEqual([
    1,
    ["fail", "Fit/1 ran with scaler 1.4.0, here is 2.0.0: it promises no compatibility"],
  ]);
  project.write({ "node_modules/scaler/package.json": "{}" });
  expect((await checks("Fit/1")).V08).toEqual(["pass", expect.stringMatching(/; 1 more are not found from here$/)]);
});
