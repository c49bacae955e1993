/**
 * The runner is killed at any moment, or something that it has started is: nothing that was recorded is lost or twice
 * there, everybody sees that the run is lost, nobody is left behind, and a resumed run ends as one that nobody disturbed.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HeldSteps } from "../kit/held-step.ts";
import { Project } from "../kit/project.ts";
import { seeded } from "../kit/seed.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";
import { flowText, taskOf, tasksOf } from "../scenarios/observe.ts";
import { TWENTY, times } from "./twenty.ts";

const project = new Project({
  "twenty.ts": TWENTY,
  "held.ts": flowText(
    "Held",
    `
    @step({ next: "wait_" }) start() {}
    @step({ next: "end" }) async wait_() { await hold(this.signal); }
    @step() end() {}`,
    `import { hold } from "./held-step.ts";`,
  ),
});
const held = new HeldSteps(project);
const { random } = seeded("killed-runner");
const ISOLATED = ["--with", "isolate=process", "--max-workers", "2"];
let undisturbed: { readonly digests: unknown; readonly durationMs: number };

afterAll(() => project[Symbol.asyncDispose]());
beforeAll(async () => {
  const run = start("run", "twenty.ts");
  const { code, stderr, durationMs } = await run.ended;
  expect([code, stderr]).toEqual([0, ""]);
  undisturbed = { digests: await digestsOf("Twenty/1"), durationMs };
});

const start = (...words: readonly string[]): SpawnedFlow =>
  new SpawnedFlow([...words, "--json"], { cwd: project.folder });

async function digestsOf(run: string): Promise<unknown> {
  const { lines, stderr } = await project.flow(["dump", run, "--json"]);
  expect(stderr).toBe("");
  return Object.fromEntries(lines.map((line) => [line.name, line.digest]));
}

const newest = async (): Promise<any> => (await project.flow(["runs", "Twenty", "--limit", "1", "--json"])).lines[0];

/** Kills the group of a run at a random instant and says which run it was, if there was one already. */
async function killAtRandom(run: SpawnedFlow, before: string): Promise<any> {
  await run.after(random() * undisturbed.durationMs);
  run.killGroup();
  await run.ended;
  expect(await run.leftAfter(2_000)).toEqual([]);
  const row = await newest();
  return row.run === before ? undefined : row;
}

/** Every attempt that is recorded is whole, and no task has succeeded twice. */
async function expectWhole(row: any): Promise<void> {
  const { stderr, lines } = await project.flow(["validate", row.run, "--json"]);
  const verified = await project.flow(["store", "verify", "--read-data", "--json"]);
  expect([verified.stderr, verified.lines.filter(({ kind }) => kind === "damage")]).toEqual(["", []]);
  // V00 says that the run has not succeeded, which is so.
  const failed = lines[0].checks.filter((check: any) => check.status === "fail" && check.id !== "V00");
  expect([stderr, failed]).toEqual(["", []]);
  const succeeded = (await tasksOf(project, row.id)).filter(({ status }) => status === "succeeded").map(taskOf);
  expect(new Set(succeeded).size).toBe(succeeded.length);
}

/** Resumes a run that is lost, and expects that it ends as one that nobody disturbed, with the finished tasks kept. */
async function expectResumed(row: any): Promise<void> {
  const finished = (await tasksOf(project, row.id)).filter(({ status }) => status === "succeeded");
  const resume = start("resume", row.run);
  const { code, stderr } = await resume.ended;
  expect([stderr, code]).toEqual(["", 0]);
  expect(await resume.leftAfter(2_000)).toEqual([]);
  expect(await newest()).toMatchObject({ run: row.run, id: row.id, status: "succeeded" });
  await expectWhole(row);
  const kept = new Set((await tasksOf(project, row.id)).map(({ sequence }) => sequence));
  for (const task of finished) expect(kept).toContain(task.sequence);
  expect(await digestsOf(row.run)).toEqual(undisturbed.digests);
}

describe("a runner that is killed", () => {
  test(`leaves a lost run, which is resumed, ${times(4, 200)} times`, { timeout: 3_600_000 }, async () => {
    for (let kill = 0; kill < times(4, 200); kill++) {
      const before = (await newest()).run;
      const row = await killAtRandom(start("run", "twenty.ts", ...(kill % 2 === 0 ? [] : ISOLATED)), before);
      if (row === undefined) continue; // It had not begun.
      expect(["lost", "succeeded"]).toContain(row.status);
      await expectWhole(row);
      if (row.status === "lost") await expectResumed(row);
    }
  });

  test(`may be killed three times in a row, ${times(1, 50)} times`, { timeout: 3_600_000 }, async () => {
    for (let round = 0; round < times(1, 50); round++) {
      const run = start("run", "twenty.ts");
      await run.heard((text) => text.includes("task.started"));
      run.killGroup();
      await run.ended;
      const row = await newest();
      for (let kill = 1; kill < 3; kill++) {
        await killAtRandom(start("resume", row.run), row.run);
        await expectWhole(row);
      }
      const last = await newest();
      expect(last.run).toBe(row.run);
      if (last.status === "lost") await expectResumed(row);
      else expect([last.status, await digestsOf(row.run)]).toEqual(["succeeded", undisturbed.digests]);
    }
  });
});

test("of two resumes at once one goes on, and the other is told who has the run", async () => {
  const first = start("run", "held.ts");
  await held.reached("wait_");
  first.killGroup();
  await first.ended;
  held.reset();
  const two = [start("resume", "Held/1"), start("resume", "Held/1")];
  const refused = await Promise.race(two.map((resume) => resume.ended));
  expect(refused.code).not.toBe(0);
  const winner = two.find((resume) => !resume.isOver)!;
  expect(refused.stdout).toContain(`process ${winner.pid}`);
  await Promise.race([held.reached("wait_"), held.reached("wait_#2")]); // The kill may have come before the first attempt was recorded.
  held.release("wait_", "wait_#2");
  expect((await winner.ended).code).toBe(0);
  expect((await project.flow(["runs", "Held", "--json"])).lines).toMatchObject([
    { run: "Held/1", status: "succeeded" },
  ]);
  for (const resume of two) expect(await resume.leftAfter(2_000)).toEqual([]);
});

describe.skipIf(process.platform !== "linux")("one process that is killed", () => {
  test(`fails its task by name or costs an attempt, ${times(3, 100)} times`, { timeout: 600_000 }, async () => {
    for (let kill = 0; kill < times(3, 100); kill++) {
      const retries = kill % 2;
      const run = start("run", "twenty.ts", ...ISOLATED, "--with", `retry:times=${retries},delay=1ms`);
      await run.heard((text) => text.includes('"step":"work"'));
      await run.after((random() * undisturbed.durationMs) / 2);
      const [victim] = run.descendants().toSorted(() => random() - 0.5);
      if (victim !== undefined) process.kill(victim, "SIGKILL");
      const { code, durationMs } = await run.ended;
      expect(durationMs).toBeLessThan(undisturbed.durationMs + 60_000);
      expect(await run.leftAfter(2_000)).toEqual([]);
      const row = await newest();
      await expectWhole(row);
      if (code === 0) expect(await digestsOf(row.run)).toEqual(undisturbed.digests);
      else {
        const { record } = { record: JSON.parse((await project.flow(["show", row.run, "--json"])).stdout) };
        expect([code, retries, record.failure.error.code]).toEqual([1, 0, "FLOW_RUNNER_WORKER_CRASHED"]);
        expect(record.failure.error.message).toContain("SIGKILL");
      }
    }
  });
});
