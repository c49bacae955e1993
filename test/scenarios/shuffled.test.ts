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

/** In which order the branches began. */
async function begun(seed: string | undefined): Promise<string> {
  const { lines, stderr } = await project.flow(["run", "wide.ts", "--max-workers", "1", "--json"], {
    env: seed === undefined ? {} : { MILLRACE_SHUFFLE: seed },
  });
  expect(stderr).toBe("");
  return lines
    .filter((line) => line.kind === "task.started" && NAMES.includes(line.step))
    .map((line) => line.step)
    .join("");
}

test("a seed decides in which order branches begin; their join has them in declared order", {
  timeout: 180_000,
}, async () => {
  const declared = NAMES.join("");
  expect(await begun("")).toBe(declared);
  const shuffled = await begun("3");
  expect(await begun("3")).toBe(shuffled);
  expect([...shuffled].toSorted().join("")).toBe(declared);
  expect(new Set([declared, shuffled, await begun("4")]).size).toBe(3);
  expect((await project.flow(["dump", "Wide.order", "--json"])).lines[0].value).toEqual(NAMES);
});
