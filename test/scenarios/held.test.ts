/** What runs beside what, seen with steps that the test holds; and that nothing of a run is left when it is over. */
import { spawn } from "node:child_process";
import fs from "node:fs";
import { Worker } from "node:worker_threads";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { HeldSteps } from "../kit/held-step.ts";
import { expectNoLeak } from "../kit/leak-check.ts";
import { Project } from "../kit/project.ts";
import { flowText, observe, taskOf, tasksOf } from "./observe.ts";

const fan = (name: string, behaviour: string): string =>
  flowText(
    name,
    `
    items!: number[]; value!: number; values!: number[];
    readonly fails = param(z.coerce.number().int().default(-1));
    @step({ next: "work", foreach: "items" }) start() { this.items = [0, 1, 2]; }
    @step({ next: "gather", ${behaviour} }) async work(item: number) {
      await hold(this.signal);
      if (item === this.fails) throw new Error("item " + item);
      this.value = item;
    }
    @join({ next: "end" }) gather(inputs: Inputs<${name}>) { this.values = inputs.map((input) => input.value); }
    @step() end() {}`,
    `import { hold } from "./held-step.ts";`,
  );

const project = new Project({
  "threads.ts": fan("Threads", ""),
  "processes.ts": fan("Processes", `isolate: "process"`),
  "narrow.ts": fan("Narrow", `maxParallel: 1, isolate: "process"`),
});
project.write({
  "outer.ts": flowText(
    "Outer",
    `@step({ next: "end" }) async start() { await run(Inner); } @step() end() {}`,
    'import { run } from "@millrace/core"; import Inner from "./inner.ts";',
  ),
  "inner.ts": flowText("Inner", `@step({ next: "end" }) start() {} @step() end() {}`),
});
const held = new HeldSteps(project);
beforeEach(() => held.reset());
afterAll(() => project[Symbol.asyncDispose]());

const TASKS = ["work/0", "work/1", "work/2"] as const;

describe.each(["threads", "processes"])("%s", (file) => {
  test("run beside each other, end in any order, and the join has them in the order of the items", async () => {
    const running = project.run(`${file}.ts`);
    await held.reached("work/0");
    await held.reached("work/1");
    held.release("work/1");
    // A task that has ended makes room, while the one before it is still held.
    await held.reached("work/2");
    held.release("work/2", "work/0");
    expect((await observe(project, await running)).values.values).toEqual([0, 1, 2]);
  });

  test("a failure ends what is held beside it, and nothing else begins", async () => {
    const running = project.run(`${file}.ts`, { params: { fails: 0 } });
    await held.reached("work/0");
    await held.reached("work/1");
    held.release("work/0");
    const watched = await running;
    const rows = await tasksOf(project, watched.record.id);
    expect(rows.map((row) => [taskOf(row), row.status])).toEqual([
      ["start", "succeeded"],
      ["work/0", "failed"],
      ["work/1", "cancelled"],
    ]);
    expect(held.hasReached("work/2")).toBe(false);
  });

  test("leave no thread, no process and no open file behind, however the run ends", async () => {
    await expectNoLeak(async () => {
      held.reset();
      held.release(...TASKS);
      expect((await project.run(`${file}.ts`)).record.status).toBe("succeeded");
      expect((await project.run(`${file}.ts`, { params: { fails: 1 } })).record.status).toBe("failed");
      held.reset();
      const stop = new AbortController();
      const cancelled = project.run(`${file}.ts`, { signal: stop.signal });
      await held.reached("work/0");
      stop.abort("enough");
      expect((await cancelled).record.status).toBe("cancelled");
    });
  });
});

test("runs inside steps leave none of the workers that were kept for the next one", async () => {
  await expectNoLeak(async () => {
    expect((await project.run("outer.ts")).record.status).toBe("succeeded");
  });
});

test("maxParallel lets the next task begin only when the one before it has ended", async () => {
  const running = project.run("narrow.ts");
  for (const [index, task] of TASKS.entries()) {
    await held.reached(task);
    for (const later of TASKS.slice(index + 1)) expect(held.hasReached(later)).toBe(false);
    held.release(task);
  }
  expect((await observe(project, await running)).values.values).toEqual([0, 1, 2]);
});

test.skipIf(process.platform !== "linux").each<[string, () => () => unknown]>([
  [
    "threads",
    () => {
      const worker = new Worker("setInterval(() => {}, 1000)", { eval: true });
      return () => worker.terminate();
    },
  ],
  [
    "handle Process",
    () => {
      const child = spawn("sleep", ["100"]);
      return () => child.kill();
    },
  ],
  [
    "file ",
    () => {
      const descriptor = fs.openSync(project.file("threads.ts"), "r");
      return () => fs.closeSync(descriptor);
    },
  ],
])("the leak check finds what was left behind: %s", async (name, leave) => {
  const undo: (() => unknown)[] = [];
  try {
    await expect(expectNoLeak(async () => undo.push(leave()))).rejects.toThrow(name);
  } finally {
    await Promise.all(undo.map((each) => each()));
  }
});
