/** An import is killed at random instants: the store is whole, holds all runs of the file or none, and a second import completes. */
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { seeded } from "../kit/seed.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";
import { expectWhole, inStore, look, type Seen } from "./kit/look.ts";
import { TWENTY, times } from "./twenty.ts";

const project = new Project({ "twenty.ts": TWENTY });
const { random } = seeded("killed-import");
let exported: Seen;
let undisturbedMs: number;

afterAll(() => project[Symbol.asyncDispose]());

const start = (words: readonly string[]): SpawnedFlow => new SpawnedFlow([...words, "--json"], { cwd: project.folder });

beforeAll(async () => {
  for (let run = 0; run < 3; run++) expect((await start(["run", "twenty.ts"]).ended).code).toBe(0);
  exported = await look(project.store, { flow: "Twenty", number: 1 });
  const words = ["export", "Twenty/1", "Twenty/2", "Twenty/3", "-o", "twenty.tar"];
  expect((await start(words).ended).code).toBe(0);
  const { code, durationMs } = await start(["import", "twenty.tar", "--store", project.file("first")]).ended;
  expect(code).toBe(0);
  undisturbedMs = durationMs;
}, 300_000);

describe("an import that is killed", () => {
  test(`leaves all or nothing, ${times(8, 200)} times`, { timeout: 3_600_000 }, async () => {
    const tally = { nothing: 0, all: 0 };
    for (let kill = 0; kill < times(8, 200); kill++) {
      const store = project.file(`store-${kill}`);
      const importing = start(["import", "twenty.tar", "--store", store]);
      await importing.after(random() * undisturbedMs);
      importing.killGroup();
      await importing.ended;
      let runs = 0;
      if (fs.existsSync(path.join(store, "millrace.db")))
        runs = await inStore(store, ({ metadata }) => metadata.countRuns({}));
      expect([0, 3]).toContain(runs);
      tally[runs === 0 ? "nothing" : "all"]++;
      const again = await start(["import", "twenty.tar", "--store", store]).ended;
      expect([again.code, JSON.parse(again.stdout).runs.length]).toEqual([0, 3]);
      for (const number of [1, 2, 3]) {
        const seen = await look(store, { flow: "Twenty", number });
        expect([seen.status, seen.digests]).toEqual(["succeeded", exported.digests]);
        if (number === 2) await expectWhole(store, seen);
      }
      fs.rmSync(store, { recursive: true });
    }
    console.log(`killed imports: ${JSON.stringify(tally)}`);
  });
});

test(`an export that is killed leaves nothing under the name, ${times(5, 100)} times`, {
  timeout: 3_600_000,
}, async () => {
  const words = ["export", "Twenty/1", "Twenty/2", "Twenty/3", "-o", "killed.tar"];
  const whole = fs.readFileSync(project.file("twenty.tar"));
  for (let kill = 0; kill < times(5, 100); kill++) {
    const exporting = start(words);
    await exporting.after(random() * undisturbedMs);
    exporting.killGroup();
    await exporting.ended;
    if (!fs.existsSync(project.file("killed.tar"))) continue;
    expect(Buffer.compare(fs.readFileSync(project.file("killed.tar")), whole)).toBe(0);
    fs.rmSync(project.file("killed.tar"));
  }
});
