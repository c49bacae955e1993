/** A resume is killed at the worst instant, by the process itself: what it leaves is whole, and is resumed. */
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText, tasksOf } from "../scenarios/observe.ts";

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

/** Ends its own process at once after the first commit that leaves a fork in the records. */
const KILLS = `
import { createRequire } from "node:module";
const Database = createRequire(${JSON.stringify(new URL("../../packages/core/package.json", import.meta.url).href)})("better-sqlite3");
const { transaction } = Database.prototype;
Database.prototype.transaction = function (work) {
  const made = transaction.call(this, work);
  const immediate = (...words) => {
    const answer = made.immediate(...words);
    if (this.prepare("SELECT 1 FROM run WHERE origin IS NOT NULL").get() !== undefined) process.kill(process.pid, "SIGKILL");
    return answer;
  };
  return { immediate, deferred: made.deferred };
};`;

const project = new Project({ "fan.ts": flow('throw new Error("not yet");'), "kills.mjs": KILLS });
afterAll(() => project[Symbol.asyncDispose]());

test("a fork that is killed right after it was written has all that it was to begin with", async () => {
  expect((await project.flow(["run", "fan.ts"])).code).toBe(1);
  project.write({ "fan.ts": flow("") });
  const killed = await project.flow(["resume"], { node: ["--import", project.file("kills.mjs")] });
  expect([killed.signal, killed.stderr]).toEqual(["SIGKILL", ""]);
  const [lost] = (await project.flow(["runs", "--json"])).lines;
  expect(lost).toMatchObject({ run: "Fan/2", status: "lost" });
  expect((await tasksOf(project, lost.id)).length).toBe(4);

  const resumed = await project.flow(["resume"]);
  expect([resumed.code, resumed.stdout]).toEqual([0, expect.stringContaining("Fan/2 succeeded")]);
  expect(resumed.stderr).not.toContain("ran ");
  expect((await project.flow(["validate", "Fan/2"])).code).toBe(0);
});
