/** Steps that fail, in every way that was thought of: the run fails with the user's own words, and nothing hangs. */
import { existsSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { Project, type Watched } from "../kit/project.ts";
import { flowText, taskOf, tasksOf } from "./observe.ts";

const failing = (name: string, body: string, before?: string) =>
  flowText(name, `value!: unknown; @step({ next: "end" }) async start() { ${body} } @step() end() {}`, before);

const project = new Project({
  "deep/helper.ts": `export function compute(n: number): number {\n  if (n === 0) {\n    throw new RangeError("too deep");\n  }\n  return compute(n - 1);\n}\n`,
  "stack.ts": flowText(
    "Stack",
    `
    items!: number[];
    @step({ next: "work", foreach: "items" })
    start() { this.items = [0, 1, 2, 3]; }
    @step({ next: "gather" })
    async work(item: number) {
      if (item === 1) {
        await until("waiting");
        compute(1);
      }
      if (item === 0) {
        done("waiting");
        await new Promise((resolve) => this.signal.addEventListener("abort", resolve));
        done("told");
        throw new Error("a failure that comes after the cause");
      }
    }
    @join({ next: "end" }) gather() {}
    @step() end() {}`,
    `import { compute } from "./deep/helper.ts";`,
  ),
  "null.ts": failing("Null", `throw null;`),
  "text.ts": failing("Text", `throw "just a text";`),
  "huge.ts": failing("Huge", `throw new Error("x".repeat(5_000_000));`),
  "caused.ts": failing("Caused", `throw new Error("outer", { cause: new TypeError("inner") });`),
  "exit.ts": failing("Exit", `console.log("about to leave"); process.exit(0);`),
  "rejection.ts": failing("Rejection", `void Promise.reject(new Error("nobody awaits me")); await wait(5_000);`),
  "timer.ts": failing("Timer", `setTimeout(() => { throw new Error("late timer"); }, 5); await wait(5_000);`),
  "iterable.ts": flowText(
    "Iterable",
    `items!: number[]; @step({ next: "work", foreach: "items" }) start() {} @step({ next: "end" }) work(item: number) {} @join() end() {}`,
  ),
  "letters.ts": flowText(
    "Letters",
    `items!: number[]; @step({ next: "work", foreach: "items" }) start() { (this as any).items = "abc"; } @step({ next: "end" }) work(item: number) {} @join() end() {}`,
  ),
  "case.ts": flowText(
    "Case",
    `way!: "a" | "b"; @choose({ on: "way", next: { a: "a", b: "b" } }) start() { (this as any).way = "c"; } @step({ next: "end" }) a() {} @step({ next: "end" }) b() {} @step() end() {}`,
  ),
  "declared.ts": flowText(
    "Declared",
    `scores = artifact(z.array(z.number().max(1))); @step() start() { this.scores = [0.5, 2]; }`,
  ),
  "late.ts": flowText(
    "Late",
    `@step({ next: "end" }) start() { setTimeout(() => { throw new Error("after the step"); }, 2_000); } @step() async end() { await wait(10_000); }`,
  ),
  "leaves.ts": flowText(
    "Leaves",
    `
    items!: number[]; value!: number;
    @step({ next: "work", foreach: "items" }) start() { this.items = Array.from({ length: 60 }, (_, n) => n); }
    @step({ next: "gather" }) work(item: number) { this.value = item; if (item === 47) process.exit(0); }
    @join({ next: "end" }) gather() {}
    @step() end() {}`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

const causeOf = (watched: Watched) => (watched.error as { readonly cause: Error & { code?: string } }).cause;

test("the cause is the first failure, with the user's own lines and nobody else's; siblings are cancelled", async () => {
  const watched = await project.run("stack.ts");
  expect(watched.error).toMatchObject({
    name: "FlowError",
    code: "FLOW_RUN_FAILED",
    message: expect.stringContaining("Stack/1/work/1: too deep"),
  });
  expect(causeOf(watched)).toMatchObject({ name: "RangeError", message: "too deep" });
  const frames = causeOf(watched)
    .stack!.split("\n")
    .filter((line) => /^\s+at /.test(line));
  expect(frames.map((frame) => /(deep\/helper|stack)\.ts:(\d+):\d+\)?$/.exec(frame)?.slice(1, 3).join(":"))).toEqual([
    "deep/helper:3",
    "deep/helper:5",
    "stack:16",
  ]);
  expect(frames.every((frame) => /at (async )?(compute|Stack\.work) /.test(frame))).toBe(true);
  const rows = await tasksOf(project, watched.record.id);
  const statuses = Object.fromEntries(rows.map((row) => [taskOf(row), row.status]));
  expect(statuses).toMatchObject({ start: "succeeded", "work/0": "cancelled", "work/1": "failed" });
  expect(statuses.gather).toBeUndefined();
  expect(existsSync(project.file("told.done"))).toBe(true); // It was asked to stop, and not only ended with its thread.
  expect(watched.record).toMatchObject({
    status: "failed",
    failure: { task: "Stack/1/work/1", error: { name: "RangeError", code: "FLOW_STEP_FAILED" } },
  });
  const client = await project.client();
  const run = await client.runs<any>("Stack").get(1);
  expect(run.status).toBe("failed");
  await expect(run.data.items).rejects.toMatchObject({ code: "FLOW_CLIENT_NOT_FINISHED" });

  const command = await project.here(["run", "stack.ts"]);
  expect(command.code).toBe(1);
  expect(command.stderr).toContain("✗ Stack/2/work/1 failed: RangeError: too deep");
  expect(command.stderr).toMatch(/at compute \(deep\/helper\.ts:3:11\)/);
  expect(command.stderr).not.toMatch(/node_modules|packages\/core|node:internal|flow\.mjs/);
  expect((await project.here(["runs", "Stack", "--json"])).lines.map((line) => line.status)).toEqual([
    "failed",
    "failed",
  ]);
});

test.each([
  ["null.ts", { message: "a step threw null instead of an Error" }],
  ["text.ts", { message: 'a step threw "just a text" instead of an Error' }],
  ["huge.ts", { message: expect.stringMatching(/^x{1000,}… \(5000000 characters, cut\)$/) }],
  ["caused.ts", { message: "outer", cause: { name: "TypeError", message: "inner" } }],
  ["exit.ts", { code: "FLOW_RUNNER_WORKER_ENDED" }],
  ["rejection.ts", { code: "FLOW_RUNNER_WORKER_ENDED", message: expect.stringContaining("nobody awaits me") }],
  ["timer.ts", { code: "FLOW_RUNNER_WORKER_ENDED", message: expect.stringContaining("late timer") }],
  ["iterable.ts", { code: "FLOW_RUNNER_NOT_ITERABLE", message: expect.stringContaining("this.items") }],
  ["letters.ts", { code: "FLOW_RUNNER_NOT_ITERABLE", message: expect.stringContaining("a text") }],
  ["case.ts", { code: "FLOW_RUNNER_NO_CASE", message: expect.stringContaining('"c"') }],
  ["declared.ts", { code: "FLOW_FLOW_ARTIFACT_MISMATCH" }],
])("%s fails its run, which says why", async (file, cause) => {
  const watched = await project.run(file);
  expect(watched.error).toMatchObject({ code: "FLOW_RUN_FAILED" });
  expect(causeOf(watched)).toMatchObject(cause);
  expect(watched.record).toMatchObject({ status: "failed", tasks: { total: 1, byStatus: { failed: 1 } } });
  if (file === "exit.ts")
    expect((await project.here(["logs", `${watched.record.run}/start`])).stdout).toBe("about to leave\n");
});

test("of what ended a worker only the lines of the flow are told, and none where it just left", async () => {
  const failureOf = async (file: string): Promise<any> => (await project.run(file)).record.failure.error;
  const exited = await failureOf("exit.ts");
  expect([exited.hint, exited.cause]).toEqual([expect.stringContaining("process.exit()"), undefined]);
  for (const [file, message] of [
    ["rejection.ts", "nobody awaits me"],
    ["timer.ts", "late timer"],
  ] as const) {
    const { hint, cause } = await failureOf(file);
    expect(hint).toContain("Nobody caught it: await the promise");
    const [header, ...frames] = cause.stack.split("\n");
    expect(header).toBe(`Error: ${message}`);
    expect(frames.length).toBeGreaterThan(0);
    for (const frame of frames) expect(frame).toContain(file);
  }
});

test("a worker that ends takes no other task with it: its company is run again and one task has failed", async () => {
  const watched = await project.run("leaves.ts");
  expect(watched.record.failure).toMatchObject({
    task: "Leaves/1/work/47",
    error: { code: "FLOW_RUNNER_WORKER_ENDED" },
  });
  const { byStatus, total } = watched.record.tasks;
  expect([byStatus.failed, total]).toEqual([1, byStatus.succeeded + (byStatus.cancelled ?? 0) + 1]);
});

test("what a step left running and throws later ends the run, with the user's own lines", async () => {
  const { code, stderr } = await project.here(["run", "late.ts", "--max-workers", "1"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/Late\/1\/end failed: Step "end" ended its worker before it finished: after the step/);
  expect(stderr).toMatch(/late\.ts:\d+:\d+/);
  expect(stderr).not.toMatch(/run-driver|thread-executor|node_modules|node:internal/);
});
