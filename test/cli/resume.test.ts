/** What `flow resume` refuses, with the words that say what to type instead; and what it says of what it keeps. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  "fan.ts": flowText(
    "Fan",
    `items!: number[];
    @step({ next: "work", foreach: "items" }) start() { this.items = [0, 1, 2]; }
    @step({ next: "end" }) work(item: number) { if (item === 1 && !existsSync(new URL("mended.done", import.meta.url))) throw new Error("not yet"); }
    @join() end(_: Inputs<Fan>) {}`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());
beforeAll(async () => {
  expect((await project.here(["run", "fan.ts", "--finish-siblings", "--max-workers", "1"])).code).toBe(1);
});

describe("a run is resumed, and nothing else", () => {
  test.each([
    [
      "Fan/1/work",
      "Go on with flow resume Fan/1, or run the step and all after it again with flow resume Fan/1 --from work",
    ],
    ["Fan/1/work/1", "--from work"],
    ["Fan/1.items", "Go on with flow resume Fan/1\n"],
  ])("%s is refused", async (word, hint) => {
    const refused = await project.flow(["resume", word]);
    expect([refused.code, refused.stdout]).toEqual([2, ""]);
    expect(refused.stderr).toContain("FLOW_RESUME_NOT_A_RUN");
    expect(refused.stderr).toContain(hint);
  });
});

test("--same-code and --changed exclude each other", async () => {
  const refused = await project.flow(["resume", "--same-code", "--changed"]);
  expect([refused.code, refused.stdout]).toEqual([2, ""]);
  expect(refused.stderr).toContain("FLOW_RESUME_CONTRADICTION");
  expect(refused.stderr).toContain("Leave out one of --same-code and --changed");
});

test("what is kept in part is said to be, and the end says how long this execution took", async () => {
  project.write({ "mended.done": "" });
  const resumed = await project.flow(["resume", "--max-depth", "3", "--no-cache"]);
  expect(resumed.code).toBe(0);
  expect(resumed.stderr).toContain("keeps      start, work (2 of 3)\n");
  expect(resumed.stdout).toMatch(/^✓ Fan\/1 succeeded after \S+ m?s \(\S+ m?s since it was begun\): /);
  const { metadata } = await project.stores();
  const [run] = await metadata.runs({ flow: { name: "Fan" } });
  const [first, second] = await metadata.executions(run!.sequence);
  expect([first!.options, second!.options]).toEqual([
    { finishSiblings: true, maxWorkers: 1 },
    { finishSiblings: true, maxWorkers: 1, maxDepth: 3, cache: "off" },
  ]);
});
