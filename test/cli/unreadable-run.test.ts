/** One record that cannot be read: it is named, the other runs are shown, and the run can be deleted. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { StoreToHurt } from "../faults/damage-kit.ts";

const store = new StoreToHurt();
beforeAll(() => store.write(), 120_000);
afterAll(() => store[Symbol.asyncDispose]());
const flow = (...words: string[]) => store.project.here([...words, "--store", store.folder]);

test.each(["no JSON", "5"])("a run whose parameters are '%s' is named, and the others are shown", async (text) => {
  store.heal();
  store.sql((db) => db.prepare("UPDATE run SET parameters = ? WHERE flow_name = 'Source' AND number = 2").run(text));
  const listed = await flow("runs");
  expect(listed.code).toBe(1);
  for (const name of ["Source/1", "Reader/1", "Failing/1", "Brief/1"]) expect(listed.stdout).toContain(name);
  expect(listed.stdout).not.toContain("Source/2");
  expect(listed.stderr).toMatch(/Cannot read Source\/2 \(.*\): "run\.parameters" holds no JSON/);
  expect(listed.stderr).toContain("flow runs delete Source/2");
  const one = await flow("runs", "-n", "9", "--json");
  expect([one.code, one.lines.length]).toEqual([1, 4]);
  const shown = await flow("show", "Source/2");
  expect([shown.code, shown.stderr]).toEqual([3, expect.stringContaining("Cannot read Source/2")]);

  const damaged = await flow("store", "repair");
  expect(damaged.code).toBe(4);
  expect(damaged.stdout).toContain("flow runs delete Source/2     flow import FILE");
  expect((await flow("runs", "delete", "Source/2")).code).toBe(0);
  expect((await flow("runs")).code).toBe(0);
  expect((await store.verify()).ok).toBe(true);
});

test("a broken value that nothing names is a note", async () => {
  store.heal();
  store.sql((db) =>
    db
      .prepare(
        "INSERT INTO blob (digest, size_bytes, stored_bytes, compression, stored) VALUES (zeroblob(32), 3, 3, 'none', ?)",
      )
      .run(Buffer.from("abc")),
  );
  const { ok, findings } = await store.verify();
  expect([ok, findings]).toEqual([
    true,
    [
      expect.objectContaining({
        id: "S04",
        kind: "note",
        evidence: expect.stringContaining("flow store gc takes it away"),
      }),
    ],
  ]);
});
