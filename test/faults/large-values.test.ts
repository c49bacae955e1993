/** A value that is much larger than what a command may take of memory is exported, imported and verified, piece by piece. */
import fs from "node:fs";
import { expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";
import { times } from "./twenty.ts";

const MEGABYTE = 1024 ** 2;
const SIZE_MB = times(192, 1_024);
/** Writing it several times takes long: not each time. */
const isAsked = times(0, 1) === 1;
/** Beyond what a command takes that reads no value: more code, some frames, and garbage that is not collected yet. */
const LIMIT_MB = 144;

const FLOWS = {
  "large.ts": flowText(
    "Large",
    `
    noise!: Uint8Array;
    @step({ next: "end" }) start() { this.noise = randomFillSync(Buffer.allocUnsafeSlow(${SIZE_MB * MEGABYTE})); }
    @step() end() {}`,
    'import { randomFillSync } from "node:crypto";',
  ),
  "memory.mjs": `import fs from "node:fs";
process.on("exit", () => fs.writeFileSync(process.env.MEMORY_FILE, String(process.resourceUsage().maxRSS)));`,
};

/** Calls the command and gives the memory that it had at most, in MB. */
async function memoryOf(project: Project, ...words: readonly string[]): Promise<number> {
  const file = project.file("memory");
  const called = await project.flow(words, {
    node: ["--import", project.file("memory.mjs")],
    env: { MEMORY_FILE: file },
  });
  expect(called.code, called.stdout + called.stderr).toBe(0); // What takes long says on stderr how far it is.
  return Number(fs.readFileSync(file, "utf8")) / 1_024;
}

test.skipIf(!isAsked)(
  `a value of ${SIZE_MB} MB takes no more memory than its pieces`,
  { timeout: 3_600_000 },
  async () => {
    await using project = new Project(FLOWS);
    const [store, imported, file] = [project.file("large"), project.file("imported"), project.file("large.tar")];
    expect((await project.flow(["run", "large.ts", "--quiet", "--store", store])).code).toBe(0);
    const calls = {
      runs: ["runs", "--json", "--store", store],
      verify: ["store", "verify", "--read-data", "--json", "--store", store],
      export: ["export", "Large/1", "-o", file, "--json", "--store", store],
      import: ["import", file, "--json", "--store", imported],
      validate: ["validate", "Large/1", "--json", "--store", imported],
    };
    const taken: Record<string, number> = {};
    for (const [name, words] of Object.entries(calls)) taken[name] = Math.round(await memoryOf(project, ...words));
    console.log(`large values: ${SIZE_MB} MB, at most so many MB of memory: ${JSON.stringify(taken)}`);
    expect(fs.statSync(file).size).toBeGreaterThan(SIZE_MB * MEGABYTE);
    for (const [name, memory] of Object.entries(taken))
      expect([name, memory - taken.runs! < LIMIT_MB]).toEqual([name, true]);
  },
);
