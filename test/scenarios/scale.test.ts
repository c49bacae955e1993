/**
 * Large graphs with the real command: how long they take and how much memory the runner holds. Small sizes by default;
 * `MILLRACE_SCALE=all` takes the full ones. Times are shown, and judged only against each other.
 */
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";
import { flowText } from "./observe.ts";

const isFull = process.env.MILLRACE_SCALE === "all";
const MEMORY_MB = 600;
const WIDE = isFull ? 100_000 : 10_000;
/** Ten times as many tasks may take so many times as long. */
const MOST_RATIO = 12;
const LINE = isFull ? 1_000 : 300;
const BRANCHES = isFull ? 200 : 60;

const project = new Project({
  "wide.ts": fs.readFileSync(fileURLToPath(new URL("../../flows/07-wide/wide.ts", import.meta.url)), "utf8"),
  "line.ts": flowText(
    "Line",
    `count!: number;
     ${Array.from({ length: LINE }, (_, n) => {
       const next = n === LINE - 1 ? "" : `{ next: "step${n + 1}" }`;
       return `@step(${next}) step${n}() { this.count = ${n === 0 ? "1" : "this.count + 1"}; }`;
     }).join("\n")}`,
  ),
  "branches.ts": flowText(
    "Branches",
    `count!: number;
     @step({ next: ${JSON.stringify(Array.from({ length: BRANCHES }, (_, n) => `branch${n}`))} }) start() {}
     ${Array.from({ length: BRANCHES }, (_, n) => `@step({ next: "meet" }) branch${n}() { this.count = ${n}; }`).join("\n")}
     @join({ next: "end" }) meet(inputs: Inputs<Branches>) { this.count = inputs.reduce((sum, input) => sum + input.count, 0); }
     @step() end() {}`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

interface Measured {
  readonly seconds: number;
  readonly peakMb: number;
}

/** Runs a flow to its good end and says how long it took and how much memory its process held at most. */
async function measure(...words: readonly string[]): Promise<Measured> {
  const run = new SpawnedFlow(["run", ...words, "--quiet"], { cwd: project.folder });
  let peakMb = 0;
  const look = setInterval(() => {
    peakMb = Math.max(peakMb, peakOf(run.pid));
  }, 20);
  const { code, stderr, durationMs } = await run.ended;
  clearInterval(look);
  expect([code, stderr.replace(/.*new store.*\n?/i, "")]).toEqual([0, ""]);
  const measured = { seconds: durationMs / 1_000, peakMb };
  console.log(`${words.join(" ")}: ${measured.seconds.toFixed(1)} s, ${peakMb.toFixed(0)} MB`);
  return measured;
}

/** The most memory that a process has held so far, in MB, as Linux counts it; elsewhere 0. */
function peakOf(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1_024;
  } catch {
    return 0; // It has just ended.
  }
}

const value = async (name: string): Promise<number> => Number((await project.flow(["dump", name])).stdout);

test(`${WIDE} tasks wide: little memory, and time in step with the number`, { timeout: 1_800_000 }, async () => {
  const small = await measure("wide.ts", "--n", String(WIDE / 10));
  const large = await measure("wide.ts", "--n", String(WIDE));
  expect(await value("Wide/2.weight")).toBe((WIDE * (WIDE - 1)) / 2);
  expect(large.peakMb).toBeLessThan(MEMORY_MB);
  expect(large.seconds / small.seconds).toBeLessThanOrEqual(MOST_RATIO);
  const { lines } = await project.flow(["show", "Wide/2", "--json"]);
  expect(lines[0].tasks).toEqual({ total: WIDE + 3, attempts: WIDE + 3, byStatus: { succeeded: WIDE + 3 } });
});

test(`${LINE} steps in a line`, { timeout: 600_000 }, async () => {
  const { peakMb } = await measure("line.ts");
  expect(await value("Line/1.count")).toBe(LINE);
  expect(peakMb).toBeLessThan(MEMORY_MB);
});

test(`${BRANCHES} branches`, { timeout: 600_000 }, async () => {
  const { peakMb } = await measure("branches.ts");
  expect(await value("Branches/1.count")).toBe((BRANCHES * (BRANCHES - 1)) / 2);
  expect(peakMb).toBeLessThan(MEMORY_MB);
});
