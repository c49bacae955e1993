/**
 * Built flows with another manifest, other definitions or another source map, and a digest that fits: each is refused with a
 * code, or loads, and then an error of its steps is told whatever the map says.
 */
import { execFile } from "node:child_process";
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { times } from "../faults/twenty.ts";
import { Project } from "../kit/project.ts";
import { seeded } from "../kit/seed.ts";

const PROGRAM = fileURLToPath(new URL("./built-flow-program.ts", import.meta.url));
/** Each loads a module of its own, which a process keeps: so many go into one. */
const PER_PROCESS = 250;

const FLOW = `import { choose, Flow, type Inputs, join, param, step, upstream, z } from "@millrace/core";
import { readFileSync } from "node:fs";
export default class Train extends Flow {
  /** How many. */
  readonly count = param(z.coerce.number().int().min(1).default(4), { short: "n" });
  readonly model = upstream("shop/Other", { tags: ["prod:v1"], optional: true });
  items!: number[]; kind!: "even" | "odd"; sum!: number;
  @step({ next: "decide" }) start() { this.items = [1, 2, 3]; this.kind = "odd"; }
  @choose({ on: "kind", next: { even: "work", odd: "skip" } }) decide() {}
  @step({ next: "each", foreach: "items" }) work() {}
  @step({ next: "gather", retry: 2, timeout: "1m" }) each(item: number) { this.sum = item ** 2; }
  @join({ next: "end" }) gather(inputs: Inputs<Train>) { this.sum = inputs.length; }
  @step({ next: "end" }) skip() {}
  @step() end() { readFileSync("nothing"); }
  fails(): void { throw new Error("as always"); }
}
`;

test("a built flow may hold anything: it is refused with a code, or is used", { timeout: 3_600_000 }, async () => {
  const { seed } = seeded("hostile built flows");
  const count = times(100, 1_000);
  await using project = new Project({ "train.ts": FLOW });
  expect((await project.flow(["build", "train.ts", "-o", "train.flow"])).code).toBe(0);
  const files = fs.readdirSync(project.folder).concat("cache").toSorted();
  for (let from = 0; from < count; from += PER_PROCESS) {
    const range = [String(from), String(Math.min(count, from + PER_PROCESS))];
    const words = ["--max-old-space-size=256", PROGRAM, project.file("train.flow"), ...range, String(seed)];
    const { stdout } = await promisify(execFile)(process.execPath, words, { cwd: project.folder, maxBuffer: 1 << 24 });
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ count: 0, wrong: [], polluted: [] });
    // Both ways are walked: most maps are no hindrance, most manifests are.
    expect(report.loaded).toBeGreaterThan(10);
    expect(report.described).toBe(report.loaded);
    expect(report.codes.FLOW_PACKAGE_DAMAGED).toBeGreaterThan(10);
    expect(report.slowest).toBeLessThan(2_000);
    // Names in them lead nowhere else.
    expect(fs.readdirSync(project.folder).toSorted()).toEqual(files);
  }
});
