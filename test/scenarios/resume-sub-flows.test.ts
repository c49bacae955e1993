/** A fork of a run whose steps have started runs: what succeeded is found by equal calls, unless its step is to run again. */
import fs from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "./observe.ts";

const NOTE = `import { appendFileSync } from "node:fs";
const note = (line: string) => appendFileSync(new URL("notes", import.meta.url), line + "\\n");`;

const child = flowText(
  "Ten",
  `readonly n = param(z.number()); tenfold!: number;
  @step({ next: "end" }) start() { note("child " + this.n); this.tenfold = this.n * 10; }
  @step() end() {}`,
  NOTE,
);

/** Two items, each with two runs inside; the second item fails behind its first run. */
const parent = (middle: string): string =>
  flowText(
    "Asks",
    `readonly factor = param(z.number().default(1)); items!: number[]; value!: number; sum!: number;
    @step({ next: "work", foreach: "items" }) start() { this.items = [1, 2]; }
    @step({ next: "gather" }) async work(item: number) {
      const [first] = [await run(Ten, { params: { n: item * this.factor } })];
      ${middle}
      const second = await run(Ten, { params: { n: 7 } });
      this.value = (await first.data.tenfold) + (await second.data.tenfold);
    }
    @join({ next: "end" }) gather(inputs: Inputs<Asks>) { this.sum = inputs.reduce((sum, input) => sum + input.value, 0); }
    @step() end() {}`,
    `import { run } from "@millrace/core"; import Ten from "./ten.ts";`,
  );
const FAILS = `if (item === 2) throw new Error("not yet");`;

async function failedRun(): Promise<Project> {
  const project = new Project({ "ten.ts": child, "asks.ts": parent(FAILS) });
  onTestFinished(() => project[Symbol.asyncDispose]());
  expect((await project.here(["run", "asks.ts", "--finish-siblings"])).code).toBe(1);
  expect(notes(project)).toEqual(["child 1", "child 2", "child 7"]);
  project.write({ "asks.ts": parent("") });
  return project;
}

/** Runs inside that were executed since the last look. */
function notes(project: Project): readonly string[] {
  const file = project.file("notes");
  const lines = fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim().split("\n").toSorted() : [];
  fs.rmSync(file, { force: true });
  return lines;
}

const sumOf = async (project: Project, run: string): Promise<number> =>
  (await project.here(["dump", run, "sum", "--json"])).lines[0].value;

test("a run inside that succeeded is taken over by the task that did not finish", async () => {
  const project = await failedRun();
  const resumed = await project.here(["resume"]);
  expect([resumed.code, resumed.stderr]).toEqual([0, expect.stringContaining("Asks/2 goes on from Asks/1")]);
  expect(resumed.stderr).toMatch(/Asks\/2\/work\/1 {2}.*Ten\/\d/);
  expect(notes(project)).toEqual(["child 7"]);
  expect(await sumOf(project, "Asks/2")).toBe(10 + 70 + 20 + 70);
  const shown = JSON.parse((await project.here(["show", "Asks/2", "--json"])).stdout);
  expect(shown.children.runs.map(({ run }: { run: string }) => run)).toHaveLength(4);
  expect((await project.here(["validate", "Asks/2"])).code).toBe(0);
});

test.each([
  ["--from names its step", ["--from", "work"]],
  ["--from names a step before it", ["--from", "start"]],
  ["--changed says that its step runs again", ["--changed"]],
])("it is started anew when %s", async (_, words) => {
  const project = await failedRun();
  expect((await project.here(["resume", ...words])).code).toBe(0);
  expect(notes(project)).toEqual(["child 1", "child 2", "child 7", "child 7"]);
});

test("it is started anew when its own code is other code now, or when it is given something else", async () => {
  const project = await failedRun();
  project.write({ "ten.ts": child.replace("this.n * 10", "this.n * 100") });
  expect((await project.here(["resume"])).code).toBe(0);
  expect(notes(project)).toEqual(["child 2", "child 7"]);
  expect(await sumOf(project, "Asks/2")).toBe(10 + 70 + 200 + 700);
});
