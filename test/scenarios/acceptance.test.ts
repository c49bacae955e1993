/** Steps that do the worst that code can do, in one run: each has failed by name, and all others go on. */
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";
import { flowText, taskOf, tasksOf } from "./observe.ts";

const project = new Project({
  "trouble.ts": flowText(
    "Trouble",
    `
    value!: string; seen!: string;
    @step({ next: ["exits", "hangs", "loops", "swells", "segfaults", "fine"] }) start() { this.value = "start"; }
    @step({ next: "meet" }) exits() { console.log("about to exit"); process.exit(0); }
    @step({ next: "meet" }) async hangs() { await new Promise(() => {}); }
    @step({ next: "meet", timeout: "2s" }) loops() { for (;;); }
    @step({ next: "meet", isolate: "process", resources: { memory: "256MB" } })
    swells() { const all = []; for (let n = 0; n < 128; n++) all.push(new Uint8Array(16 * 2 ** 20).fill(n)); this.value = "2 GB in " + all.length; }
    @step({ next: "meet", isolate: "process" }) segfaults() { console.log("last words"); process.kill(process.pid, "SIGSEGV"); for (;;); }
    @step({ next: "items_" }) fine() { this.value = "fine"; }
    @step({ next: "item", foreach: "items" }) items_() { this.items = [0, 1, 2]; }
    @step({ next: "gather" }) item(n: number) { this.value = "item " + n; }
    @join({ next: "meet" }) gather(inputs: Inputs<Trouble>) { this.seen = inputs.map((input) => input.value).join(); }
    @join({ next: "end" }) meet() {}
    @step() end() {}
    items!: number[];`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

test("exit, hang, endless loop, 2 GB and a segmentation fault are failures by name, and the others go on", async () => {
  const run = new SpawnedFlow(["run", "trouble.ts", "--finish-siblings", "--json"], { cwd: project.folder });
  const { code, stderr, stdout } = await run.ended;
  expect([code, stderr]).toEqual([1, ""]);
  expect(await run.leftAfter(2_000)).toEqual([]);

  const { record } = JSON.parse(stdout.trimEnd().split("\n").at(-1)!);
  const rows = await tasksOf(project, record.id);
  expect(Object.fromEntries(rows.map((row) => [taskOf(row), row.error?.code ?? row.status]))).toEqual({
    start: "succeeded",
    exits: "FLOW_RUNNER_WORKER_ENDED",
    hangs: "FLOW_RUNNER_NEVER_SETTLES",
    loops: "FLOW_RUNNER_TIMEOUT",
    swells: "FLOW_RUNNER_OUT_OF_MEMORY",
    segfaults: "FLOW_RUNNER_WORKER_CRASHED",
    fine: "succeeded",
    items_: "succeeded",
    "item/0": "succeeded",
    "item/1": "succeeded",
    "item/2": "succeeded",
    gather: "succeeded",
  });
  const messages = Object.fromEntries(rows.flatMap((row) => (row.error ? [[row.step, row.error.message]] : [])));
  expect(messages).toMatchObject({
    exits: expect.stringContaining("exited with code 0"),
    loops: expect.stringContaining("longer than its timeout of 2"),
    swells: expect.stringContaining("its limit is 256 MB"),
    segfaults: expect.stringContaining("SIGSEGV"),
  });
  // The first failure is the cause, and what was written before the end is kept.
  expect(record).toMatchObject({
    status: "failed",
    failure: { error: { code: expect.stringMatching(/^FLOW_RUNNER_/) } },
    tasks: { total: 12, byStatus: { succeeded: 7, failed: 5 } },
  });
  for (const [step, words] of [
    ["exits", "about to exit"],
    ["segfaults", "last words"],
  ] as const)
    expect((await project.flow(["logs", `Trouble/1/${step}`])).stdout).toContain(words);
  expect((await project.flow(["dump", "Trouble/1/gather.seen"])).stdout).toBe("item 0,item 1,item 2\n");
});
