/** SIGINT and SIGTERM at any moment: the exit code names the signal, the run is cancelled, and nobody is left behind. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { seeded } from "../kit/seed.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";
import { flowText } from "../scenarios/observe.ts";
import { inStore, look, type Seen } from "./kit/look.ts";
import { TWENTY, times } from "./twenty.ts";

const project = new Project({
  "twenty.ts": TWENTY,
  "deaf.ts": flowText(
    "Deaf",
    `
    @step({ next: "end" }) async start() {
      console.log("deaf from here on");
      for (;;) await wait(1_000);
    }
    @step() end() {}`,
  ),
});
const { random } = seeded("signals");
const CODES = { SIGINT: 130, SIGTERM: 143 } as const;
let durationMs: number;
let undisturbed: Seen;

afterAll(() => project[Symbol.asyncDispose]());
beforeAll(async () => {
  const run = start("twenty.ts");
  ({ durationMs } = await run.ended);
  undisturbed = await look(project.store);
  expect(undisturbed.status).toBe("succeeded");
}, 120_000);

const start = (...words: readonly string[]): SpawnedFlow =>
  new SpawnedFlow(["run", ...words, "--json"], { cwd: project.folder });

const newest = () => inStore(project.store, async ({ metadata }) => (await metadata.runs({ limit: 1 }))[0]!);

test.each(["SIGINT", "SIGTERM"] as const)(
  `%s ends a run at ${times(3, 50)} random instants`,
  { timeout: 3_600_000 },
  async (signal) => {
    const tally = { cancelled: 0, succeeded: 0, notBegun: 0 };
    for (let round = 0; round < times(3, 50); round++) {
      const before = (await newest()).id;
      const run = start("twenty.ts", ...(round % 2 === 0 ? [] : ["--with", "isolate=process"]));
      await run.after(random() * durationMs);
      run.signal(signal);
      const ended = await run.ended;
      expect(await run.leftAfter(2_000)).toEqual([]);
      const seen = await look(project.store);
      const isNew = seen.id !== before;
      if (ended.code === 0) expect([isNew, seen.status]).toEqual([true, "succeeded"]);
      // Node itself had not come up yet: then nothing was begun. Or all was done, and the process was on its way out.
      else if (ended.signal === signal) expect(isNew ? seen.status : "succeeded").toBe("succeeded");
      else expect([ended.code, isNew ? seen.status : "cancelled"]).toEqual([CODES[signal], "cancelled"]);
      tally[isNew ? (seen.status as "cancelled" | "succeeded") : "notBegun"]++;
      if (!isNew || seen.status !== "cancelled") continue;
      expect((await project.flow(["resume", seen.run!])).code).toBe(0);
      expect(await look(project.store)).toMatchObject({ run: seen.run, digests: undisturbed.digests });
    }
    console.log(`${signal}: ${JSON.stringify(tally)}`);
  },
);

test.each([
  ["SIGINT", []],
  ["SIGTERM", []],
  ["SIGINT", ["--with", "isolate=process"]],
] as const)("a second %s ends what does not listen at once %j", async (signal, words) => {
  const run = start("deaf.ts", ...words);
  await run.heard((text) => text.includes("deaf from here on"));
  run.signal(signal);
  const first = performance.now();
  while (performance.now() - first < 50) await run.after(10); // Two signals that come together are one.
  expect(run.isOver).toBe(false);
  run.signal(signal);
  const second = performance.now();
  expect((await run.ended).code).toBe(CODES[signal]);
  // What does not listen would never end; the rest is room for a machine with much else to do.
  expect(performance.now() - second).toBeLessThan(20_000);
  expect(await run.leftAfter(2_000)).toEqual([]);
  expect((await newest()).status).toBe("cancelled");
});
