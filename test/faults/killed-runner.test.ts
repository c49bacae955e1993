/**
 * The runner is killed at any moment, or something that it has started is: nothing that was recorded is lost or twice
 * there, everybody sees that the run is lost, nobody is left behind, and a resumed run ends as one that nobody disturbed.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { seeded } from "../kit/seed.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";
import { taskOf, tasksOf } from "../scenarios/observe.ts";
import { TWENTY, times } from "./twenty.ts";

const project = new Project({ "twenty.ts": TWENTY });
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
  // V00 says that the run has not succeeded, which is so.
  const failed = lines[0].checks.filter((check: any) => check.status === "fail" && check.id !== "V00");
  expect([stderr, failed]).toEqual(["", []]);
  const succeeded = (await tasksOf(project, row.id)).filter(({ status }) => status === "succeeded").map(taskOf);
  expect(new Set(succeeded).size).toBe(succeeded.length);
}

describe("a runner that is killed", () => {
  test(`leaves a lost run and nobody behind, ${times(4, 200)} times`, { timeout: 600_000 }, async () => {
    for (let kill = 0; kill < times(4, 200); kill++) {
      const before = (await newest()).run;
      const row = await killAtRandom(start("run", "twenty.ts", ...(kill % 2 === 0 ? [] : ISOLATED)), before);
      if (row === undefined) continue; // It had not begun.
      expect(["lost", "succeeded"]).toContain(row.status);
      await expectWhole(row);
    }
  });
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
