/** A value that is much larger than what a command may take of memory is exported, imported and verified, piece by piece. */
import fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";
import { times } from "./twenty.ts";

const MEGABYTE = 1024 ** 2;
const SIZE_MB = times(160, 1_024);
/** Beyond what the same command takes for a store without large values: some frames, and garbage that is not collected yet. */
const LIMIT_MB = 112;

const project = new Project({
  "large.ts": flowText(
    "Large",
    `
    readonly megabytes = param(z.coerce.number()); noise!: Uint8Array;
    @step({ next: "end" }) start() { this.noise = randomFillSync(Buffer.allocUnsafeSlow(this.megabytes * ${MEGABYTE})); }
    @step() end() {}`,
    'import { randomFillSync } from "node:crypto";',
  ),
  "memory.mjs": `import fs from "node:fs";
process.on("exit", () => fs.writeFileSync(process.env.MEMORY_FILE, String(process.resourceUsage().maxRSS)));`,
});
afterAll(() => project[Symbol.asyncDispose]());

/** Calls the command and gives the memory that it had at most, in MB. */
async function memoryOf(...words: readonly string[]): Promise<number> {
  const file = project.file("memory");
  const called = await project.flow(words, {
    node: ["--import", project.file("memory.mjs")],
    env: { MEMORY_FILE: file },
  });
  expect([called.code, called.stderr], called.stdout).toEqual([0, ""]);
  return Number(fs.readFileSync(file, "utf8")) / 1_024;
}

test(`a value of ${SIZE_MB} MB takes no more memory than its pieces`, { timeout: 3_600_000 }, async () => {
  const [small, large] = [project.file("small"), project.file("large")];
  const taken: Record<string, number> = {};
  for (const [store, megabytes] of [
    [small, 1],
    [large, SIZE_MB],
  ] as const) {
    const run = ["run", "large.ts", "--megabytes", String(megabytes), "--quiet", "--store", store];
    expect((await project.flow(run)).code).toBe(0);
    const file = `${store}.tar`;
    const calls = {
      verify: ["store", "verify", "--read-data", "--json", "--store", store],
      export: ["export", "Large/1", "-o", file, "--json", "--store", store],
      import: ["import", file, "--json", "--store", `${store}-imported`],
      validate: ["validate", "Large/1", "--json", "--store", `${store}-imported`],
    };
    for (const [name, words] of Object.entries(calls)) {
      const memory = await memoryOf(...words);
      taken[name] = memory - (taken[name] ?? 0);
    }
    if (store === large) expect(fs.statSync(file).size).toBeGreaterThan(SIZE_MB * MEGABYTE);
    for (const name of [store, file, `${store}-imported`]) fs.rmSync(name, { recursive: true });
  }
  console.log(`large values: MB of memory beyond those of a small value: ${JSON.stringify(taken)}`);
  for (const [name, memory] of Object.entries(taken)) expect([name, memory < LIMIT_MB]).toEqual([name, true]);
});
