/** Flows that are run inside steps: what comes back, who waits for whom, what a second attempt finds. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import type { RunEvent } from "@millrace/core";
import type { RunRow } from "@millrace/core/internal";
import { afterAll, expect, test } from "vitest";
import { Project, type Watched } from "../kit/project.ts";
import { flowText, observe, tasksOf } from "./observe.ts";

const RUN = `import { run } from "@millrace/core";`;
/** Notes a line, so that a test can count what happened. */
const NOTE = `import { appendFileSync } from "node:fs";
const note = (line: string) => appendFileSync(new URL("notes", import.meta.url), line + "\\n");`;
/** A part of a step that no other one may be in at the same time. */
const ALONE = `import { unlinkSync } from "node:fs";
const alone = async () => { const here = new URL("alone", import.meta.url); writeFileSync(here, "", { flag: "wx" }); await wait(3); unlinkSync(here); };`;

const project = new Project({
  "ten.ts": flowText(
    "Ten",
    `
    readonly n = param(z.number().default(1)); tenfold!: number; rows!: Float64Array;
    @step({ next: "end" }) start() { this.tenfold = this.n * 10; this.rows = new Float64Array(3_000).fill(this.n); console.log("child speaks"); }
    @step() end() {}`,
  ),
  "asks.ts": flowText(
    "Asks",
    `
    readonly n = param(z.number().default(4)); byClass!: number; byFile!: number; byUrl!: number; inFile!: number; length!: number; who!: string;
    @step({ next: "end" }) async start() {
      const child = await run(Ten, { params: { n: this.n }, tags: ["asked"], signal: this.signal });
      this.byClass = await child.data.tenfold;
      this.length = (await child.data.rows).length;
      this.who = child.name;
      this.byFile = await (await run<Ten>(fileURLToPath(new URL("ten.ts", import.meta.url)), { params: { n: 5 } })).data.tenfold;
      this.byUrl = await (await run<Ten>(new URL("ten.ts", import.meta.url), { params: { n: 6 } })).data.tenfold;
      this.inFile = await (await run(Near)).data.near;
    }
    @step() end() {}`,
    `${RUN} import { fileURLToPath } from "node:url"; import Ten from "./ten.ts";
     export class Near extends Flow { near!: number; @step() start() { this.near = 7; } }`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

/** Runs that a run's steps have started. */
async function childrenOf(watched: Watched): Promise<readonly RunRow[]> {
  const { metadata } = await project.stores();
  const row = (await metadata.runById(watched.record.id))!;
  return await metadata.childRuns(row.sequence);
}

function notes(file = "notes"): readonly string[] {
  return existsSync(project.file(file)) ? readFileSync(project.file(file), "utf8").trim().split("\n") : [];
}

function ok(watched: Watched): Watched {
  if (watched.run === undefined) throw watched.error;
  return watched;
}

const kindsOf = (events: readonly RunEvent[]): readonly string[] => [...new Set(events.map(({ kind }) => kind))];

test("a step gets what the run of another flow has left: by class, file and address, from its own file too", async () => {
  const watched = ok(await project.run("asks.ts"));
  const { values } = await observe(project, watched);
  expect(values).toEqual({ n: 4, byClass: 40, byFile: 50, byUrl: 60, inFile: 7, length: 3_000, who: "Ten/1" });

  const children = await childrenOf(watched);
  expect(children.map((row) => [row.flow.name, row.status, row.tags, row.parent])).toEqual(
    ["Ten", "Ten", "Ten", "Near"].map((name, index) => [
      name,
      "succeeded",
      index === 0 ? ["asked"] : [],
      { run: watched.record.id, step: "start", path: "", call: 0 },
    ]),
  );
  // The parent's own package, where the flow stands in its file.
  expect(children[3]?.packageDigest).toBe(watched.record.codePackage.digest);
  expect(watched.record.children.runs.map((child: { run: string }) => child.run)).toEqual([
    "Ten/1",
    "Ten/2",
    "Ten/3",
    "Near/1",
  ]);

  // What was read of the child is lineage, as every read of another run.
  const { metadata } = await project.stores();
  const reads = await metadata.reads((await metadata.runById(watched.record.id))!.sequence);
  expect(reads.map(({ producer, artifact }) => [producer, artifact])).toEqual(
    expect.arrayContaining([
      [children[0]!.id, "rows"],
      [children[0]!.id, "tenfold"],
      [children[3]!.id, "near"],
    ]),
  );
  expect((await metadata.consumers(children[0]!.id)).map(({ id }) => id)).toEqual([watched.record.id]);

  const told = watched.events.filter((event) => event.kind === "run.child" || event.kind === "run.child.finished");
  expect(told.slice(0, 2)).toMatchObject([
    { kind: "run.child", task: "Asks/1/start", run: "Ten/1", runId: children[0]!.id, flow: "shop/Ten", how: "new" },
    { kind: "run.child.finished", task: "Asks/1/start", run: "Ten/1", status: "succeeded" },
  ]);
  expect(told).toHaveLength(8);
  // What happens inside is the child's own affair.
  expect(watched.events.filter((event) => "task" in event && !event.task.startsWith("Asks/1/"))).toEqual([]);
  expect(watched.events.filter((event) => event.kind === "task.output")).toEqual([]);
});

test("the command tells of runs inside steps, and shows both sides of them", async () => {
  const called = await project.here(["run", "asks.ts", "--max-workers", "1"]);
  const [, asks, ten] = /(Asks\/\d+)\/start {2}runs {2}(Ten\/\d+)\n/.exec(called.stderr)!;
  expect(called.stderr).toContain(`${asks}/start  ran  ${ten}: succeeded after `);
  const parent = await project.here(["show", asks!]);
  expect(parent.stdout).toMatch(new RegExp(`Runs of its steps\n.*\nstart +${ten} +succeeded\n`));
  const child = await project.here(["show", ten!]);
  expect(child.stdout).toMatch(new RegExp(`inside +${asks}/start\n`));
  expect(child.stdout).toMatch(new RegExp(`read by +${asks}\n`));
  for (const name of [asks!, ten!]) expect((await project.here(["validate", name])).code).toBe(0);
});

test("with one slot runs stand inside each other, and never two tasks run at once", async () => {
  project.write({
    "nested.ts": flowText(
      "Nested",
      `
      readonly depth = param(z.number().default(3)); readonly width = param(z.number().default(2)); items!: number[]; below!: number; leaves!: number;
      @step({ next: "work", foreach: "items" }) async start() { await alone(); this.items = Array.from({ length: this.width }, (_, n) => n); }
      @step({ next: "end" }) async work(item: number) {
        await alone();
        if (this.depth === 0) { this.below = 1; return; }
        const child = await run(Nested, { params: { depth: this.depth - 1, width: this.width } });
        await alone();
        this.below = await child.data.leaves;
      }
      @join() async end(inputs: Inputs<Nested>) { await alone(); this.leaves = inputs.reduce((sum, input) => sum + input.below, 0); }`,
      `${RUN} ${ALONE}`,
    ),
  });
  const called = await project.here(["run", "nested.ts", "--max-workers", "1", "--json"]);
  const last = called.lines.at(-1);
  expect([last.status, last.record.failure]).toEqual(["succeeded", undefined]);
  const client = await project.client();
  expect(await (await client.run<any>(last.record.id)).data.leaves).toBe(16);
  const { metadata } = await project.stores();
  expect(await metadata.countRuns({ flow: { name: "Nested" } })).toBe(1 + 2 + 4 + 8);
});

test("two slots are two for all runs together, whoever waits and whoever goes on", async () => {
  const SECTION = `import { mkdirSync, readdirSync, rmSync } from "node:fs";
const place = new URL("sections/", import.meta.url);
const section = async () => {
  mkdirSync(place, { recursive: true });
  const mark = new URL(Math.random() + ".mark", place);
  writeFileSync(mark, "");
  const most = readdirSync(place).length;
  await wait(200); // Long against the start of a worker, so that what may run together does.
  const still = readdirSync(place).length;
  rmSync(mark);
  return Math.max(most, still);
};`;
  const body = (name: string, work: string) => `
    items!: number[]; most!: number;
    @step({ next: "work", foreach: "items" }) start() { this.items = [0, 1, 2, 3]; }
    @step({ next: "end" }) async work(item: number) { ${work} }
    @join() end(inputs: Inputs<${name}>) { this.most = Math.max(...inputs.map((input) => input.most)); }`;
  project.write({
    "inner.ts": flowText("Inner", body("Inner", "this.most = await section();"), SECTION),
    "outer-two.ts": flowText(
      "OuterTwo",
      body(
        "OuterTwo",
        `const before = await section();
         const child = await run(Inner);
         const after = await section();
         this.most = Math.max(before, after, await child.data.most);`,
      ),
      `${RUN} ${SECTION} import Inner from "./inner.ts";`,
    ),
  });
  const called = await project.here(["run", "outer-two.ts", "--max-workers", "2", "--json"]);
  const client = await project.client();
  expect(await (await client.run<any>(called.lines.at(-1).record.id)).data.most).toBe(2);
});

test("twenty runs of a foreach, and many at once in one step, are all done and each is its own", async () => {
  project.write({
    "many.ts": flowText(
      "Many",
      `
      items!: number[]; got!: number; sum!: number; together!: number[];
      @step({ next: "work", foreach: "items" }) start() { this.items = Array.from({ length: 20 }, (_, n) => n); }
      @step({ next: "all" }) async work(item: number) { this.got = await (await run(Ten, { params: { n: item } })).data.tenfold; }
      @join({ next: "end" }) all(inputs: Inputs<Many>) { this.sum = inputs.reduce((sum, input) => sum + input.got, 0); }
      @step() async end() {
        const runs = await Promise.all([1, 2, 3, 1, 2, 3].map((n) => run(Ten, { params: { n } })));
        this.together = await Promise.all(runs.map((each) => each.data.tenfold));
        if (new Set(runs.map((each) => each.id)).size !== 6) throw new Error("one run for two calls");
      }`,
      `${RUN} import Ten from "./ten.ts";`,
    ),
  });
  const watched = ok(await project.run("many.ts"));
  const { values } = await observe(project, watched);
  expect(values).toEqual({ sum: 1_900, together: [10, 20, 30, 10, 20, 30] });
  expect(watched.record.children.count).toBe(26);
  const calls = (await childrenOf(watched)).filter((row) => row.parent?.step === "end").map((row) => row.parent?.call);
  expect(calls.sort()).toEqual([0, 0, 0, 1, 1, 1]);
});

test("runs of one flow have the same workers one after the other, and what they warn of is heard", async () => {
  project.write({
    "where.ts": flowText(
      "Where",
      `readonly n = param(z.number()); thread!: number; readonly ten = upstream("Ten", { tags: ["many"] }); @step() start() { this.thread = threadId; }`,
      `import { threadId } from "node:worker_threads";`,
    ),
    "tours.ts": flowText(
      "Tours",
      `
      items!: number[]; thread!: number; threads!: number;
      @step({ next: "work", foreach: "items" }) async start() { this.items = Array.from({ length: 8 }, (_, n) => n); for (const n of [1, 2]) await run(Ten, { tags: ["many"] }); }
      @step({ next: "end" }) async work(item: number) { this.thread = await (await run(Where, { params: { n: item } })).data.thread; }
      @join() end(inputs: Inputs<Tours>) { this.threads = new Set(inputs.map((input) => input.thread)).size; }`,
      `${RUN} import Ten from "./ten.ts"; import Where from "./where.ts";`,
    ),
  });
  const called = await project.here(["run", "tours.ts", "--max-workers", "1", "--json"]);
  const client = await project.client();
  expect(await (await client.run<any>(called.lines.at(-1).record.id)).data.threads).toBe(1);
  const warnings = called.lines.filter((line) => line.kind === "run.warning");
  expect(warnings.map((line) => line.code)).toEqual(Array(8).fill("FLOW_LINEAGE_SEVERAL_RUNS"));
  expect(warnings[0].message).toMatch(/^Where\/\d+: /);
});

test("a second attempt gets the runs that the first one has started, in whatever order it asks", async () => {
  project.write({
    "once.ts": flowText(
      "Once",
      `readonly n = param(z.number()); readonly list = param(z.array(z.number()).default([])); twice!: number; @step() start() { note("once " + this.n); this.twice = this.n * 2; }`,
      NOTE,
    ),
    "again.ts": flowText(
      "Again",
      `
      sum!: number;
      @step({ next: "end", retry: { times: 2, delay: "1ms" } }) async start() {
        const order = current.attempt === 1 ? [1, 2, 3, 3] : [3, 2, 1, 3];
        this.sum = 0;
        for (const n of order) this.sum += await (await run(Once, { params: { n, list: [n, n] } })).data.twice;
        if (current.attempt < 3) throw new Error("not yet");
      }
      @step() end() {}`,
      `${RUN} import Once from "./once.ts";`,
    ),
  });
  const watched = ok(await project.run("again.ts"));
  const { values } = await observe(project, watched);
  expect(values).toEqual({ sum: 18 });
  expect([...notes()].sort()).toEqual(["once 1", "once 2", "once 3", "once 3"]);
  const how = watched.events.flatMap((event) => (event.kind === "run.child" ? [event.how] : []));
  expect(how).toEqual([...Array(4).fill("new"), ...Array(8).fill("finished")]);
});

test("a run that is under way when its worker ends is awaited by the next attempt", async () => {
  project.write({
    "slow.ts": flowText(
      "Slow",
      `came!: string; @step() async start() { note("slow begins"); done("slow-began"); await until("second"); this.came = "through"; }`,
      NOTE.replaceAll('"notes"', '"slow-notes"'),
    ),
    "dies.ts": flowText(
      "Dies",
      `
      came!: string;
      @step({ retry: { times: 1, delay: "1ms" } }) async start() {
        if (current.attempt === 1) { const dying = run(Slow); dying.then(() => {}); await until("slow-began"); process.exit(3); }
        const running = run(Slow);
        await wait(300); // The main thread finds the run under way, and only then it goes on to its end.
        done("second");
        this.came = await (await running).data.came;
      }`,
      `${RUN} import Slow from "./slow.ts";`,
    ),
  });
  const watched = ok(await project.run("dies.ts"));
  expect((await observe(project, watched)).values).toEqual({ came: "through" });
  expect(notes("slow-notes")).toEqual(["slow begins"]);
  expect(watched.events.flatMap((event) => (event.kind === "run.child" ? [event.how] : []))).toEqual([
    "new",
    "running",
  ]);
});

test("a run that has failed is caught in the step, and goes on where it stopped when it is asked for again", async () => {
  project.write({
    "fragile.ts": flowText(
      "Fragile",
      `
      made!: string;
      @step({ next: "end" }) start() { note("made"); this.made = "kept"; }
      @step() end() { if (!existsSync(new URL("mended", import.meta.url))) throw new RangeError("too fragile"); }`,
      NOTE.replaceAll('"notes"', '"fragile-notes"'),
    ),
    "careful.ts": flowText(
      "Careful",
      `
      first!: unknown; made!: string;
      @step({ next: "end", retry: { times: 1, delay: "1ms" } }) async start() {
        try {
          this.made = await (await run(Fragile)).data.made;
        } catch (error: any) {
          writeFileSync(new URL("mended", import.meta.url), "");
          if (current.attempt === 1) throw new Error(JSON.stringify([error.code, error.cause.name, error.cause.message, error.context.task]));
        }
      }
      @step() end() {}`,
      `${RUN} import Fragile from "./fragile.ts";`,
    ),
  });
  const watched = ok(await project.run("careful.ts"));
  expect((await observe(project, watched)).values).toEqual({ made: "kept" });
  const failed = watched.events.find((event) => event.kind === "task.retrying");
  expect(JSON.parse((failed as any).error.message)).toEqual([
    "FLOW_RUN_FAILED",
    "RangeError",
    "too fragile",
    "Fragile/1/end",
  ]);
  expect(notes("fragile-notes")).toEqual(["made"]);
  const [child, ...others] = await childrenOf(watched);
  expect([others, child?.status, child?.execution.number]).toEqual([[], "succeeded", 2]);
  expect((await tasksOf(project, child!.id)).map((row) => [row.step, row.attempt, row.status])).toEqual([
    ["start", 1, "succeeded"],
    ["end", 1, "failed"],
    ["end", 2, "succeeded"],
  ]);
});

test("the runner is killed while a step waits: resumed, it finds the run that was done, and the other one goes on", async () => {
  const NOTES = NOTE.replaceAll('"notes"', '"killed-notes"');
  project.write({
    "done-before.ts": flowText("DoneBefore", `@step() start() { note("done before"); }`, NOTES),
    "holds.ts": flowText(
      "Holds",
      `
      before!: string;
      @step({ next: "hold" }) start() { note("holds begins"); this.before = "kept"; }
      @step() async hold() { note("hold"); done("holding"); await until("let-go"); }`,
      NOTES,
    ),
    "outer.ts": flowText(
      "Outer",
      `
      before!: string;
      @step({ next: "work" }) start() { note("outer begins"); }
      @step({ next: "end" }) async work() { await run(DoneBefore); this.before = await (await run(Holds)).data.before; }
      @step() end() {}`,
      `${RUN} ${NOTES} import DoneBefore from "./done-before.ts"; import Holds from "./holds.ts";`,
    ),
  });
  let isKilled = false;
  const killed = await project.flow(["run", "outer.ts"], {
    onOutput: (text, kill) => {
      if (isKilled || !text.includes("runs  Holds/1")) return;
      isKilled = true;
      void until("holding").then(() => kill("SIGKILL"));
    },
  });
  expect(killed.signal).toBe("SIGKILL");
  const lost = (await project.here(["runs", "--status", "lost", "--json"])).lines.map((line) => line.run);
  expect(lost).toEqual(["Holds/1", "Outer/1"]);

  writeFileSync(project.file("let-go.done"), "");
  const resumed = await project.here(["resume", "--json"]);
  expect([resumed.stderr, resumed.code]).toEqual(["", 0]);
  const last = resumed.lines.at(-1);
  expect(last).toMatchObject({ status: "succeeded", record: { run: "Outer/1", children: { count: 2 } } });
  expect(resumed.lines.flatMap((line) => (line.kind === "run.child" ? [[line.run, line.how]] : []))).toEqual([
    ["DoneBefore/1", "finished"],
    ["Holds/1", "continued"],
  ]);
  expect(notes("killed-notes")).toEqual(["outer begins", "done before", "holds begins", "hold", "hold"]);
  const client = await project.client();
  expect(await (await client.run<any>("Outer/1")).data.before).toBe("kept");
  expect((await project.here(["runs", "--status", "lost", "--json"])).lines).toEqual([]);
});

const ENDLESS = flowText(
  "Endless",
  `
  readonly name = param(z.string());
  @step() async start() { done(this.name); await wait(60_000, undefined, { signal: this.signal }); }`,
);

/** Waits for a file that a step writes. */
async function until(name: string): Promise<void> {
  while (!existsSync(project.file(`${name}.done`))) await wait(2);
}

test("a run inside a step is cancelled with what it is inside of, which says why", async () => {
  project.write({
    "endless.ts": ENDLESS,
    "waits.ts": flowText(
      "Waits",
      `@step() async start() { await run(Endless, { params: { name: "waits" } }); }`,
      `${RUN} import Endless from "./endless.ts";`,
    ),
    "sibling.ts": flowText(
      "Sibling",
      `
      @step({ next: ["waits", "fails"] }) start() {}
      @step({ next: "end" }) async waits() { await run(Endless, { params: { name: "sibling" } }); }
      @step({ next: "end" }) async fails() { await until("sibling"); throw new Error("no more"); }
      @join() end() {}`,
      `${RUN} import Endless from "./endless.ts";`,
    ),
    "late.ts": flowText(
      "Late",
      `
      late?: TaskFailure;
      @step({ timeout: "400ms", catch: "late" , next: "end" }) async start() { await run(Endless, { params: { name: "late" } }); }
      @step() end() {}`,
      `${RUN} import Endless from "./endless.ts";`,
    ),
    "forgets.ts": flowText(
      "Forgets",
      `
      told!: string;
      @step({ next: "end" }) async start() {
        void run(Endless, { params: { name: "forgotten" } }).id;
        await until("forgotten");
        const stop = new AbortController();
        const stopped = run(Endless, { params: { name: "stopped" }, signal: stop.signal });
        await Promise.all([until("stopped").then(() => stop.abort("enough")), stopped.catch((error) => { this.told = error.code; })]);
      }
      @step() end() {}`,
      `${RUN} import Endless from "./endless.ts";`,
    ),
  });
  const cancelledBy = async (watched: Watched): Promise<readonly unknown[]> => {
    const found: unknown[] = [];
    for (const row of await childrenOf(watched)) {
      const [task] = await tasksOf(project, row.id);
      found.push([row.status, task?.status, task?.cancelledBy]);
    }
    return found;
  };

  const stop = new AbortController();
  void until("waits").then(() => stop.abort("the user left"));
  const waits = await project.run("waits.ts", { signal: stop.signal });
  expect(waits.error).toMatchObject({ code: "FLOW_RUN_CANCELLED" });
  expect(await cancelledBy(waits)).toEqual([["cancelled", "cancelled", "the user left"]]);

  const sibling = await project.run("sibling.ts");
  expect(sibling.record).toMatchObject({ status: "failed", failure: { task: "Sibling/1/fails" } });
  expect(await cancelledBy(sibling)).toEqual([["cancelled", "cancelled", "Sibling/1/fails failed"]]);

  const late = ok(await project.run("late.ts"));
  expect((await observe(project, late)).values).toMatchObject({ late: { code: "FLOW_RUNNER_TIMEOUT" } });
  expect(await cancelledBy(late)).toEqual([["cancelled", "cancelled", "Late/1/start took longer than its timeout"]]);

  const forgets = ok(await project.run("forgets.ts"));
  expect((await observe(project, forgets)).values).toEqual({ told: "FLOW_RUN_CANCELLED" });
  expect(await cancelledBy(forgets)).toEqual([
    ["cancelled", "cancelled", "Forgets/1/start ended without waiting for it"],
    ["cancelled", "cancelled", "enough"],
  ]);
});

test("a flow that runs itself without an end is stopped at the eighth level, and told which runs those are", async () => {
  project.write({
    "endlessly.ts": flowText("Endlessly", `@step() async start() { await run(Endlessly); }`, RUN),
  });
  const watched = await project.run("endlessly.ts");
  const chain = Array.from({ length: 9 }, (_, level) => `Endlessly/${level + 1}`);
  let error = watched.error as any;
  while (error.code === "FLOW_RUN_FAILED") error = error.cause;
  expect(error).toMatchObject({
    code: "FLOW_RUNNER_TOO_DEEP",
    message: expect.stringContaining(chain.join(" → ")),
    context: { chain, maxDepth: 8 },
  });
  expect((watched.error as Error).message).toMatch(/^Endlessly\/1 failed: Endlessly\/9\/start: Cannot run Endlessly/);
  const called = await project.here(["run", "endlessly.ts", "--max-depth", "1", "--json"]);
  expect([called.code, called.lines.at(-1).record.failure.error.message]).toEqual([
    1,
    expect.stringContaining("Endlessly/10 → Endlessly/11"),
  ]);
});

test("from a process too: a run of some time is awaited, and values of classes travel", async () => {
  project.write({
    "point.ts": `
import { storable } from "@millrace/core";
@storable({ name: "acme.Point", version: 1 })
export class Point { constructor(readonly x: number, readonly y: number) {} get sum() { return this.x + this.y; } }
`,
    "gives.ts": flowText(
      "Gives",
      `
      sum!: number; isOther!: boolean; refused!: string;
      @step({ next: "end", isolate: "process" }) async start() {
        const child = await run(Takes, { params: { point: new Point(1, 2), when: new Date(86_400_000) } });
        this.sum = await child.data.sum;
        this.isOther = await child.data.pid !== process.pid;
        this.refused = await run(Takes, { params: { point: new Point(1, (() => 1) as any) } }).then(() => "", (error) => error.code + ": " + error.message);
      }
      @step() end() {}`,
      `${RUN} import { Point } from "./point.ts"; import Takes from "./takes.ts";`,
    ),
    "takes.ts": flowText(
      "Takes",
      `
      readonly point = param(z.codec(z.array(z.number()), z.instanceof(Point), { decode: ([x, y]) => new Point(x!, y!), encode: (point) => [point.x, point.y] }));
      readonly when = param(z.codec(z.number(), z.date(), { decode: (ms) => new Date(ms), encode: (date) => date.getTime() }));
      sum!: number; pid!: number;
      @step({ isolate: "process" }) async start() { await wait(500); this.sum = this.point.sum + this.when.getTime(); this.pid = process.pid; }`,
      `import { Point } from "./point.ts";`,
    ),
  });
  const watched = ok(await project.run("gives.ts"));
  expect((await observe(project, watched)).values).toEqual({
    sum: 86_400_003,
    isOther: true,
    refused: expect.stringMatching(/^FLOW_ARTIFACT_UNSERIALISABLE: .*params\.point\.y/),
  });
});

test("iterating inside a step gives the events of the run", async () => {
  project.write({
    "looks.ts": flowText(
      "Looks",
      `
      kinds!: string[]; id!: string; same!: boolean; output!: string;
      @step({ next: "end", retry: { times: 1, delay: "1ms" } }) async start() {
        const running = run(Ten, { params: { n: 3 } });
        const kinds = new Set<string>();
        for await (const event of running) { kinds.add(event.kind); if (event.kind === "task.output") this.output = event.text; }
        this.kinds = [...kinds].filter((kind) => kind !== "run.progress");
        this.same = await running.id === (await running).id;
        if (current.attempt === 1) throw new Error("once more: " + this.kinds.join(" "));
      }
      @step() end() {}`,
      `${RUN} import Ten from "./ten.ts";`,
    ),
  });
  const watched = ok(await project.run("looks.ts"));
  const first = watched.events.find((event) => event.kind === "task.retrying") as any;
  expect(first.error.message).toBe("once more: run.created task.started task.output task.succeeded run.finished");
  expect((await observe(project, watched)).values).toMatchObject({ kinds: ["run.finished"], same: true });
  expect(kindsOf(watched.events)).not.toContain("task.output");
});

test("what refuses a run is told to the step that asked for it", async () => {
  project.write({
    "refused.ts": flowText(
      "Refused",
      `
      codes!: string[];
      @step({ next: "end" }) async start() {
        const code = (running: PromiseLike<unknown>) => running.then(() => "none", (error: any) => error.code);
        this.codes = [
          await code(run<any>("./nowhere.ts")),
          await code(run(Ten, { params: { n: "three" as any } })),
          await code(run(Ten, { tags: ["\\u0007"] })),
        ];
      }
      @step() end() {}`,
      `${RUN} import Ten from "./ten.ts";`,
    ),
  });
  const watched = ok(await project.run("refused.ts"));
  expect((await observe(project, watched)).values).toEqual({
    codes: ["FLOW_PACKAGE_FILE_MISSING", "FLOW_PARAMETER_INVALID", "FLOW_LINEAGE_BAD_TAG"],
  });
  expect(watched.record.children).toBeUndefined();
});
