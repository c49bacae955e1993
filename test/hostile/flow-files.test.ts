/** Flow files with parts cut out, doubled, swapped and replaced: `flow check` says what is wrong with each, and goes on. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { times } from "../faults/twenty.ts";
import { Project } from "../kit/project.ts";
import { seeded } from "../kit/seed.ts";

/** Checks many files in one process: a process for each would take an hour. */
const PROGRAM = `
import fs from "node:fs";
import { checkGraph, isFlowError, preparePackage } from "@millrace/core/internal";
const [folder, from, to] = process.argv.slice(2);
process.on("unhandledRejection", () => {});
process.on("uncaughtException", () => {});
const wrong = []; const codes = {}; let accepted = 0; let slowest = 0;
for (let at = Number(from); at < Number(to); at++) {
  const begin = process.cpuUsage();
  try {
    const pack = await preparePackage(folder + "/flow-" + at + ".ts");
    for (const { definition } of pack.flows) checkGraph(definition);
    accepted++;
  } catch (error) {
    if (isFlowError(error) && error.code !== "FLOW_INTERNAL") codes[error.code] = (codes[error.code] ?? 0) + 1;
    else wrong.push({ at, error: String(error?.stack ?? error).slice(0, 800) });
  }
  const used = process.cpuUsage(begin);
  slowest = Math.max(slowest, (used.user + used.system) / 1000);
}
fs.writeSync(1, JSON.stringify({ wrong, codes, accepted, slowest, polluted: Object.keys(Object.prototype) }));
process.exit(0);
`;

const FLOW = `import { choose, Flow, type Inputs, join, param, step, upstream, z } from "@millrace/core";
export default class Train extends Flow {
  /** How many. */
  readonly count = param(z.coerce.number().int().min(1).default(4), { short: "n" });
  readonly model = upstream("shop/Other", { tags: ["prod:v1"], optional: true });
  readonly fixed = { a: 1 };
  items!: number[]; item!: number; kind!: "even" | "odd"; sum!: number;
  @step({ next: "decide" }) start() { this.items = [1, 2, 3]; this.kind = "odd"; }
  @choose({ on: "kind", next: { even: "work", odd: "skip" } }) decide() {}
  @step({ next: "each", foreach: "items" }) work() {}
  @step({ next: "gather", retry: 2, timeout: "1m" }) each(item: number) { this.item = item ** 2; }
  @join({ next: "end" }) gather(inputs: Inputs<Train>) { this.sum = inputs.length; }
  @step({ next: "end" }) skip() {}
  @step() end() {}
}
`;
const TOKENS = [
  "",
  "@",
  "{",
  "}",
  "(",
  ")",
  '"',
  "`",
  "next",
  '"end"',
  '"start"',
  "foreach",
  "__proto__",
  "constructor",
  "static",
  "async",
  "null",
  "undefined",
  "0",
  "-1",
  "[]",
  "{}",
  "=>",
  "...",
  "import(",
  "\0",
  "\ufeff",
  "\u2028",
  "💥",
  "class X {}",
  "export",
  "throw 1;",
  "param(z.any())",
  "@step()",
  'next: "then"',
  "get items() { throw 1 }",
];

test("a flow file may be anything: it is accepted, or refused with a code", { timeout: 3_600_000 }, async () => {
  const { random } = seeded("hostile flow files");
  const below = (limit: number): number => Math.floor(random() * limit);
  const pieces = FLOW.split(/(\b|(?=[^\w\s]))/).filter((piece) => piece !== undefined && piece !== "");
  const count = times(100, 1_000);
  const files: Record<string, string> = { "check.mjs": PROGRAM };
  for (let file = 0; file < count; file++) {
    const parts = [...pieces];
    for (let changes = 1 + below(3); changes > 0; changes--) {
      const at = below(parts.length);
      const kind = below(4);
      if (kind === 0) parts.splice(at, 1 + below(3));
      else if (kind === 1) parts.splice(at, 0, parts[below(parts.length)]!);
      else if (kind === 2) parts[at] = TOKENS[below(TOKENS.length)]!;
      else parts.splice(at, 0, TOKENS[below(TOKENS.length)]!);
    }
    files[`flow-${file}.ts`] = parts.join("");
  }
  await using project = new Project(files);
  const words = [project.file("check.mjs"), project.folder, "0", String(count)];
  const { stdout } = await promisify(execFile)(process.execPath, words, { cwd: project.folder, maxBuffer: 1 << 26 });
  // What the modules print while they are evaluated comes before the report.
  const report = JSON.parse(stdout.slice(stdout.lastIndexOf('{"wrong"')));
  expect(report.wrong.map(({ at, error }: { at: number; error: string }) => [error, files[`flow-${at}.ts`]])).toEqual(
    [],
  );
  expect(report.polluted).toEqual([]);
  expect(report.accepted).toBeGreaterThan(0);
  expect(Object.keys(report.codes).length).toBeGreaterThan(count < 1_000 ? 1 : 3);
  expect(report.slowest).toBeLessThan(5_000);
});
