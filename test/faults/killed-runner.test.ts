/**
 * The runner is killed at any moment, or something that it has started is: nothing that was recorded is lost or twice
 * there, everybody sees that the run is lost, nobody is left behind, and a resumed run ends as one that nobody disturbed.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { seeded } from "../kit/seed.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";
import { expectWhole, look, type Seen } from "./kit/look.ts";
import { HANG_MS } from "./kit/victim.ts";
import { TWENTY, times } from "./twenty.ts";

const project = new Project({ "twenty.ts": TWENTY });
const { random } = seeded("killed-runner");
const ISOLATED = ["--with", "isolate=process", "--max-workers", "2"];
let undisturbed: Seen & { readonly durationMs: number };

afterAll(() => project[Symbol.asyncDispose]());
beforeAll(async () => {
  const run = start("run", "twenty.ts");
  const { code, stderr, durationMs } = await run.ended;
  expect([code, stderr]).toEqual([0, ""]);
  undisturbed = { ...(await look(project.store)), durationMs };
  expect(Object.keys(undisturbed.digests).length).toBeGreaterThan(60);
}, 120_000);

const start = (...words: readonly string[]): SpawnedFlow =>
  new SpawnedFlow([...words, "--json"], { cwd: project.folder });

/** A process that is just coming up cannot notice sooner that it is alone: on a machine with much to do that takes long. */
const goneMs = (): number => Math.max(2_000, undisturbed.durationMs);

/** How a command ended; one that does not come to an end has failed the test. */
async function endOf(run: SpawnedFlow): SpawnedFlow["ended"] {
  await run.after(undisturbed.durationMs + HANG_MS);
  const hung = !run.isOver;
  run.killGroup();
  expect(hung, `it hung for ${HANG_MS} ms`).toBe(false);
  return await run.ended;
}

/** Kills the group of a run at a random instant and gives the run, if there was one already. */
async function killAtRandom(run: SpawnedFlow, before: string | undefined): Promise<Seen | undefined> {
  await run.after(random() * undisturbed.durationMs);
  run.killGroup();
  await run.ended;
  expect(await run.leftAfter(goneMs())).toEqual([]);
  const seen = await look(project.store);
  return seen.run === before ? undefined : seen;
}

/** Every attempt that is recorded is whole and has the values of the undisturbed run, and no task has succeeded twice. */
async function expectPart(seen: Seen): Promise<void> {
  await expectWhole(project.store, seen);
  expect(undisturbed.digests).toMatchObject(seen.digests);
}

/** Resumes a run that is lost, and expects that it ends as one that nobody disturbed, with the finished tasks kept. */
async function expectResumed(lost: Seen): Promise<Seen> {
  const resume = start("resume", lost.run!);
  const { code, stderr } = await endOf(resume);
  expect([stderr, code]).toEqual(["", 0]);
  expect(await resume.leftAfter(goneMs())).toEqual([]);
  const seen = await look(project.store);
  expect(seen).toMatchObject({ run: lost.run, id: lost.id, status: "succeeded", digests: undisturbed.digests });
  await expectPart(seen);
  const kept = new Map(seen.rows.map((row) => [row.sequence, row]));
  for (const row of lost.rows) if (row.status === "succeeded") expect(kept.get(row.sequence)).toEqual(row);
  return seen;
}

describe("a runner that is killed", () => {
  test(`leaves a lost run, which is resumed, ${times(4, 200)} times`, { timeout: 7_200_000 }, async () => {
    let before = (await look(project.store)).run;
    const tally = { lost: 0, succeeded: 0, notBegun: 0 };
    for (let kill = 0; kill < times(4, 200); kill++) {
      const seen = await killAtRandom(start("run", "twenty.ts", ...(kill % 2 === 0 ? [] : ISOLATED)), before);
      if (seen === undefined) {
        tally.notBegun++;
        continue;
      }
      before = seen.run;
      expect(["lost", "succeeded"]).toContain(seen.status);
      tally[seen.status as "lost" | "succeeded"]++;
      await expectPart(seen);
      if (seen.status === "lost") await expectResumed(seen);
      else expect(seen.digests).toEqual(undisturbed.digests);
    }
    console.log(`killed runners: ${JSON.stringify(tally)}`);
  });

  test(`may be killed three times in a row, ${times(1, 50)} times`, { timeout: 7_200_000 }, async () => {
    for (let round = 0; round < times(1, 50); round++) {
      const run = start("run", "twenty.ts");
      await run.heard((text) => text.includes("task.started"));
      run.killGroup();
      await run.ended;
      let seen = await look(project.store);
      const { run: name } = seen;
      for (let kill = 1; kill < 3; kill++) {
        seen = (await killAtRandom(start("resume", name!), undefined))!;
        expect(seen.run).toBe(name);
        await expectPart(seen);
      }
      if (seen.status === "lost") await expectResumed(seen);
      else expect([seen.status, seen.digests]).toEqual(["succeeded", undisturbed.digests]);
    }
  });
});

describe.skipIf(process.platform !== "linux")("one process that is killed", () => {
  test(`fails its task by name or costs an attempt, ${times(3, 100)} times`, { timeout: 7_200_000 }, async () => {
    const tally = { succeeded: 0, failed: 0 };
    for (let kill = 0; kill < times(3, 100); kill++) {
      const retries = kill % 2;
      const run = start("run", "twenty.ts", ...ISOLATED, "--with", `retry:times=${retries},delay=1ms`);
      await run.heard((text) => text.includes('"step":"work"'));
      await run.after((random() * undisturbed.durationMs) / 2);
      const [victim] = run.descendants().toSorted(() => random() - 0.5);
      if (victim !== undefined) process.kill(victim, "SIGKILL");
      const { code } = await endOf(run);
      expect(await run.leftAfter(goneMs())).toEqual([]);
      const seen = await look(project.store);
      await expectPart(seen);
      if (code === 0) {
        tally.succeeded++;
        expect([seen.status, seen.digests]).toEqual(["succeeded", undisturbed.digests]);
      } else {
        tally.failed++;
        const { error } = JSON.parse((await project.flow(["show", seen.run!, "--json"])).stdout).failure;
        expect([code, retries, error.code]).toEqual([1, 0, "FLOW_RUNNER_WORKER_CRASHED"]);
        expect(error.message).toContain("SIGKILL");
      }
    }
    console.log(`killed processes: ${JSON.stringify(tally)}`);
  });
});
