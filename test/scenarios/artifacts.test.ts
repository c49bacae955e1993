/** What becomes an artifact, what is passed on, what a join loses and merges. */
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText, observe, taskOf, tasksOf } from "./observe.ts";

const project = new Project();
afterAll(() => project[Symbol.asyncDispose]());

/** For each task, the artifacts that it stored itself: those that it set or changed. */
async function ownArtifacts(runId: string): Promise<Readonly<Record<string, readonly string[]>>> {
  const { metadata } = await project.stores();
  const own: Record<string, readonly string[]> = {};
  for (const row of await tasksOf(project, runId))
    own[taskOf(row)] = (await metadata.ownArtifacts(row.sequence)).map(({ name }) => name);
  return own;
}

const PASSING = flowText(
  "Passing",
  `
  list!: number[]; untouched!: Float64Array; read!: { a: number }; same!: string; gone?: string; cleared: string | undefined; extra?: number; #cache = new Map();
  @step({ next: "change" }) start() {
    this.list = [1, 2]; this.untouched = new Float64Array(4_000).fill(1.5); this.read = { a: 1 }; this.same = "same"; this.gone = "gone"; this.cleared = "cleared"; this.#cache.set(1, 2);
  }
  @step({ next: "look" }) change() {
    this.list.push(3);             // in place
    this.same = "same";            // set to what it was
    delete this.gone;
    this.cleared = undefined;
    void this.read.a;
    (this as any).undeclared = new Map([[1, new Set(["x"])]]);
    if (this.#cache.size !== 0) throw new Error("a private field travelled");
  }
  @step({ next: "end" }) look() {
    const seen = [this.list, this.gone, this.cleared, "untouched" in this, this.same].map((value) => value === undefined ? "nothing" : value);
    (this as any).seen = seen;
    this.list.push(99); this.list.pop();   // touched, and as before
  }
  @step() end() {}`,
);

test("what does not change is stored once; a change in place is noticed; undefined hides what was before", async () => {
  project.write({ "passing.ts": PASSING });
  const watched = await project.run("passing.ts");
  const { values, digests, name } = await observe(project, watched);
  expect(values).toEqual({
    list: [1, 2, 3],
    untouched: new Float64Array(4_000).fill(1.5),
    read: { a: 1 },
    same: "same",
    gone: undefined,
    cleared: undefined,
    undeclared: new Map([[1, new Set(["x"])]]),
    seen: [[1, 2, 3], "nothing", "nothing", true, "same"],
  });
  expect(await ownArtifacts(watched.record.id)).toEqual({
    start: ["cleared", "gone", "list", "read", "same", "untouched"],
    change: ["cleared", "gone", "list", "undeclared"],
    look: ["seen"],
    end: [],
  });
  const client = await project.client();
  const run = await client.run<any>(name);
  for await (const task of run.step("start").tasks) expect(await task.data.list).toEqual([1, 2]);
  const { metadata } = await project.stores();
  const [first, ...later] = await tasksOf(project, watched.record.id);
  const before = await metadata.visibleArtifact(first!.sequence, "untouched");
  for (const row of later)
    expect((await metadata.visibleArtifact(row.sequence, "untouched"))?.digest).toBe(before?.digest);
  expect(digests.untouched).toBe(before?.digest);
});

test("the same code with the same input gives the same digests", async () => {
  const text = flowText(
    "Twice",
    `
    n = param(z.number().default(3)); rows!: Map<string, number[]>; parts!: number[]; part!: number; total!: number; when!: Date;
    @step({ next: "work", foreach: "parts" }) start() { this.rows = new Map([["a", [1, 2]], ["b", []]]); this.parts = [1, 2, 3]; this.when = new Date(0); }
    @step({ next: "gather" }) work(part: number) { this.part = part * this.n; }
    @join({ next: "end" }) gather(inputs: Inputs<Twice>) { this.total = inputs.reduce((sum, i) => sum + i.part, 0); this.mergeArtifacts(inputs, { exclude: ["part"] }); }
    @step() end() {}`,
  );
  project.write({ "twice.ts": text });
  const [first, second] = [await project.run("twice.ts"), await project.run("twice.ts")];
  expect(first.record.artifacts.length).toBe(5);
  expect(second.record.artifacts).toEqual(first.record.artifacts);
  expect(second.record.id).not.toBe(first.record.id);
  expect(second.record.codePackage).toEqual(first.record.codePackage);
  const other = await project.run("twice.ts", { params: { n: 4 } });
  const changed = other.record.artifacts.filter(
    (artifact: { digest: string }, index: number) => artifact.digest !== first.record.artifacts[index].digest,
  );
  expect(changed.map(({ name }: { name: string }) => name)).toEqual(["n", "total"]);
});

test("mergeArtifacts takes over what agrees, unread; what the join set stays; a join without it starts empty", async () => {
  project.write({
    "merge.ts": flowText(
      "Merge",
      `
      common!: number[]; byLeft!: string; byRight!: string; differs!: string; onlyOne!: string; kept!: string; gone!: string; results!: unknown;
      @step({ next: ["left", "right"] }) start() { this.common = [1, 2, 3]; this.differs = "start"; this.kept = "start"; this.gone = "lost"; }
      @step({ next: "first" }) left() { this.byLeft = "same"; this.differs = "left"; this.onlyOne = "one"; this.kept = "left"; (this as any).also = 1; }
      @step({ next: "first" }) right() { this.byRight = "right"; this.byLeft = "same"; this.differs = "right"; this.kept = "right"; (this as any).also = 2; }
      @join({ next: ["again", "third"] }) first(inputs: Inputs<Merge>) {
        const attempt = (options?: any) => { try { this.mergeArtifacts(inputs, options); return "merged"; } catch (error: any) { return { code: error.code, names: error.context.names, message: error.message }; } };
        const conflict = attempt();
        const after = [this.common, this.byLeft].map(String);
        const missing = attempt({ include: ["common", "nowhere"] });
        const both = attempt({ include: ["common"], exclude: ["kept"] });
        const foreign = (() => { try { this.mergeArtifacts([...inputs] as any); return "merged"; } catch (error: any) { return error.code; } })();
        this.kept = "join";
        const include = attempt({ include: ["onlyOne"] });
        const exclude = attempt({ exclude: ["differs", "also" as any, "gone"] });
        this.results = { conflict, after, missing, both, foreign, include, exclude };
      }
      @step({ next: "end" }) again() {}
      @step({ next: "end" }) third() {}
      @join() end(inputs: Inputs<Merge>) { this.results = inputs.again.results; }`,
    ),
  });
  const watched = await project.run("merge.ts");
  if (watched.run === undefined) throw watched.error;
  const { values, digests } = await observe(project, watched);
  expect(values).toEqual({
    results: {
      conflict: {
        code: "FLOW_RUNNER_MERGE_CONFLICT",
        names: ["also", "differs", "kept"],
        message: expect.stringContaining('"also", "differs", "kept"'),
      },
      after: ["undefined", "undefined"],
      missing: { code: "FLOW_RUNNER_MERGE_MISSING", names: ["nowhere"], message: expect.stringContaining('"nowhere"') },
      both: { code: "FLOW_FLOW_BAD_MERGE", names: undefined, message: expect.any(String) },
      foreign: "FLOW_RUNNER_MERGE_USAGE",
      include: "merged",
      exclude: "merged",
    },
  });
  const client = await project.client();
  const left: Record<string, unknown> = {};
  for await (const task of (await client.run<any>(watched.record.run)).step("again").tasks) {
    for (const name of ["common", "byLeft", "byRight", "onlyOne", "kept"]) left[name] = await (task.data as any)[name];
    await expect((task.data as any).gone).rejects.toMatchObject({ code: "FLOW_CLIENT_NO_ARTIFACT" });
  }
  expect(left).toEqual({ common: [1, 2, 3], byLeft: "same", byRight: "right", onlyOne: "one", kept: "join" });
  const { metadata } = await project.stores();
  const rows = await tasksOf(project, watched.record.id);
  const digestAt = async (step: string) =>
    (await metadata.visibleArtifact(rows.find((row) => row.step === step)!.sequence, "common"))?.digest;
  expect(await digestAt("again")).toBe(await digestAt("start"));
  expect(Object.keys(digests)).toEqual(["results"]);
});

test("instances of registered classes come back as instances in steps, and readable everywhere else", async () => {
  project.write({
    "line.ts": `
import { storable } from "@millrace/core";
@storable({ name: "acme.Line", version: 1 })
export class Line { constructor(readonly slope: number, readonly offset: number) {} at(x: number) { return this.slope * x + this.offset; } }
`,
    "fit.ts": flowText(
      "Fit",
      `line!: Line; y!: number; @step({ next: "end" }) start() { this.line = new Line(2, 1); } @step() end() { this.y = this.line.at(10); if (!(this.line instanceof Line)) throw new Error("no instance"); }`,
      `import { Line } from "./line.ts";`,
    ),
    "reader.ts": flowText(
      "Reader",
      `readonly fit = upstream("Fit"); @step() start() { void (this.fit.data as any).line; }`,
    ),
  });
  const watched = await project.run("fit.ts");
  const { values, digests } = await observe(project, watched);
  // This process has loaded the flow's file, so here it is an instance as well; the command has not.
  expect([values.y, { ...(values.line as object) }]).toEqual([21, { slope: 2, offset: 1 }]);
  expect(digests.line).toMatch(/^[0-9a-f]{64}$/);
  const dump = await project.flow(["dump", `${watched.record.run}.line`]);
  expect(dump.stdout).toContain("acme.Line");
  // A step that does not import the class is told so, with the class and the package named.
  expect((await project.run("reader.ts")).error).toMatchObject({
    code: "FLOW_RUN_FAILED",
    cause: { code: "FLOW_ARTIFACT_UNKNOWN_CLASS", message: expect.stringContaining("acme.Line") },
  });
});

test("a value that cannot be kept fails its task, with the path to it; nothing of that task is stored", async () => {
  project.write({
    "refused.ts": flowText(
      "Refused",
      `
      good!: string; bad!: unknown;
      @step({ next: "spoil" }) start() { this.good = "kept"; }
      @step({ next: "end" }) spoil() { this.good = "changed ".repeat(5000); this.bad = { rows: [{ ok: 1 }, { handler: () => 1 }] }; }
      @step() end() {}`,
    ),
  });
  const { error, record, events } = await project.run("refused.ts");
  expect(error).toMatchObject({
    code: "FLOW_RUN_FAILED",
    cause: { code: "FLOW_ARTIFACT_UNSERIALISABLE", message: expect.stringContaining("this.bad.rows[1].handler") },
  });
  expect(record.failure).toMatchObject({ task: "Refused/1/spoil" });
  expect(await ownArtifacts(record.id)).toEqual({ start: ["good"], spoil: [] });
  expect(events.filter((event) => event.kind === "task.failed")).toHaveLength(1);
  const { metadata, folder } = await project.stores();
  const digest = createHash("sha256").update("changed ".repeat(5000)).digest("hex");
  expect(await metadata.blob(digest as never)).toBeUndefined();
  expect(readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.includes(digest))).toEqual(
    [],
  );
  const command = await project.flow(["run", "refused.ts"]);
  expect([command.code, command.stderr]).toEqual([1, expect.stringContaining("this.bad.rows[1].handler")]);
});
