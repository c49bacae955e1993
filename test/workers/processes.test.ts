/** Processes as workers: what ends one ends nothing else, has a name, and leaves what was written before. */
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { BINARY } from "../cli/kit.ts";
import { Project } from "../kit/project.ts";
import { textValue, Workers } from "../kit/workers.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  "steps.ts": flowText(
    "Steps",
    `value!: unknown;
     @step({ next: "end" }) start() {}
     @step({ next: "end" }) fine() { console.log("fine"); this.value = String(process.pid); }
     @step({ next: "end" }) exits() { console.log("before"); process.exit(0); }
     @step({ next: "end" }) segfaults() { for (let n = 0; n < 50; n++) console.log("line", n); process.kill(process.pid, "SIGSEGV"); for (;;); }
     @step({ next: "end" }) aborts() { process.abort(); }
     @step({ next: "end" }) raw() { writeSync(1, "raw out\\n"); writeSync(2, "raw err\\n"); console.log("after raw"); }
     @step({ next: "end" }) rawOfChild() { execFileSync("sh", ["-c", "echo of a child; echo its trouble >&2"], { stdio: "inherit" }); }
     @step({ next: "end" }) spins() { console.log("spinning"); for (;;); }
     @step({ next: "end" }) fills() { const all: number[][] = []; for (;;) all.push(new Array(1000).fill(all.length)); }
     @step({ next: "end" }) fillsArrays() { const all: Uint8Array[] = []; for (;;) all.push(new Uint8Array(1 << 24).fill(1)); }
     @step({ next: "end" }) async rejects() { void Promise.reject(new RangeError("nobody awaits me")); await wait(10_000); }
     @step({ next: "end" }) spawns() { const child = spawn("sleep", ["1000"], { stdio: "ignore" }); console.log("child", child.pid); for (;;); }
     @step() end() {}`,
    `import { writeSync } from "node:fs"; import { execFileSync, spawn } from "node:child_process";`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

const placement = { isolate: "process" } as const;
const limited = { isolate: "process", memoryMb: 256 } as const;

test("results, output and raw output of a process come back, each with its task", async () => {
  await using workers = await Workers.open(project, "steps.ts");
  const [first, second] = (await workers.runAll("raw", 2, { placement })) as [any, any];
  expect([first.outcome.kind, second.outcome.kind]).toEqual(["succeeded", "succeeded"]);
  const text = (result: any, stream: string) =>
    workers.messages
      .flatMap((message) =>
        message.kind === "output" && message.chunk.task === result.sequence ? [message.chunk] : [],
      )
      .concat(result.logs)
      .filter((chunk) => chunk.stream === stream)
      .map((chunk) => chunk.text)
      .join("");
  for (const result of [first, second])
    expect([text(result, "stdout"), text(result, "stderr")]).toEqual(["raw out\nafter raw\n", "raw err\n"]);
  const third = await workers.run("rawOfChild", { placement });
  expect([text(third, "stdout"), text(third, "stderr")]).toEqual(["of a child\n", "its trouble\n"]);
  expect(workers.stray.join("")).toBe("");
});

test.each([
  ["exits", placement, { kind: "exited", code: 0 }],
  ["segfaults", placement, { kind: "signal", signal: "SIGSEGV" }],
  ["aborts", placement, { kind: "signal", signal: "SIGABRT" }],
  ["fills", limited, { kind: "out-of-memory", limitMb: 256 }],
  ["fillsArrays", limited, { kind: "out-of-memory", limitMb: 256 }],
] as const)("%s loses its own batch only, and says why", async (step, where, why) => {
  await using workers = await Workers.open(project, "steps.ts");
  const before = await workers.run("fine", { placement: where });
  await expect(workers.run(step, { placement: where })).rejects.toMatchObject({ name: "ExecutorLostError", why });
  const after = await workers.run("fine", { placement: where });
  expect([before.outcome.kind, after.outcome.kind]).toEqual(["succeeded", "succeeded"]);
  if (step === "exits") expect(workers.written("stdout", before, after)).toContain("before\n");
  if (step === "segfaults")
    expect(workers.written("stdout")).toContain(Array.from({ length: 50 }, (_, n) => `line ${n}\n`).join(""));
});

test("an error that nobody caught is the cause", async () => {
  await using workers = await Workers.open(project, "steps.ts");
  await expect(workers.run("rejects", { placement })).rejects.toMatchObject({
    why: { kind: "other" },
    cause: { name: "RangeError", message: "nobody awaits me" },
  });
});

test("end() ends a step that never looks up, and what it has started", async () => {
  await using workers = await Workers.open(project, "steps.ts");
  const submission = workers.start("spawns", { placement });
  await workers.heard((message) => message.kind === "output" && /child \d+\n/.test(message.chunk.text));
  const child = Number(/child (\d+)/.exec(workers.written("stdout"))![1]);
  submission.end();
  await expect(submission.results).rejects.toMatchObject({ why: { kind: "ended" } });
  expect(isAlive(child)).toBe(false);
});

test("nothing is left behind after close()", async () => {
  const workers = await Workers.open(project, "steps.ts");
  const own = Number(textValue(await workers.run("fine", { placement })));
  expect(isAlive(own)).toBe(true);
  await workers.executor.close();
  expect(isAlive(own)).toBe(false);
});

test("a process in an endless loop, and what it has started, end with a runner that was killed", async () => {
  project.write({
    "killed.ts": flowText(
      "Killed",
      `@step({ isolate: "process" }) start() { const child = spawn("sleep", ["1000"], { stdio: "ignore" }); writeFileSync(new URL("pids", import.meta.url), process.pid + " " + child.pid + " ."); for (;;); }`,
      `import { spawn } from "node:child_process";`,
    ),
  });
  const pidsFile = project.file("pids");
  const read = (): string => (fs.existsSync(pidsFile) ? fs.readFileSync(pidsFile, "utf8") : "");
  let runner: ChildProcess | undefined;
  try {
    runner = spawn(process.execPath, [BINARY, "run", "killed.ts"], { cwd: project.folder, stdio: "ignore" });
    await until(() => read().endsWith("."));
    const pids = read().split(" ").slice(0, 2).map(Number);
    expect(pids.map(isAlive)).toEqual([true, true]);
    runner.kill("SIGKILL");
    await until(() => !pids.some(isAlive));
  } finally {
    runner?.kill("SIGKILL");
  }
});

/** Waits for what another process does, which no event tells. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 10));
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
