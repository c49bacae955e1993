/** What a slip of the hand must not do: write over the store, begin it anew, or run other code than one thinks. */
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  "make.ts": flowText(
    "Make",
    `
    big!: Float64Array;
    @step({ next: "end" }) start() { this.big = Float64Array.from({ length: 20_000 }, (_, index) => Math.sin(index)); }
    @step() end() {}`,
  ),
});
const database = path.join(project.store, "millrace.db");
afterAll(() => project[Symbol.asyncDispose]());
beforeAll(async () => {
  expect((await project.flow(["run", "make.ts"])).code).toBe(0);
}, 60_000);

test.each([["export"], ["dump"]])(
  "flow %s writes neither over the store nor over what is no plain file",
  async (verb) => {
    const words = verb === "export" ? ["export", "Make/1"] : ["dump", "Make/1", "big"];
    const before = fs.statSync(database).size;
    const folder = project.file("a folder");
    fs.mkdirSync(folder, { recursive: true });
    for (const output of [
      database,
      path.join(project.store, "new"),
      path.join(folder, "..", ".millrace", "x"),
      folder,
    ]) {
      const { code, stdout, stderr } = await project.flow([...words, "-o", output]);
      expect([output, code, stdout]).toEqual([output, 1, ""]);
      expect(stderr).toMatch(/it lies in the store|it is no plain file/);
      expect(stderr).toContain("FLOW_CLI_OUTPUT_NOT_WRITABLE");
    }
    expect(fs.statSync(database).size).toBe(before);
    expect(fs.readdirSync(project.store)).not.toContain("new");
    expect((await project.flow(["runs"])).stdout).toContain("Make/1");
  },
);

test.each(["empty", "not there"])("records that are %s beside values are not made anew", async (state) => {
  const store = project.file(`copy ${state}`);
  fs.cpSync(project.store, store, { recursive: true });
  const file = path.join(store, "millrace.db");
  for (const suffix of ["-wal", "-shm"]) fs.rmSync(file + suffix, { force: true });
  if (state === "empty") fs.truncateSync(file, 0);
  else fs.rmSync(file);
  for (const words of [
    ["run", "make.ts"],
    ["store", "gc", "--grace", "0s"],
    ["store", "verify"],
  ]) {
    const { code, stdout, stderr } = await project.flow([...words, "--store", store]);
    expect([words, code], stdout + stderr).toEqual([words, words[1] === "verify" ? 4 : 3]);
    expect(stdout + stderr).toContain(state);
  }
  expect(fs.readdirSync(path.join(store, "blobs", "sha256")).length).toBe(1);
});

test("a run whose flow file is gone goes on with the code that was kept, and says so", async () => {
  fs.renameSync(project.file("make.ts"), project.file("made.ts"));
  const { code, stderr } = await project.flow(["resume", "Make/1", "--from", "end"]);
  expect([code, stderr]).toEqual([0, expect.stringContaining('"make.ts" is not there any more')]);
  const asked = await project.flow(["resume", "Make/1", "--from", "end", "--same-code", "--json"]);
  expect([asked.code, asked.stdout.includes("FLOW_RESUME_KEPT_CODE")]).toEqual([0, false]);
  fs.renameSync(project.file("made.ts"), project.file("make.ts"));
});
