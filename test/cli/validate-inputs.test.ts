/** V09: what a model takes against the tables that another run predicts with, each fault made by hand. */
import { realpathSync, symlinkSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const ROWS = `const rows = () => ({ size: Float64Array.of(0, 1, 2, 3), kind: ["a", "b", "a", "b"] });`;

const project = new Project({
  "fit.ts": flowText(
    "Fit",
    `
    model!: StoredModel<unknown>; engineer!: FeatureEngineer; unnamed!: StoredModel<unknown>;
    @step({ next: "end" }) async start() {
      const tree = new DecisionTreeRegression();
      tree.train([[0], [1], [2], [3]], [1, 3, 5, 7]);
      const inputs = tableInputs(rows());
      this.model = await storeModel(tree, { signature: { inputs, outputs: [{ type: "number" }] } });
      this.unnamed = await storeModel(tree);
      this.engineer = new FeatureEngineer({ numeric: ["size"], categorical: ["kind"] }).fit(rows());
    }
    @step() end() {}`,
    `import { DecisionTreeRegression } from "ml-cart"; import { FeatureEngineer, StoredModel, storeModel, tableInputs } from "@millrace/ml"; ${ROWS}`,
  ),
  "data.ts": flowText(
    "Data",
    `
    readonly harm = param(z.string().default("none"));
    rows!: Record<string, Float64Array | string[]>; other!: Record<string, number[]>;
    @step({ next: "end" }) start() {
      const table: Record<string, Float64Array | string[]> = rows();
      if (this.harm === "missing") delete table.size;
      if (this.harm === "type") table.size = ["1", "2", "3", "4"];
      if (this.harm === "level") table.kind = ["a", "b", "c", "d"];
      if (this.harm === "empty") { table.size = new Float64Array(0); table.kind = []; }
      if (this.harm === "extra") table.target = Float64Array.of(1, 2, 3, 4);
      this.rows = table;
      this.other = { nothing: [1], of: [2], it: [3] };
    }
    @step() end() {}`,
    ROWS,
  ),
  // By what the step reads: "table" from the run of the data, "own" from a step before, "list" as rows made in the step itself.
  "use.ts": flowText(
    "Use",
    `
    readonly fit = upstream<any>("Fit"); readonly data = upstream<any>("Data");
    readonly what = param(z.string().default("model"));
    readonly from = param(z.enum(["table", "own", "list", "summary"]).default("table"));
    kept!: unknown; list!: unknown; n!: number;
    @step({ next: "work" }) start() { if (this.from === "own") this.kept = this.data.data.rows; }
    @step({ next: "end" }) work() {
      const model = this.fit.data[this.what];
      this.n = model === undefined ? 0 : 1;
      if (this.from === "table") this.n += Object.keys(this.data.data.rows).length + Object.keys(this.data.data.other).length;
      if (this.from === "summary") this.list = [{ size: 1, mean: 2 }];
      if (this.from === "list") this.list = [{ size: 1, kind: "a" }, { size: 2, kind: "z" }];
    }
    @step() end() {}`,
    `import "@millrace/ml";`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

const run = async (...words: readonly string[]): Promise<void> => {
  const { code, stderr } = await project.here(["run", ...words, "--quiet"]);
  if (code !== 0) throw new Error(stderr);
};

/** V09 of a run that predicts with the model on data with a fault: what it says, each line with its status. */
async function inputs(harm: string, use: readonly string[] = [], ...words: readonly string[]) {
  await run("data.ts", "--harm", harm);
  await run("use.ts", ...use);
  const { code, lines } = await project.flow(["validate", "Use", "--json", ...words]);
  const all = (lines.at(-1) as any).checks as readonly { id: string; status: string; evidence: string }[];
  const own = all.filter(({ id }) => id === "V09");
  return { code, found: own.map(({ status, evidence }) => [status, evidence.replace(/\/\d+/g, "")]) };
}

beforeAll(async () => {
  symlinkSync(realpathSync("packages/ml/node_modules/ml-cart"), project.file("node_modules/ml-cart"));
  await run("fit.ts");
}, 60_000);

const ALL = '"rows" of Data has the 2 columns that "model" of Fit takes';

test("a table that fits passes, and other tables that are read beside it are none of its business", async () => {
  expect(await inputs("none")).toEqual({ code: 0, found: [["pass", ALL]] });
}, 60_000);

test.each([
  ["missing", 1, ["fail", '"rows" of Data lacks what "model" of Fit takes: "size"']],
  ["type", 1, ["fail", '"size" of "rows" of Data holds categories, and "model" of Fit takes numbers']],
  ["level", 0, ["warn", '"kind" of "rows" of Data has categories that "model" of Fit has not learnt: "c", "d"']],
  ["extra", 0, ["warn", '"rows" of Data has more than "model" of Fit takes: "target"']],
])(
  "a table with a fault: %s",
  async (harm, code, finding) => {
    expect(await inputs(harm)).toEqual({ code, found: [finding] });
    const strict = await project.flow(["validate", "Use", "--strict"]);
    expect(strict.code).toBe(1);
  },
  60_000,
);

test("a feature engineer takes its columns by name: more of them are no fault, others are", async () => {
  const of = ["--what", "engineer"];
  expect((await inputs("extra", of)).found).toEqual([["pass", ALL.replace("model", "engineer")]]);
  expect((await inputs("missing", of)).found).toMatchObject([
    ["fail", expect.stringContaining('"engineer" of Fit takes: "size"')],
  ]);
  expect((await inputs("level", of)).found).toMatchObject([["warn", expect.stringContaining('"c", "d"')]]);
}, 60_000);

test("a table that an earlier step has kept, and rows that the step itself left", async () => {
  expect((await inputs("type", ["--from", "own"])).found).toMatchObject([
    ["fail", expect.stringContaining('"size" of "kept" of Use holds categories')],
  ]);
  expect((await inputs("none", ["--from", "list"])).found).toMatchObject([
    ["warn", expect.stringContaining('"kind" of "list" of Use has categories that "model" of Fit has not learnt: "z"')],
  ]);
}, 60_000);

test("a model without names of columns is not judged", async () => {
  expect((await inputs("missing", ["--what", "unnamed"])).found).toEqual([]);
}, 60_000);

test("a table without rows says nothing of kinds, and a result that looks like an input is a warning", {
  timeout: 60_000,
}, async () => {
  const empty = await inputs("empty");
  expect([empty.code, empty.found.map(([status]) => status)]).toEqual([0, ["pass"]]);
  const summary = await inputs("none", ["--from", "summary"]);
  expect([summary.code, summary.found]).toEqual([
    0,
    expect.arrayContaining([["warn", expect.stringMatching(/lacks what .*"kind"/)]]),
  ]);
});
