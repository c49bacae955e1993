/** A resume is killed at the worst instant, by the process itself: what it leaves is whole, and is resumed. */
import fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { seeded } from "../kit/seed.ts";
import { flowText } from "../scenarios/observe.ts";
import { expectWhole, look, type Seen } from "./kit/look.ts";
import { times } from "./twenty.ts";

const flow = (work: string): string =>
  flowText(
    "Fan",
    `
  items!: number[]; square!: number; sum!: number;
  @step({ next: "work", foreach: "items" }) start() { console.log("ran start"); this.items = [1, 2, 3]; }
  @step({ next: "gather" }) work(item: number) { console.log("ran work", item); this.square = item ** 2; }
  @join({ next: "end" }) gather(inputs: Inputs<Fan>) { ${work} this.sum = inputs.reduce((sum, input) => sum + input.square, 0); }
  @step() end() {}`,
  );

/** Ends its own process at once after so many commits that leave a fork in the records. */
const KILLS = `
import { createRequire } from "node:module";
const require = createRequire(${JSON.stringify(new URL("../../packages/core/package.json", import.meta.url).href)});
require("better-sqlite3/package.json").version += "-other"; // So that the package is loaded, and not its copy in the bundle.
const Database = require("better-sqlite3");
const { transaction } = Database.prototype;
let left = Number(process.env.KILL_AFTER);
Database.prototype.transaction = function (work) {
  const made = transaction.call(this, work);
  const immediate = (...words) => {
    const answer = made.immediate(...words);
    const isFork = this.prepare("SELECT 1 FROM run WHERE origin IS NOT NULL").get() !== undefined;
    if (isFork && --left === 0) process.kill(process.pid, "SIGKILL");
    return answer;
  };
  return { immediate, deferred: made.deferred };
};`;

const project = new Project({ "fan.ts": flow('throw new Error("not yet");'), "kills.mjs": KILLS });
const before = project.file("before");
const { random } = seeded("killed-resume");
let undisturbed: Seen;
afterAll(() => project[Symbol.asyncDispose]());

/** The store with a failed run, whose flow was mended since. */
function restore(): void {
  fs.rmSync(project.store, { recursive: true });
  fs.cpSync(before, project.store, { recursive: true });
}

const resumeUntil = (commit: number) =>
  project.flow(["resume"], {
    node: ["--import", project.file("kills.mjs")],
    env: { KILL_AFTER: String(commit), MILLRACE_STORE: project.store },
  });

beforeAll(async () => {
  expect((await project.flow(["run", "fan.ts"])).code).toBe(1);
  project.write({ "fan.ts": flow("") });
  fs.cpSync(project.store, before, { recursive: true });
  expect((await project.flow(["resume"])).code).toBe(0);
  undisturbed = await look(project.store);
  expect([undisturbed.run, undisturbed.status, undisturbed.rows.length]).toEqual(["Fan/2", "succeeded", 6]);
}, 300_000);

test("a fork that is killed right after it was written has all that it was to begin with", async () => {
  restore();
  const killed = await resumeUntil(1);
  expect([killed.signal, killed.stderr]).toEqual(["SIGKILL", ""]);
  const lost = await look(project.store);
  expect([lost.run, lost.status, lost.rows.length]).toEqual(["Fan/2", "lost", 4]);

  const resumed = await project.flow(["resume"]);
  expect([resumed.code, resumed.stdout]).toEqual([0, expect.stringContaining("Fan/2 succeeded")]);
  expect(resumed.stderr).not.toContain("ran ");
  expect((await project.flow(["validate", "Fan/2"])).code).toBe(0);
});

test(`a fork that is killed after any of its commits goes on, ${times(1, 10)} times each`, {
  timeout: 3_600_000,
}, async () => {
  const tally = { tried: 0, lost: 0, succeeded: 0 };
  for (let round = 0; round < times(1, 10); round++) {
    // The fork, some tasks, the last task, the end: how many there are is a matter of what is quicker.
    for (
      let commit = times(2 + Math.floor(random() * 3), 1);
      tally.tried < times(1, Number.POSITIVE_INFINITY);
      commit++
    ) {
      restore();
      const killed = await resumeUntil(commit);
      if (killed.signal === null) {
        expect([killed.code, commit > 2]).toEqual([0, true]);
        break;
      }
      tally.tried++;
      const seen = await look(project.store);
      expect(seen.run).toBe("Fan/2");
      await expectWhole(project.store, seen);
      expect(undisturbed.digests).toMatchObject(seen.digests);
      expect(["lost", "succeeded"]).toContain(seen.status);
      tally[seen.status as "lost" | "succeeded"]++;
      if (seen.status === "lost") expect((await project.flow(["resume"])).code).toBe(0);
      const last = await look(project.store);
      expect(last).toMatchObject({ run: "Fan/2", status: "succeeded", digests: undisturbed.digests });
      await expectWhole(project.store, last);
      const kept = new Map(last.rows.map((row) => [row.sequence, row]));
      for (const row of seen.rows) if (row.status === "succeeded") expect(kept.get(row.sequence)).toEqual(row);
    }
  }
  console.log(`killed forks: ${JSON.stringify(tally)}`);
});
