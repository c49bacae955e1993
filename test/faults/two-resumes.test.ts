/** The same run is resumed by three at nearly one instant: one of them goes on, the others are told who it is, nothing is done twice. */
import { afterAll, afterEach, expect, test } from "vitest";
import { HeldSteps } from "../kit/held-step.ts";
import { Project } from "../kit/project.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";
import { flowText } from "../scenarios/observe.ts";
import { expectWhole, inStore, look } from "./kit/look.ts";
import { HANG_MS } from "./kit/victim.ts";
import { times } from "./twenty.ts";

/** start ─▶ works ─▶ waits ─▶ end; it is held behind its work, which may fail. */
const late = (work: string): string =>
  flowText(
    "Late",
    `
    found!: string;
    @step({ next: "works" }) start() {}
    @step({ next: "waits" }) works() { ${work} this.found = "found"; }
    @step({ next: "end" }) async waits() { await hold(this.signal); }
    @step() end() {}`,
    `import { hold } from "./held-step.ts";`,
  );

const project = new Project({ "late.ts": late("") });
const held = new HeldSteps(project);
const HELD = ["waits", "waits#2"];
const AT_ONCE = 3;
const started: SpawnedFlow[] = [];
afterAll(() => project[Symbol.asyncDispose]());
// What is held would be there for ever after a test that failed.
afterEach(() => {
  for (const flow of started.splice(0)) flow.killGroup();
});

function start(...words: readonly string[]): SpawnedFlow {
  const flow = new SpawnedFlow(words, { cwd: project.folder });
  started.push(flow);
  return flow;
}
const runs = () => inStore(project.store, ({ metadata }) => metadata.runs({ limit: 1_000 }));

/** A run whose process was killed. Gives its name. */
async function lostRun(): Promise<string> {
  project.write({ "late.ts": late("") });
  const run = start("run", "late.ts");
  await held.reached("waits");
  run.killGroup();
  await run.ended;
  held.reset();
  return (await look(project.store)).run!;
}

/** A run that has failed, of a flow that was mended since: to resume it is to make a fork. */
async function failedRun(): Promise<string> {
  project.write({ "late.ts": late(`throw new Error("not yet");`) });
  expect((await start("run", "late.ts").ended).code).toBe(1);
  project.write({ "late.ts": late("") });
  return (await look(project.store)).run!;
}

const CASES = [
  ["a run that was lost", lostRun, true],
  ["a fork of a run that has failed", failedRun, true],
  ["a fork of the newest run, which nobody names", failedRun, false],
] as const;
// Of forks two at once are tried by the scenarios as well.
test.each(CASES.slice(0, times(1, CASES.length)))(
  `%s, ${times(1, 20)} times`,
  { timeout: 3_600_000 },
  async (_, make, isNamed) => {
    for (let round = 0; round < times(1, 20); round++) {
      const name = await make();
      const before = (await runs()).length;
      const all = Array.from({ length: AT_ONCE }, () => start("resume", ...(isNamed ? [name] : [])));
      const winner = await onlyOneLeft(all);
      for (const refused of all) {
        if (refused === winner) continue;
        const { code, stderr } = await refused.ended;
        expect([code, stderr]).toEqual([1, expect.stringMatching(/FLOW_METADATA_RUN_ALIVE|FLOW_RESUME_RUNNING/)]);
        expect(stderr).toContain(`process ${winner.pid}`);
      }
      // A kill may have come before the first attempt was recorded.
      await Promise.race(HELD.map((task) => held.reached(task)));
      held.release(...HELD);
      const { code, stderr } = await winner.ended;
      expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
      const seen = await look(project.store);
      expect([seen.status, (await runs()).length - before]).toEqual(["succeeded", make === failedRun ? 1 : 0]);
      await expectWhole(project.store, seen);
      for (const each of all) expect(await each.leftAfter(2_000)).toEqual([]);
      held.reset();
    }
  },
);

/** Waits until all but one have ended, in whatever order they come to it; some begin a little later than others. */
async function onlyOneLeft(all: readonly SpawnedFlow[]): Promise<SpawnedFlow> {
  const end = performance.now() + HANG_MS;
  while (all.filter(({ isOver }) => !isOver).length > 1 && performance.now() < end) {
    const rest = all.filter(({ isOver }) => !isOver);
    await Promise.race(rest.map((run) => run.after(HANG_MS)));
  }
  const left = all.filter(({ isOver }) => !isOver);
  expect(left).toHaveLength(1);
  return left[0]!;
}
