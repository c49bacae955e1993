/** `flow store verify` and `flow store repair` as a user meets them: both streams and the exit code. */
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  "rows.ts": flowText(
    "Rows",
    `rows!: Uint8Array; @step({ next: "end" }) start() { this.rows = Uint8Array.from({ length: 50_000 }, () => current.random() * 256); } @step() end() {}`,
  ),
});
let blob = "";
beforeAll(async () => {
  expect((await project.here(["run", "rows.ts", "--quiet"])).code).toBe(0);
  const { digest } = (await project.flow(["dump", "Rows/1", "rows", "--json"])).lines[0];
  blob = path.join(project.store, "blobs/sha256", digest.slice(0, 2), digest);
}, 60_000);
afterAll(() => project[Symbol.asyncDispose]());

test("a whole store gives 0 and names the next thing to do", async () => {
  const quick = await project.flow(["store", "verify"]);
  expect([quick.code, quick.stderr]).toEqual([0, ""]);
  expect(quick.stdout).toMatch(/^✓ Whole: \d+ values, none of them read\n {2}flow store verify --read-data\n$/);
  const all = await project.flow(["store", "verify", "--read-data", "--json"]);
  expect([all.code, all.stderr, all.lines.length]).toEqual([0, "", 1]);
  expect(all.lines[0]).toMatchObject({
    kind: "summary",
    schema: 1,
    ok: true,
    totals: { damage: 0, unchecked: 0, note: 0 },
  });
  expect(all.lines[0].hashed.blobs).toBe(all.lines[0].values);
  const repaired = await project.flow(["store", "repair"]);
  expect([repaired.code, repaired.stderr]).toEqual([0, ""]);
  expect(repaired.stdout).toMatch(/^✓ Whole: /);
});

test("damage gives 4, with run, task, artifact, digest and file in words and as JSON", async () => {
  const whole = fs.readFileSync(blob);
  fs.writeFileSync(blob, Buffer.concat([whole.subarray(1), whole.subarray(0, 1)]));
  const digest = path.basename(blob);
  expect((await project.flow(["store", "verify"])).code).toBe(0); // The size is right, and nothing was read.
  const found = await project.flow(["store", "verify", "--read-data"]);
  expect([found.code, found.stderr]).toEqual([4, ""]);
  expect(found.stdout).toContain(
    `✗ S04  "rows" of Rows/1/start (${digest}), in "blobs/sha256/${digest.slice(0, 2)}/${digest}": the stored`,
  );
  expect(found.stdout).toContain("✗ Damaged: ");
  expect(found.stdout).toMatch(/\n {2}flow store repair --dry-run\n$/);
  const [finding, summary] = (await project.flow(["store", "verify", "--read-data", "--json"])).lines;
  expect(finding).toMatchObject({
    id: "S04",
    kind: "damage",
    remedy: "repair",
    subject: { run: "Rows/1", task: "Rows/1/start", artifact: "rows", digest, useCount: 1 },
  });
  expect(summary).toMatchObject({ kind: "summary", ok: false, totals: { damage: 1 }, remedies: { repair: 1 } });
  // Each part alone: one of them has it.
  const codes = await Promise.all(
    ["1/2", "2/2"].map(async (part) => (await project.flow(["store", "verify", "--read-data-subset", part])).code),
  );
  expect(codes.sort()).toEqual([0, 4]);

  const saved = await project.flow(["dump", "Rows/1", "rows", "-o", "out.bin"]);
  expect([saved.code, fs.existsSync(project.file("out.bin"))]).toEqual([1, false]);
  expect(saved.stderr).toContain(`"rows" of Rows/1 (${digest})`);

  const repaired = await project.flow(["store", "repair"]);
  expect([repaired.code, repaired.stderr]).toEqual([4, ""]);
  expect(repaired.stdout).toContain(`put aside as "quarantine/${digest}"`);
  expect(repaired.stdout).toContain('Rows/1 has lost "rows" of Rows/1/start\n');
  expect(repaired.stdout).toContain("\n  flow resume Rows/1 --from start\n");
  fs.writeFileSync(blob, whole, { mode: 0o600 });
  expect((await project.flow(["store", "verify", "--read-data"])).code).toBe(0);
});

test("what cannot be asked for is refused with the usage of it, and no store is none", async () => {
  for (const part of ["0/5", "6/5", "1", "a/b", "1/1000000", "-1/2"]) {
    const refused = await project.flow(["store", "verify", `--read-data-subset=${part}`]);
    expect([part, refused.code, refused.stdout]).toEqual([part, 2, ""]);
    expect(refused.stderr).toContain("FLOW_CLIENT_BAD_QUERY");
  }
  const both = await project.flow(["store", "verify", "--read-data", "--read-data-subset", "1/2"]);
  expect([both.code, both.stdout, both.stderr]).toEqual([2, "", expect.stringContaining("cannot go together")]);
  project.write({ "a-file": "" });
  for (const verb of ["verify", "repair"]) {
    const file = await project.flow(["store", verb, "--store", "a-file"]);
    expect([file.code, file.stdout, file.stderr]).toEqual([3, "", expect.stringContaining('a-file": it is a file')]);
    const none = await project.flow(["store", verb, "--store", project.file("nowhere")]);
    expect([none.code, none.stdout]).toEqual([3, ""]);
    expect(none.stderr).toContain("FLOW_CLIENT_NO_STORE");
    expect(fs.existsSync(project.file("nowhere"))).toBe(false);
  }
});

test("records that cannot be read are damage for verify, and nothing that repair would touch", async () => {
  const file = path.join(project.store, "millrace.db");
  const whole = fs.readFileSync(file);
  fs.writeFileSync(file, Buffer.concat([Buffer.alloc(4_096), whole.subarray(4_096)]));
  const found = await project.flow(["store", "verify", "--read-data"]);
  expect([found.code, found.stderr]).toEqual([4, ""]);
  expect(found.stdout).toContain("✗ S01  the records cannot be read: ");
  expect(found.stdout).not.toContain(" at ");
  const repaired = await project.flow(["store", "repair"]);
  expect(repaired.code).toBe(3);
  expect(repaired.stderr).toContain("FLOW_METADATA_CORRUPT");
  fs.writeFileSync(file, whole);
  expect((await project.flow(["store", "verify", "--read-data"])).code).toBe(0);
});
