/**
 * Garbage collection beside runs that write the very values that it deletes, and killed at any instant: what is kept is
 * whole, every row names what is there, and the next collection goes on.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { seeded } from "../kit/seed.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";
import { expectRunWhole, expectUndamaged, inStore, look, type Seen } from "./kit/look.ts";
import { TWENTY, times } from "./twenty.ts";

const project = new Project({ "twenty.ts": TWENTY });
const { random } = seeded("gc");
/** Everything that has ended goes, but for what is tagged, and at once: nothing is spared by its age. */
const ALL = ["store", "gc", "--older-than", "0s", "--grace", "0s", "--json"];
let gcMs = 0;
let kept: Seen;

afterAll(() => project[Symbol.asyncDispose]());
beforeAll(async () => {
  for (const tag of ["keep", "drop"]) expect((await start("run", "twenty.ts", "--tag", tag).ended).code).toBe(0);
  kept = await look(project.store, { flow: "Twenty", number: 1 });
  await project.flow(["tag", "remove", "Twenty/2", "drop"]);
  const gc = await start(...ALL).ended;
  expect([gc.code, JSON.parse(gc.stdout).runs.count]).toEqual([0, 1]);
  gcMs = gc.durationMs;
}, 120_000);

function start(...words: readonly string[]): SpawnedFlow {
  return new SpawnedFlow([...words], { cwd: project.folder });
}

/** All runs that are there are whole to the last value of the last task, and no row names anything that is not. */
async function expectWhole(): Promise<void> {
  const runs = await inStore(project.store, ({ metadata }) => metadata.runs({ limit: 1_000 }));
  for (const { flow, number, status } of runs) {
    const seen = await look(project.store, { flow: flow.name, number });
    await expectRunWhole(project.store, seen);
    if (status === "succeeded") expect(seen.digests).toEqual(kept.digests);
  }
  await expectUndamaged(project.store);
}

test(`killed while a run writes what it deletes, ${times(6, 50)} times`, { timeout: 3_600_000 }, async () => {
  for (let kill = 0; kill < times(6, 50); kill++) {
    const run = start("run", "twenty.ts");
    await run.after(random() * 600);
    const gc = start(...ALL);
    await gc.after(random() * gcMs);
    gc.killGroup();
    await gc.ended;
    const { code, stderr, stdout } = await run.ended;
    expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
    await expectWhole();
    const again = await start(...ALL).ended;
    expect([again.code, again.stderr]).toEqual([0, ""]);
    await expectWhole();
  }
});

test(`four runs beside collections that follow one another, ${times(1, 10)} times`, {
  timeout: 3_600_000,
}, async () => {
  for (let round = 0; round < times(1, 10); round++) {
    const runs = Array.from({ length: 4 }, () => start("run", "twenty.ts"));
    let collections = 0;
    while (runs.some((run) => !run.isOver)) {
      const gc = await start(...ALL).ended;
      expect([gc.code, gc.stderr]).toEqual([0, ""]);
      collections++;
    }
    expect(collections).toBeGreaterThan(0);
    for (const run of runs) {
      const { code, stdout, stderr } = await run.ended;
      expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
    }
    await expectWhole();
  }
});

test("a run that is killed and resumed beside collections ends as one that nobody disturbed", {
  timeout: 600_000,
}, async () => {
  for (let kill = 0; kill < times(1, 20); kill++) {
    const run = start("run", "twenty.ts", "--json");
    await run.heard((text) => text.includes("task.started"));
    await run.after(random() * 300);
    run.killGroup();
    await run.ended;
    expect((await start(...ALL).ended).code).toBe(0);
    const newest = await look(project.store);
    if (newest.status !== "lost") continue;
    const resume = start("resume", newest.run!);
    const gc = start(...ALL);
    const { code, stderr } = await resume.ended;
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    await gc.ended;
    await expectWhole();
  }
});
