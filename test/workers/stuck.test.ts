/** Code in a thread that nobody can stop: the run goes on without it and the command still ends. */
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  // Its compiled form never looks whether it should stop; see END_WAIT_MS in thread-executor.ts.
  "stuck.ts": flowText("Stuck", `@step({ timeout: "1s" }) start() { for (;;) new Array(1000).fill(1); }`),
});
afterAll(() => project[Symbol.asyncDispose]());

test("a loop that cannot be interrupted is told, and the command ends with its code", async () => {
  const { code, lines } = await project.flow(["run", "stuck.ts", "--json"]);
  expect(lines.find((event) => event.kind === "run.warning")).toMatchObject({ code: "FLOW_RUNNER_STUCK" });
  expect(lines.find((event) => event.kind === "run.finished")).toMatchObject({ status: "failed" });
  expect(code).toBe(1);
  expect((await project.flow(["runs", "--json"])).lines[0]).toMatchObject({ status: "failed" });
});
