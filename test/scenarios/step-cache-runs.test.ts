/** The step cache as its users meet it: across flows, in what is shown, with what cannot be cached, and after damage. */
import fs from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { launch } from "../kit/launch.ts";
import { Project } from "../kit/project.ts";
import { flowText, observe, tasksOf } from "./observe.ts";

const BIG = "Array.from({ length: 30_000 }, (_, index) => index * 1.5 + n)";

const project = new Project({
  "base.ts": `import { Flow, join, step, type Inputs } from "@millrace/core";
export abstract class Base extends Flow {
  items!: number[]; square!: number; sum!: number;
  @step({ next: "work", foreach: "items", cache: true }) start() { this.items = [1, 2, 3]; }
  @step({ next: "collect", cache: true }) work(item: number) { this.square = item ** 2; }
  @join({ next: "end", cache: true }) collect(inputs: Inputs<Base>) { this.sum = inputs.reduce((sum, i) => sum + i.square, 0); }
}\n`,
  "two.ts": `import { step } from "@millrace/core"; import { Base } from "./base.ts";
export class One extends Base { @step() end() {} }
export class Two extends Base { more = 1; @step() end() { this.sum += 1; } }\n`,
  "shown.ts": flowText(
    "Shown",
    `items!: number[]; square!: number; way!: "a" | "b";
     @step({ next: "work", foreach: "items" }) start() { this.items = [1, 2, 3]; }
     @step({ next: "collect" }) work(item: number) { this.square = item; }
     @join({ next: "pick" }) collect(inputs: Inputs<Shown>) { console.log(inputs.length); }
     @choose({ on: "way", next: { a: "end", b: "end" } }) pick() { this.way = "b"; }
     @step({ cache: false }) end() {}`,
  ),
  "own.ts": flowText(
    "Own",
    `own!: number;
     @step({ next: "end", cache: true }) start() { this.own = 1; }
     @step() end() { this.own += 1; }`,
  ),
  "hand.ts": flowText(
    "Hand",
    `drawn!: number; kept!: number;
     @step({ next: "behind", cache: true }) start() {
       if (existsSync(new URL("broken.done", import.meta.url))) throw new Error("broken");
       this.drawn = Math.random();
     }
     @step({ next: "end", cache: true }) behind() { this.kept = 1; }
     @step() end() {}`,
  ),
  "arms.ts": `import { choose, Flow, join, step } from "@millrace/core";
const gather = (inputs: any) => inputs.maybe("right") === undefined;
export class Both extends Flow {
  way = "l"; without!: boolean;
  @choose({ on: "way", next: { l: "left", r: "right" } } as any) start() {}
  @step({ next: "meet" }) left() {} @step({ next: "meet" }) right() {}
  @join({ next: "end" }) meet(inputs: any) { this.without = gather(inputs); } @step() end() {}
}
export class Other extends Flow {
  way = "l"; without!: boolean;
  @choose({ on: "way", next: { l: "left", r: "wrong" } } as any) start() {}
  @step({ next: "meet" }) left() {} @step({ next: "meet" }) wrong() {}
  @join({ next: "end" }) meet(inputs: any) { this.without = gather(inputs); } @step() end() {}
}\n`,
  "never.ts": flowText(
    "Never",
    `readonly token = param(z.string().default("none"), { secret: true, env: "TOKEN" });
     saw!: unknown; #held = 1;
     @step({ next: "named" }) start() { this.saw = current.run.id; }
     @step({ next: "random" }) named() { this.saw = current.task; }
     @step({ next: "listed" }) random() { this.saw = current.random(); }
     @step({ next: "printed" }) listed() { this.saw = Object.keys(this).length; }
     @step({ next: "read" }) printed() { this.saw = inspect(this); }
     @step({ next: "latest" }) async read() { this.saw = await (await runs(Rows).latest()).data.rows; }
     @step({ next: "secret" }) async latest() { this.saw = (await runs("Rows").latest()).name; }
     @step({ next: "given" }) secret() { this.saw = this.token.length; }
     @step({ next: "missing", secrets: { KEY: { env: "TOKEN" } } }) given() { this.saw = process.env.KEY!.length; }
     @step({ next: "skipped" }) missing() { try { (this.source.data as any).none; } catch (error) { this.saw = String(error); } }
     @skips @step({ next: "nested" }) skipped() {}
     @step({ next: "end" }) async nested() { this.saw = (await run(Rows)).status; }
     @step() end() { this.saw = this.#held; }
     readonly source = upstream(Rows);`,
    `import { around, run, runs } from "@millrace/core"; import { inspect } from "node:util"; import Rows from "./rows.ts";
     const skips = around((task) => task.skip("not today"));`,
  ),
  "rows.ts": flowText("Rows", "rows!: number[]; @step({ next: 'end' }) start() { this.rows = [1]; } @step() end() {}"),
  "lineage.ts": flowText(
    "Lineage",
    `readonly source = upstream(Rows); sum!: number;
     @step({ next: "end" }) start() { this.sum = this.source.data.rows.length; }
     @step() end() {}`,
    'import Rows from "./rows.ts";',
  ),
  "big.ts": flowText(
    "Big",
    `readonly n = param(z.coerce.number().default(1)); rows!: number[]; items!: number[][]; count!: number;
     @step({ next: "split" }) start() { const n = this.n; this.rows = ${BIG}; }
     @step({ next: "each", foreach: "items" }) split() { const n = this.n + 100; this.items = [${BIG}]; }
     @step({ next: "gather" }) each(item: number[]) { this.count = item.length; }
     @join({ next: "end" }) gather(inputs: Inputs<Big>) { this.count = inputs[0]!.count; }
     @step() end() {}`,
  ),
  "order.ts": flowText(
    "Order",
    `readonly turned = param(z.stringbool().default(false)); items!: number[]; seen!: string; text!: string;
     @step({ next: ["bare", "numbered"] }) start() { this.items = this.turned ? [2, 1] : [1, 2]; }
     @step({ next: "bareWork", foreach: "items" }) bare() {}
     @step({ next: "bareJoin" }) bareWork(item: number) { this.seen = "item " + item; }
     @join({ next: "meet" }) bareJoin(inputs: Inputs<Order>) { this.text = inputs.map((input) => input.seen).join(); }
     @step({ next: "numberedWork", foreach: "items" }) numbered() {}
     @step({ next: "numberedJoin" }) numberedWork(item: number, index: number) { this.seen = index + ": " + item; }
     @join({ next: "meet" }) numberedJoin(inputs: Inputs<Order>) { this.text = inputs.map((input) => input.seen).join(); }
     @join({ next: "end" }) meet(inputs: Inputs<Order>) { this.text = inputs.bareJoin.text + " | " + inputs.numberedJoin.text; }
     @step() end() {}`,
  ),
  "poll.ts": flowText(
    "Poll",
    `way!: "again" | "done";
     @step({ next: "poll" }) start() {}
     @choose({ on: "way", next: { again: "poll", done: "end" } }) poll() { this.way = Math.random() < 0.5 ? "again" : "done"; console.log("polled"); }
     @step() end() {}`,
  ),
  "apart.ts": flowText(
    "Apart",
    `sum!: number;
     @step({ next: "end", isolate: "process" }) start() { this.sum = 3; }
     @step() end() {}`,
  ),
  "fails.ts": flowText(
    "Fails",
    `failure?: TaskFailure; tries!: number;
     @step({ next: "end", catch: "failure", retry: { times: 1, delay: "1ms" } }) start() { throw new Error("never kept"); }
     @step() end() {}`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

test("two flows that share a base class share its tasks", { timeout: 60_000 }, async () => {
  const one = await launch(project, "two.ts", { flow: "One" });
  const two = await launch(project, "two.ts", { flow: "Two" });
  expect([one.taken, one.ran.length]).toEqual([{}, 6]);
  expect(two.ran).toEqual(["end"]);
  expect(two.taken).toEqual({
    start: "One/1/start",
    "work/0": "One/1/work/0",
    "work/1": "One/1/work/1",
    "work/2": "One/1/work/2",
    collect: "One/1/collect",
  });
  expect((await observe(project, watched(two))).values).toMatchObject({ sum: 15 });
});

describe("what is taken over is shown", () => {
  test("by the command, while it runs and afterwards", { timeout: 60_000 }, async () => {
    await project.here(["run", "shown.ts", "--cache"]);
    const again = await project.here(["run", "shown.ts", "--cache"]);
    expect(again.stdout).toContain("7 tasks done (7 of them from the cache)");
    expect(again.stderr).toContain("Shown/2/work/1  done  from the cache: Shown/1/work/1");
    const [run, step, task, json] = await Promise.all([
      project.here(["show", "Shown/2"]),
      project.here(["show", "Shown/2/work"]),
      project.here(["show", "Shown/2/pick"]),
      project.here(["show", "Shown/2/pick", "--json"]),
    ]);
    expect(run.stdout).toMatch(/work +3 +succeeded \(3 from the cache\)/);
    expect(run.stdout).toMatch(/pick +1 +succeeded \(from the cache\)/);
    expect(step.stdout).toMatch(/Shown\/2\/work\/2 +succeeded .*the cache: Shown\/1\/work\/2/);
    expect(task.stdout).toMatch(/Shown\/2\/pick +succeeded .*b +the cache: Shown\/1\/pick/);
    expect(json.lines).toMatchObject([{ choice: "b", origin: { kind: "cache", task: "Shown/1/pick" } }]);
    const valid = await project.here(["validate", "Shown/2"]);
    expect([valid.code, valid.stderr]).toEqual([0, ""]);
  });

  test("and not where --no-cache is said, nor of a step that asks for none", { timeout: 60_000 }, async () => {
    const shown = [await launch(project, "shown.ts", { cache: "off" }), await launch(project, "shown.ts")];
    expect(shown.map(({ taken }) => taken)).toEqual([{}, {}]);
    const plain = await project.here(["show", "Shown/1/pick"]);
    expect(plain.stdout).not.toContain("the cache");
    // What ran without the cache is not offered either.
    expect((await launch(project, "own.ts", { cache: "off" })).taken).toEqual({});
    expect((await launch(project, "own.ts")).taken).toEqual({});
    const third = await launch(project, "own.ts");
    expect([third.taken, third.ran]).toEqual([{ start: "Own/2/start" }, ["end"]]);
    expect((await launch(project, "own.ts", { cache: "off" })).taken).toEqual({});
  });
});

test("a step that is run again by hand runs, also when its run goes on, and is offered", {
  timeout: 60_000,
}, async () => {
  await launch(project, "hand.ts");
  const resumed = (...words: readonly string[]) => project.here(["resume", ...words]);
  const drawn = async (run: string) => (await project.here(["dump", `${run}/start`, "drawn"])).stdout;
  expect((await resumed("Hand/1", "--from", "start")).code).toBe(0);
  expect(await drawn("Hand/2")).not.toBe(await drawn("Hand/1"));
  expect((await project.here(["show", "Hand/2/behind"])).stdout).toContain("the cache: Hand/1/behind");

  project.write({ "broken.done": "" });
  expect((await resumed("Hand/1", "--from", "start")).code).toBe(1);
  fs.rmSync(project.file("broken.done"));
  expect((await resumed("Hand/3")).code).toBe(0);
  expect([await drawn("Hand/1"), await drawn("Hand/2")]).not.toContain(await drawn("Hand/3"));
  expect((await launch(project, "hand.ts")).taken).toMatchObject({ start: "Hand/3/start" });
});

test("a join counts the steps that lead to it, whether they were taken or not", { timeout: 60_000 }, async () => {
  expect((await launch(project, "arms.ts", { flow: "Both", cache: "on" })).record.status).toBe("succeeded");
  expect((await launch(project, "arms.ts", { flow: "Both", cache: "on" })).taken).toHaveProperty("meet");
  const other = await launch(project, "arms.ts", { flow: "Other", cache: "on" });
  expect([other.record.status, Object.keys(other.taken)]).toEqual(["failed", ["left"]]);
});

test("what cannot be compared later is not offered, and it is said why", { timeout: 60_000 }, async () => {
  await launch(project, "rows.ts");
  const environment = { TOKEN: "secret value" };
  const first = await launch(project, "never.ts", { cache: "on", environment });
  const again = await launch(project, "never.ts", { cache: "on", environment });
  expect(again.taken).toEqual({ end: "Never/1/end" });
  const told = first.warnings.filter(({ code }) => code === "FLOW_RUNNER_NOT_CACHED").map(({ message }) => message);
  expect(told.map((text) => text.replace("The step cache cannot keep what step ", ""))).toEqual([
    '"start" did: it read current.run.id',
    '"named" did: it read current.task',
    '"random" did: it read current.random()',
    '"listed" did: it read the list of its fields (Object.keys(this), {...this} or the like)',
    '"printed" did: it read the list of its fields (it prints `this`)',
    '"read" did: it read runs through the client',
    '"latest" did: it read runs through the client',
    '"secret" did: it read this.token',
    '"given" did: it is given secrets',
    '"missing" did: it read an artifact that its upstream does not have',
    '"nested" did: it read runs of flows that it started',
  ]);
});

test("only what succeeded is offered", { timeout: 60_000 }, async () => {
  await launch(project, "fails.ts", { cache: "on" });
  const again = await launch(project, "fails.ts", { cache: "on" });
  expect(again.events.filter(({ kind }) => kind === "task.caught")).toHaveLength(1);
  expect(again.ran).toEqual([]); // A caught task is none that succeeded.
  expect(again.taken).not.toHaveProperty("start");
});

test("what a step read of an upstream is recorded of the task that stands for it", { timeout: 60_000 }, async () => {
  if ((await launch(project, "rows.ts")).record.status !== "succeeded") throw new Error("no rows");
  const [first, again] = [
    await launch(project, "lineage.ts", { cache: "on" }),
    await launch(project, "lineage.ts", { cache: "on" }),
  ];
  expect(again.ran).toEqual([]);
  expect(again.record.upstreams[0].reads).toEqual(first.record.upstreams[0].reads);
  expect(again.record.upstreams[0].reads).toMatchObject([{ name: "rows" }]);
  // A new run of the producer that left the same: what is read is recorded of that one.
  const producer = await launch(project, "rows.ts");
  const third = await launch(project, "lineage.ts", { cache: "on" });
  expect(third.ran).toEqual([]);
  expect(third.record.upstreams).toMatchObject([{ run: producer.name, reads: [{ name: "rows" }] }]);
  const { metadata } = await project.stores();
  const run = (await metadata.runById(third.record.id))!;
  expect(await metadata.reads(run.sequence)).toMatchObject([{ producer: producer.record.id, artifact: "rows" }]);
});

test("an item has one key wherever it stands, unless the step takes its index", { timeout: 60_000 }, async () => {
  await launch(project, "order.ts", { cache: "on" });
  const turned = await launch(project, "order.ts", { cache: "on", flags: { turned: "true" } });
  expect(turned.ran).toEqual([
    "bare",
    "bareJoin",
    "meet",
    "numbered",
    "numberedJoin",
    "numberedWork/0",
    "numberedWork/1",
    "start",
  ]);
  expect(turned.taken).toMatchObject({ "bareWork/0": "Order/1/bareWork/1", "bareWork/1": "Order/1/bareWork/0" });
  expect((await observe(project, watched(turned))).values).toMatchObject({ text: "item 2,item 1 | 0: 2,1: 1" });
});

test("a run takes nothing from itself: a loop that waits for something goes on asking", {
  timeout: 60_000,
}, async () => {
  for (let round = 0; round < 4; round++) {
    const { events, record, taken } = await launch(project, "poll.ts", { cache: "on" });
    expect(record.status).toBe("succeeded");
    const asked = events.filter((event) => event.kind === "task.output").length;
    const rounds = events.filter((event) => event.kind === "task.succeeded" && event.step === "poll").length;
    expect(Object.values(taken).filter((name) => name.startsWith(record.run))).toEqual([]);
    if (round === 0) expect(asked).toBe(rounds);
  }
});

test("steps in processes take part as those in threads", { timeout: 60_000 }, async () => {
  await launch(project, "apart.ts", { cache: "on" });
  const again = await launch(project, "apart.ts", { cache: "on" });
  expect(again.taken).toMatchObject({ start: "Apart/1/start" });
});

describe("an outcome whose bytes are not whole in the store", () => {
  const bytesOf = async (name: string, step: string): Promise<string> => {
    const { metadata } = await project.stores();
    const run = (await metadata.runByNumber({ name: "Big" }, Number(name.split("/")[1])))[0]!;
    const task = (await tasksOf(project, run.id)).find((each) => each.step === step)!;
    const page = step === "split" ? await metadata.itemPage(task.sequence, 0) : undefined;
    const { digest } = page ?? (await metadata.ownArtifacts(task.sequence)).find((row) => row.name === "rows")!;
    const folder = path.join(project.store, "blobs");
    const files = fs.readdirSync(folder, { recursive: true, encoding: "utf8" });
    return path.join(folder, files.find((file) => path.basename(file).startsWith(digest))!);
  };

  test.each([
    ["an artifact that is gone", "start", (file: string) => fs.rmSync(file)],
    ["an artifact that was cut", "start", (file: string) => fs.truncateSync(file, 100)],
    ["a page of items that is gone", "split", (file: string) => fs.rmSync(file)],
  ])("%s: the step runs and mends it", { timeout: 60_000 }, async (_, step, damage) => {
    const first = await launch(project, "big.ts", { cache: "on" });
    const file = await bytesOf(first.name, step);
    const size = fs.statSync(file).size;
    damage(file);
    const again = await launch(project, "big.ts", { cache: "on" });
    expect([again.record.status, again.ran]).toEqual(["succeeded", [step]]);
    expect(fs.statSync(file).size).toBe(size);
    expect((await launch(project, "big.ts", { cache: "on" })).ran).toEqual([]);
  });
});

function watched({ record, events }: Awaited<ReturnType<typeof launch>>) {
  return { record, events, run: undefined, error: undefined };
}
