/** Wrong words on the command line: exit code 2, a code, and no store made. */
import { existsSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "./observe.ts";

const project = new Project({
  "plain.ts": flowText("Plain", `readonly n = param(z.number().default(1)); @step() start() {}`),
  "clash.ts": flowText(
    "Clash",
    `readonly quick = param(z.boolean().default(false), { short: "q" }); @step() start() {}`,
  ),
  "list.json": "[1, 2]",
});
afterAll(() => project[Symbol.asyncDispose]());

test.each([
  ["FLOW_CLI_MISSING_VALUE", ["run", "plain.ts", "--n"]],
  ["FLOW_CLI_REPEATED_FLAG", ["run", "plain.ts", "--n", "1", "--n", "2"]],
  ["FLOW_CLI_MISSING_ARGUMENT", ["show"]],
  ["FLOW_CLI_UNEXPECTED_ARGUMENT", ["run", "plain.ts", "plain.ts"]],
  ["FLOW_DEFINITION_RESERVED_NAME", ["run", "clash.ts"]],
  ["FLOW_RUNNER_BAD_PARAMS_FILE", ["run", "plain.ts", "--params", "list.json"]],
  ["FLOW_RUNNER_BAD_PARAMS_FILE", ["run", "plain.ts", "--params", "missing.json"]],
] as const)("%s: flow %j", async (code, words) => {
  const called = await project.flow([...words, "--json"]);
  expect([called.code, called.stderr]).toEqual([2, ""]);
  expect(called.lines).toMatchObject([{ error: { code, message: expect.any(String) } }]);
});

test("none of them has made a run", async () => {
  if (existsSync(project.store)) expect((await project.flow(["runs", "--json"])).lines).toEqual([]);
});
