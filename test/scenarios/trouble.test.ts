/** Trouble around a run rather than in a step: workers that cannot start, stores that vanish, runs that end oddly. */
import fs from "node:fs";
import path from "node:path";
import { run } from "@millrace/core";
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "./observe.ts";

const project = new Project({
  "one.ts": flowText("One", `value!: number; @step() start() { this.value = 1; }`),
  "late.ts": flowText(
    "Late",
    `items!: number[];
     @step({ next: "work", foreach: "items" }) start() { this.items = [0, 1]; }
     @step({ next: "end" }) async work(n: number) {
       if (n === 0) setTimeout(() => { throw new Error("too late"); }, 20);
       else await wait(2_000);
     }
     @join() end() {}`,
  ),
  "spins.ts": flowText("Spins", `@step() start() { console.log("last words"); for (;;); }`),
  "gone.ts": flowText("Gone", `@step() async start() { done("gone"); await wait(700); }`),
  "secret.ts": flowText(
    "Secret",
    `readonly token = param(z.string(), { secret: true, env: "TROUBLE_TOKEN" }); seen!: string[]; items!: number[]; n!: number;
     @step({ next: "work", foreach: "items" }) start() { this.items = [1, 2]; }
     @step({ next: "end" }) work(n: number) { this.n = n; }
     @join() end(inputs: Inputs<Secret>) { this.seen = inputs.map((input) => String(input.token.length)); }`,
  ),
  "stream.ts": flowText(
    "Stream",
    `items!: Iterable<number>; n!: number; own!: unknown; sum!: number; inherited!: boolean[];
     @step({ next: "split" }) start() { this.items = [100, 200]; }
     @step({ next: "work", foreach: "items" }) split() { this.items = (function* () { yield 1; yield 2; yield 3; })(); }
     @step({ next: "end" }) work(n: number) { this.n = n; this.own = this.items; }
     @join() end(inputs: Inputs<Stream>) { this.sum = inputs.reduce((sum, input) => sum + input.n, 0); this.inherited = inputs.map((input) => input.items !== undefined); }`,
  ),
  "kills.ts": flowText(
    "Kills",
    `items!: number[];
     @step({ next: "work", foreach: "items" }) start() { this.items = Array.from({ length: 40 }, (_, n) => n); }
     @step({ next: "end" }) async work(n: number) { await wait(1); if (n === 20) process.exit(1); }
     @join() end() {}`,
  ),
  "loud.ts": flowText(
    "Loud",
    `items!: number[];
     @step({ next: "work", foreach: "items" }) start() { this.items = Array.from({ length: 400 }, (_, n) => n); }
     @step({ next: "end" }) work(n: number) { console.log("item", n); if (n === 200) process.exit(1); }
     @join() end() {}`,
  ),
  "reads.ts": flowText(
    "Reads",
    `value!: number;
     @step() async start() { this.value = (await (await runs<any>("One").latest()).data.value) as number; }`,
    `import { runs } from "@millrace/core";`,
  ),
  "preload.cjs": `if (!require("node:worker_threads").isMainThread) throw new Error("not in a thread");`,
});
afterAll(() => project[Symbol.asyncDispose]());

test("workers that cannot start fail the run and say why, instead of waiting for ever", async () => {
  const NODE_OPTIONS = `--require ${project.file("preload.cjs")}`;
  const { code, stderr } = await project.flow(["run", "one.ts"], { env: { NODE_OPTIONS } });
  expect(code).toBe(1);
  expect(stderr).toContain("not in a thread");
  expect((await project.here(["runs", "--json"])).lines[0]).toMatchObject({ status: "failed" });
});

test("an error of a timer that outlives its step is told, though no task fails by it", async () => {
  const { events, record } = await project.run("late.ts");
  expect(record.status).toBe("succeeded");
  expect(events.find((event) => event.kind === "run.warning")).toMatchObject({
    code: "FLOW_RUNNER_STRAY_ERROR",
    message: expect.stringContaining("too late"),
  });
});

test("what a step wrote before it never came back is shown and kept", async () => {
  const running = run<any>(project.file("spins.ts"));
  running.catch(() => {}); // It is cancelled below.
  const texts: string[] = [];
  for await (const event of running) {
    if (event.kind !== "task.output") continue;
    texts.push((event as { text?: string }).text ?? "");
    running.cancel("seen enough");
    break;
  }
  expect(texts.join("")).toBe("last words\n");
  await expect(running).rejects.toMatchObject({ code: "FLOW_RUN_CANCELLED" });
  expect((await project.here(["logs", "Spins/1/start"])).stdout).toBe("last words\n");
});

test("a store that is deleted while a run writes to it fails the command", async () => {
  const store = project.file("elsewhere");
  const called = project.here(["run", "gone.ts", "--store", store]);
  while (!fs.existsSync(path.join(store, "millrace.db"))) await new Promise((resolve) => setTimeout(resolve, 10));
  await new Promise((resolve) => setTimeout(resolve, 500));
  fs.rmSync(store, { recursive: true, force: true });
  const { code, stderr } = await called;
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/FLOW_CLIENT_STORE_GONE|FLOW_METADATA_|FLOW_STORAGE_/);
});

test("a join sees the secrets of its inputs", async () => {
  process.env.TROUBLE_TOKEN = "s3cret";
  const { run: finished } = await project.run("secret.ts").finally(() => delete process.env.TROUBLE_TOKEN);
  expect(await finished!.data.seen).toEqual(["6", "6"]);
});

test("an iterator that replaces an inherited list leaves no old list behind", async () => {
  const { run: finished } = await project.run("stream.ts");
  expect([await finished!.data.sum, await finished!.data.inherited]).toEqual([6, [false, false, false]]);
});

test("no task of a run that has failed is left running", async () => {
  const { record } = await project.run("kills.ts");
  expect(record.status).toBe("failed");
  expect(record.tasks.byStatus.running).toBeUndefined();
  expect(record.tasks.byStatus.failed).toBe(1);
});

test("what a step reads through runs() is lineage too", async () => {
  await project.run("one.ts");
  const { record } = await project.run("reads.ts");
  const { metadata } = await project.stores();
  const row = (await metadata.runs({ flow: { name: "Reads" } }))[0]!;
  expect(record.status).toBe("succeeded");
  expect(await metadata.reads(row.sequence)).toMatchObject([{ artifact: "value" }]);
});

test("a run that is cancelled before it begins leaves nothing, and its reason is the cause", async () => {
  const before = (await project.here(["runs", "One", "--json"])).lines.length;
  const reason = new Error("changed my mind");
  const refused = run<any>(project.file("one.ts"), { signal: AbortSignal.abort(reason) });
  await expect(refused).rejects.toMatchObject({ code: "FLOW_RUN_CANCELLED", cause: reason });
  expect((await project.here(["runs", "One", "--json"])).lines.length).toBe(before);
});

test("the events of a run that has ended are over at once", async () => {
  const running = run<any>(project.file("one.ts"));
  await running;
  const events: unknown[] = [];
  for await (const event of running) events.push(event);
  expect(events).toEqual([]);
});

test("what tasks wrote before their worker was lost keeps the rows it refers to", async () => {
  for (let n = 0; n < 5; n++) {
    const { code, stderr } = await project.here(["run", "loud.ts"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("FLOW_RUNNER_WORKER_ENDED")]);
    expect(stderr).not.toContain("FLOW_METADATA_NO_TASK");
  }
});
