/** What looks after stores knows of all the others: deleting, moving, verifying and given-up values in one life. */
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "./observe.ts";

const project = new Project({
  "fit.ts": flowText(
    "Fit",
    `
    readonly n = param(z.coerce.number().default(1));
    scratch = artifact(z.string(), { transient: true });
    items!: number[]; big!: Float64Array; square!: number; sum!: number;
    @step({ next: "work", foreach: "items" }) start() {
      this.items = [1, 2, 3];
      this.scratch = "x".repeat(50_000) + this.n;
      this.big = Float64Array.from({ length: 20_000 }, (_, index) => Math.sin(index * this.n));
    }
    @step({ next: "gather" }) work(item: number) { this.square = item * item * this.n; }
    @join({ next: "end" }) gather(inputs: Inputs<Fit>) { this.sum = inputs.reduce((sum, { square }) => sum + square, 0); }
    @step() end() {}`,
  ),
});
const other = project.file("other");
afterAll(() => project[Symbol.asyncDispose]());

async function done(...words: readonly string[]): Promise<any> {
  const { code, stderr, lines } = await project.here([...words, "--json"]);
  expect([words, code, stderr]).toEqual([words, 0, ""]);
  return lines.at(-1);
}

/** Nothing is damaged, and nothing lies around. */
async function expectWhole(...words: readonly string[]): Promise<void> {
  expect(await done("store", "verify", "--read-data", ...words)).toMatchObject({
    kind: "summary",
    ok: true,
    totals: { damage: 0, note: 0 },
  });
}

test("runs are kept, moved, deleted and given up, and every store stays whole", { timeout: 240_000 }, async () => {
  for (const n of [1, 2, 3]) await done("run", "fit.ts", "--n", String(n));
  const { record } = await done("run", "fit.ts", "--n", "4", "--tag", "prod:v1");
  await expectWhole();

  await done("export", "Fit/3", "Fit/4", "-o", "runs.tar");
  const came = await done("import", "runs.tar", "--store", other, "--tags");
  expect(came.runs).toHaveLength(2);
  await expectWhole("--store", other);
  const [imported] = (await project.here(["runs", "Fit", "--tag", "prod:v1", "--store", other, "--json"])).lines;
  expect(imported.id).toBe(record.id);
  const digests = async (...words: readonly string[]) =>
    (await project.here(["dump", `${record.id}/start`, ...words, "--json"])).lines.map(({ name, digest }) => [
      name,
      digest,
    ]);
  const here = await digests();
  expect(here.map(([name]) => name)).toContain("big");
  expect(await digests("--store", other)).toEqual(here);
  const gone = await project.here(["dump", `${record.id}/start`, "scratch", "--store", other, "--json"]);
  expect([gone.code, gone.lines.at(-1)?.error.code]).toEqual([1, "FLOW_ARTIFACT_GONE"]);

  await done("runs", "delete", "Fit/1");
  const kept = await done("store", "gc", "--older-than", "0s", "--grace", "0s");
  expect(kept.runs.count).toBe(2);
  await done("store", "gc", "--grace", "0s");
  await expectWhole();
  await expectWhole("--store", other);
  expect((await project.here(["runs", "Fit", "--json"])).lines.map(({ run }) => run)).toEqual(["Fit/4"]);
  expect(await digests()).toEqual(here);

  await done("import", "runs.tar"); // One is there still, and one is given back under another number.
  await expectWhole();
  await done("runs", "delete", "Fit/5"); // What was deleted, given back and deleted again is deleted, and can come back.
  await expectWhole();
  await done("import", "runs.tar");
  await expectWhole();
  expect(await done("store", "repair", "--dry-run")).toMatchObject({ ok: true });
  expect((await project.flow(["doctor", "--json"])).lines.at(-1)).toMatchObject({ ok: true });
});
