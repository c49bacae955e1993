/**
 * Garbage collection beside runs that write the very values that it deletes, and killed at any instant: what is kept is
 * whole, every row names what is there, and the next collection goes on.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { openReader } from "../../packages/core/src/metadata/sqlite/connection.ts";
import { Project } from "../kit/project.ts";
import { seeded } from "../kit/seed.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";
import { TWENTY, times } from "./twenty.ts";

const project = new Project({ "twenty.ts": TWENTY });
const { random } = seeded("gc");
/** Everything that has ended goes, but for what is tagged, and at once: nothing is spared by its age. */
const ALL = ["store", "gc", "--older-than", "0s", "--grace", "0s", "--json"];
let gcMs = 0;
let kept: unknown;

afterAll(() => project[Symbol.asyncDispose]());
beforeAll(async () => {
  for (const tag of ["keep", "drop"]) expect((await start("run", "twenty.ts", "--tag", tag).ended).code).toBe(0);
  kept = await digestsOf("Twenty/1");
  await project.flow(["tag", "remove", "Twenty/2", "drop"]);
  const gc = await start(...ALL).ended;
  expect([gc.code, JSON.parse(gc.stdout).runs.count]).toEqual([0, 1]);
  gcMs = gc.durationMs;
}, 120_000);

function start(...words: readonly string[]): SpawnedFlow {
  return new SpawnedFlow([...words], { cwd: project.folder });
}

async function digestsOf(run: string): Promise<unknown> {
  const { lines, stderr } = await project.flow(["dump", run, "--json"]);
  expect(stderr).toBe("");
  return Object.fromEntries(lines.map((line) => [line.name, line.digest]));
}

/** All runs that are there are whole to the last value of the last task, and no row names anything that is not. */
async function expectWhole(): Promise<void> {
  const { metadata } = await project.stores();
  for (const run of await metadata.runs({ limit: 1_000 })) {
    const name = `${run.flow.name}/${run.number}`;
    const { stderr, lines } = await project.flow(["validate", name, "--json"]);
    const failed = lines[0].checks.filter(
      ({ status, id }: any) => status === "fail" && (id !== "V00" || run.status === "succeeded"),
    );
    expect([name, stderr, failed]).toEqual([name, "", []]);
    if (run.status === "succeeded") expect(await digestsOf(name)).toEqual(kept);
  }
  const db = openReader(`${project.store}/millrace.db`);
  expect([db.pragma("foreign_key_check"), db.pragma("integrity_check", { simple: true })]).toEqual([[], "ok"]);
  db.close();
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
    const [newest] = (await project.flow(["runs", "--limit", "1", "--json"])).lines;
    if (newest.status !== "lost") continue;
    const resume = start("resume", newest.run);
    const gc = start(...ALL);
    const { code, stderr } = await resume.ended;
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    await gc.ended;
    await expectWhole();
  }
});
