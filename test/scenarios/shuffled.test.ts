/** `MILLRACE_SHUFFLE`: independent tasks begin in an order that a seed decides, and that shows what relies on another. */
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "./observe.ts";

const NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"];
const project = new Project({
  "wide.ts": flowText(
    "Wide",
    `
    order!: string[];
    @step({ next: ${JSON.stringify(NAMES)} }) start() {}
    ${NAMES.map((name) => `@step({ next: "meet" }) ${name}() { this.order = ["${name}"]; }`).join("\n    ")}
    @join() meet(inputs: Inputs<Wide>) { this.order = inputs.flatMap((input) => input.order); }`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

/** In which order the branches began, and in which order their join had them. */
async function orders(seed: string | undefined): Promise<{ readonly begun: string; readonly joined: unknown }> {
  const { lines, stderr } = await project.flow(["run", "wide.ts", "--max-workers", "1", "--json"], {
    env: seed === undefined ? {} : { MILLRACE_SHUFFLE: seed },
  });
  expect(stderr).toBe("");
  const begun = lines.filter((line) => line.kind === "task.started" && NAMES.includes(line.step));
  const { run } = lines.find((line) => line.kind === "run.created");
  const dumped = await project.flow(["dump", `${run}.order`, "--json"]);
  return { begun: begun.map((line) => line.step).join(""), joined: dumped.lines[0].value };
}

test("a seed decides in which order branches begin; their join has them in declared order", async () => {
  const declared = { begun: NAMES.join(""), joined: NAMES };
  expect(await orders(undefined)).toEqual(declared);
  expect(await orders("")).toEqual(declared);
  const shuffled = await orders("3");
  expect(await orders("3")).toEqual(shuffled);
  expect([...shuffled.begun].toSorted().join("")).toBe(declared.begun);
  expect(shuffled.joined).toEqual(NAMES);
  const others = [shuffled.begun, (await orders("4")).begun, (await orders("5")).begun, declared.begun];
  expect(new Set(others).size).toBe(4);
});
