/** `flow lineage` as a user meets it: real runs of flows that lead to each other in every way that there is. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  "rows.ts": flowText(
    "Rows",
    `readonly seed = param(z.number().default(7)); readonly token = param(z.string(), { secret: true });
    readonly settings = includeFile({ default: "settings.txt", encoding: "utf8" });
    rows!: number[]; names!: string[];
    @step({ next: "end" }) start() { this.rows = [this.seed, this.settings.length]; this.names = ["a"]; } @step() end() {}`,
  ),
  "settings.txt": "deep",
  "train.ts": flowText(
    "Train",
    `readonly source = upstream(Rows); folds!: number[]; score!: number; model!: string;
    @step({ next: "fold", foreach: "folds" }) start() { this.folds = [1, 2, 3]; }
    @step({ next: "pick" }) fold(n: number) { this.score = n + this.source.data.rows.length; }
    @join({ next: "write" }) pick(inputs: Inputs<Train>) { this.model = "m" + Math.max(...inputs.map((each) => each.score)); }
    @step({ next: "end", cache: true }) write() { this.note = this.model + "!"; } note!: string;
    @step() end() { this.last = this.source.data.names[0]!; } last!: string;`,
    `import Rows from "./rows.ts";`,
  ),
  "report.ts": flowText(
    "Report",
    `text!: string;
    @step({ next: "end" }) async start() {
      const train = await runs<Train>("Train").latest({ tags: ["prod:v1"] });
      const fit = await run(Fit, { params: { depth: 2 } });
      this.text = (await train.data.model) + (await fit.data.depth);
    }
    @step() end() {}`,
    `import { run, runs } from "@millrace/core"; import type Train from "./train.ts";
     export class Fit extends Flow { readonly depth = param(z.number()); @step() start() {} }`,
  ),
});

beforeAll(async () => {
  const env = { MILLRACE_PARAM_TOKEN: "hush-hush" };
  for (const words of [
    ["run", "rows.ts"],
    ["run", "train.ts", "--tag", "prod:v1"],
    ["run", "train.ts"],
    ["run", "report.ts"],
    ["resume", "Report/1", "--from", "end"],
  ]) {
    const { code, stderr } = await project.here([...words, "--quiet"], { env });
    expect(code, stderr).toBe(0);
  }
}, 300_000);
afterAll(() => project[Symbol.asyncDispose]());

/** Without what differs from run to run: digests and times. */
const plain = (text: string): string =>
  text
    .replaceAll(/\b[0-9a-f]{64}\b/g, "DIGEST")
    .replaceAll(/\b[0-9a-f]{12}\b/g, "DIGEST")
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d/g, "TIME");

test("up: runs, what was read of them by which tasks, code, parameters, files; a secret by its name alone", async () => {
  const { code, stdout, stderr } = await project.flow(["lineage", "Train/1"]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(plain(stdout)).toBe(`Train/1  TIME, code DIGEST, prod:v1
└─ source (newest): Rows/1  TIME, code DIGEST
      read names DIGEST (end), rows DIGEST (3 tasks of fold)
      parameters seed=7 token=(secret)
      file settings DIGEST
`);
  expect(stdout).not.toContain("hush");
});

test("forks, flows inside steps and reads through the client; each run once in full", async () => {
  const { stdout } = await project.flow(["lineage", "Report/2"]);
  const lines = plain(stdout).trimEnd().split("\n");
  expect(lines[0]).toBe("Report/2  TIME, code DIGEST");
  // The fork has taken the call over, so both are made from the run that the step has called.
  expect(lines.filter((line) => line.includes("Fit/1"))).toEqual([
    "├─ called by start: Fit/1  TIME, code DIGEST",
    expect.stringMatching(/called by start: Fit\/1 \(above\)$/),
    expect.stringMatching(/read by code: Fit\/1 \((above|below)\)$/),
    expect.stringMatching(/read by code: Fit\/1 \(above\)$/),
  ]);
  expect(stdout).toContain("fork: Report/1");
  expect(plain(stdout)).toContain("read by code: Train/1  TIME, code DIGEST, prod:v1");
  expect(plain(stdout)).toMatch(/read model DIGEST \(start\)/);
  expect(stdout.match(/parameters seed=7/g)).toHaveLength(1);
  // A run and those inside its steps lead to each other: the way that one came by is not shown again.
  const parent = await project.flow(["lineage", "Report/1"]);
  expect(parent.stdout).not.toContain("started by");
  const child = await project.flow(["lineage", "Fit/1"]);
  expect(plain(child.stdout)).toContain("└─ started by start: Report/1  TIME");
});

test("down: who read from a run, who called it, what was forked from it, who took tasks from the cache", async () => {
  const rows = await project.flow(["lineage", "Rows", "--down", "--json"]);
  const nameOf = new Map(rows.lines[0].runs.map((run: { id: string; run: string }) => [run.id, run.run]));
  const links = rows.lines[0].links.map(
    ({ from, to, kind }: { from: string; to: string; kind: string }) => `${nameOf.get(from)} ${kind} ${nameOf.get(to)}`,
  );
  expect(links.toSorted()).toEqual(
    [
      "Rows/1 upstream Train/1",
      "Rows/1 upstream Train/2",
      "Train/1 cache Train/2",
      "Train/1 read Report/1",
      "Train/1 read Report/2",
      "Report/1 fork Report/2",
      "Report/1 start Fit/1",
      "Fit/1 call Report/1",
      "Fit/1 call Report/2",
      "Fit/1 read Report/1",
      "Fit/1 read Report/2",
    ].toSorted(),
  );
  const fit = await project.flow(["lineage", "Fit/1", "--down"]);
  expect(fit.stdout).toContain("called by start: Report/1");
  const none = await project.flow(["lineage", "Report/2", "--down"]);
  expect([none.code, none.stderr]).toEqual([0, "No run was made from it\n"]);
});

test("an artifact: the task that made it, what that read, and whether that is recorded", async () => {
  const model = await project.flow(["lineage", "Train/1", "model"]);
  expect(plain(model.stdout)).toMatch(
    /^model artifact, text, 2 B, sha256 DIGEST\n {2}set by Train\/1\/pick\n {2}that task began with \(what it read of these is not recorded\):\n {4}Train\/1\/fold \(3 tasks\): folds, score\n/,
  );
  // The names were read after it was made: by the end.
  expect(plain(model.stdout)).toContain("read rows DIGEST (3 tasks of fold)\n");
  expect(model.stdout).not.toContain("names");

  const note = await project.flow(["lineage", "Train/1.note"]);
  expect(plain(note.stdout)).toContain(
    "set by Train/1/write\n  that task read, of this run:\n    Train/1/pick: model DIGEST\n",
  );
  const taken = await project.flow(["lineage", "Train/2", "note"]);
  expect(taken.stdout).toContain("set by Train/2/write, taken over from Train/1/write (cache)\n");
  const given = await project.flow(["lineage", "Rows/1", "seed", "--json"]);
  expect(given.lines[0].artifact).toMatchObject({ name: "seed", kind: "parameter" });
  expect(given.lines[0].links).toEqual([]);
  const rows = await project.flow(["lineage", "Rows/1", "rows"]);
  expect(rows.stdout).toContain("of parameters, constants and files it read: seed, settings\n");
  const down = await project.flow(["lineage", "Rows/1", "names", "--down", "--json"]);
  expect(down.lines[0].links[0].reads).toMatchObject([{ artifact: "names", steps: ["end"] }]);
});

test("drawings name runs as they are and no more than once, whatever they are called", async () => {
  const dot = (await project.flow(["lineage", "Report/1", "--format", "dot"])).stdout;
  expect(dot).toMatch(/^digraph lineage \{\n/);
  expect(dot.match(/\[label="Train\/1\\ncode /g)).toHaveLength(1);
  const mermaid = (await project.flow(["lineage", "Report/1", "--format", "mermaid"])).stdout;
  expect(plain(mermaid)).toMatch(/^flowchart LR\n {2}r0\["Report\/1<br\/>code DIGEST"\]\n/);
  expect(plain(mermaid)).toContain(`-->|"source (newest)<br/>rows DIGEST"|`.replace("rows", "names DIGEST<br/>rows"));
});

test("a cut says so and how to see more; what cannot be asked is refused", async () => {
  const cut = await project.flow(["lineage", "Report/1", "--depth", "1"]);
  expect(cut.stderr).toBe("Cut at depth 1: there is more behind it, --depth 2 shows it\n");
  expect(cut.stdout).toContain("… 1 more run behind it");
  const few = await project.flow(["lineage", "Rows/1", "--down", "--limit", "2"]);
  expect(few.stderr).toContain("Cut at 2 runs");
  for (const [words, why] of [
    [["lineage", "Train/1", "--up", "--down"], "FLOW_CLI_BAD_VALUE"],
    [["lineage", "Train/1/fold/1"], "FLOW_CLIENT_BAD_SELECTOR"],
    [["lineage", "Train/1.note", "model"], "FLOW_CLI_UNEXPECTED_ARGUMENT"],
    [["lineage", "Train/1", "--depth", "-1"], "FLOW_CLI_"],
    [["lineage"], "FLOW_CLI_MISSING_ARGUMENT"],
  ] as const) {
    const refused = await project.flow(words);
    expect([refused.code, refused.stdout], words.join(" ")).toEqual([2, ""]);
    expect(refused.stderr).toContain(why);
  }
  const unknown = await project.flow(["lineage", "Train/1", "modle"]);
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toContain('Did you mean "model"?');
});

test("a program asks a run, and gets what the command prints", async () => {
  const run = await (await project.client()).run("Train/1");
  const [printed] = (await project.flow(["lineage", "Train/1", "--json"])).lines;
  expect(JSON.parse(JSON.stringify(await run.lineage()))).toEqual(printed);
  const down = await run.lineage({ direction: "down", depth: 1 });
  expect(down.runs.map((each) => each.run).toSorted()).toEqual(["Report/1", "Report/2", "Train/1", "Train/2"]);
  const model = await run.lineage({ artifact: "model" as never });
  expect(model.artifact?.task).toBe("Train/1/pick");
});
