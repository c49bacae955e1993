/** A thread is told of a run once, and serves two runs in turn: a run inside a step shares its workers with the one around it. */
import { afterAll, expect, test } from "vitest";
import type { TaskResult } from "../../packages/core/src/runner/protocol.ts";
import { Project } from "../kit/project.ts";
import { Workers } from "../kit/workers.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  "steps.ts": flowText(
    "Steps",
    `@step({ next: "end" }) start() { console.log(current.run.name, "first secret", "other secret"); }
     @step() end() {}`,
    `import { current } from "@millrace/core";`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

test("each batch belongs to its own run, and hides the secrets of that one", async () => {
  await using workers = await Workers.open(project, "steps.ts");
  const { run } = workers.batch("start");
  const first = { ...run, name: "Test/1", secrets: { own: "first secret" } };
  const other = {
    ...run,
    id: `${run.id.slice(0, -1)}0` as typeof run.id,
    name: "Test/2",
    secrets: { own: "other secret" },
  };
  const said: string[] = [];
  for (const each of [first, first, other, first, other, other]) {
    const [result] = await workers.executor.submit({ ...workers.batch("start"), run: each }).results;
    while (liveOf(workers, result!) < result!.liveChunks) await new Promise((resolve) => setTimeout(resolve, 1));
    said.push(workers.written("stdout", result!).trim());
    workers.messages.length = 0;
  }
  const ofFirst = "Test/1 *** other secret";
  const ofOther = "Test/2 first secret ***";
  expect(said).toEqual([ofFirst, ofFirst, ofOther, ofFirst, ofOther, ofOther]);
});

/** Output that was sent before its result may come after it, by another port. */
function liveOf(workers: Workers, { sequence }: TaskResult): number {
  return workers.messages.filter((message) => message.kind === "output" && message.chunk.task === sequence).length;
}
