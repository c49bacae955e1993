/** `flow runs delete` and `flow store gc`, by the real command: what is said, what is left, and the exit codes. */
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openExisting } from "../../packages/core/src/metadata/sqlite/connection.ts";
import { Project } from "../kit/project.ts";
import { flowText } from "./observe.ts";

const project = new Project({
  "data.ts": flowText("Data", `rows!: string; @step() start() { this.rows = "r".repeat(20_000) + Math.random(); }`),
  "train.ts": flowText(
    "Train",
    `readonly data = upstream(Data); size!: number; @step() start() { this.size = this.data.data.rows.length; }`,
    `import Data from "./data.ts";`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());
beforeAll(async () => {
  for (const [file, ...tags] of [["data.ts"], ["data.ts", "keep"], ["train.ts"], ["train.ts"]] as const)
    expect((await project.run(file, { tags })).error).toBeUndefined();
}, 120_000);

test("a run that is needed is refused with every reason and what to type", async () => {
  const { code, stdout, stderr } = await project.here(["runs", "delete", "Data/2"]);
  expect([code, stdout]).toEqual([1, ""]);
  for (const text of [
    'Data/2 holds the tag "keep"',
    "flow tag remove Data/2 keep",
    "Data/2 is read by Train/1",
    "Data/2 is read by Train/2",
    "flow runs delete Data/2 Train/2",
    "FLOW_GC_RUN_KEPT",
  ])
    expect(stderr).toContain(text);
});

test("all that is wrong with the names is said at once, and a name that may mean another run tomorrow is none", async () => {
  const { code, stderr } = await project.here(["runs", "delete", "Train", "Train/99", "Data@keep", "Train/1"]);
  expect(code).toBe(2);
  for (const text of ['"Train" names no run by its number', "there is no run Train/99", '"Data@keep" names no run'])
    expect(stderr).toContain(text);
  expect((await project.here(["runs", "--json"])).lines).toHaveLength(4);
});

test("gc says beforehand what it would do and why it keeps what the conditions select", async () => {
  const words = [
    "store",
    "gc",
    "--older-than",
    "0s",
    "--status",
    "succeeded,failed",
    "--keep-last",
    "1",
    "--flow",
    "Data",
  ];
  const dry = await project.here([...words, "--dry-run"]);
  expect(dry.code).toBe(0);
  expect(dry.stdout).toMatch(/runs deleted +1 +1 task/);
  expect(dry.stdout).toMatch(/✓ Nothing was changed: 1 run and .* would be deleted/);
  const all = await project.here(["store", "gc", "--flow", "Data", "--dry-run"]);
  expect(all.stdout).toMatch(
    /Kept, though the conditions fit\n {2}Data\/2 holds the tag "keep", is read by Train\/2, is read by Train\/1/,
  );
  expect((await project.here(["runs", "--json"])).lines).toHaveLength(4);
});

test("gc deletes, prints the same table, and what is gone is known by name", async () => {
  const words = ["store", "gc", "--flow", "Data", "--grace", "0s", "--reason", "spring"];
  const [dry, wet] = [await project.here([...words, "--dry-run", "--json"]), await project.here([...words, "--json"])];
  const left = ({ deletedAfter: _, isDryRun: __, freeBytes: ___, ...rest }: any) => rest;
  expect(left(wet.lines[0])).toEqual(left(dry.lines[0]));
  expect(wet.lines[0]).toMatchObject({ runs: { count: 1, tasks: 1 }, values: { count: 1 }, files: { count: 1 } });
  const show = await project.here(["show", "Data/1"]);
  expect([show.code, show.stderr]).toEqual([
    1,
    expect.stringMatching(/Data\/1 was deleted on .* by .* \(flow store gc: spring\)/),
  ]);
  expect(show.stderr).toContain("FLOW_LINEAGE_RUN_DELETED");
  const upstream = await project.here(["run", "train.ts", "--data-run", "Data/1"]);
  expect([upstream.code, upstream.stderr]).toEqual([1, expect.stringContaining("FLOW_LINEAGE_RUN_DELETED")]);
  expect((await project.here(["validate", "--strict"])).code).toBe(0);
});

test("a run and what reads from it go together; numbers and the log go on", async () => {
  await project.here(["tag", "remove", "Data/2", "keep"]);
  const dry = await project.here(["runs", "delete", "Data/2", "Train/1", "Train/2", "--dry-run"]);
  expect([dry.code, dry.stdout]).toEqual([
    0,
    expect.stringContaining("Would delete Data/2, Train/1, Train/2 with 3 tasks"),
  ]);
  const { code, lines } = await project.here(["runs", "delete", "Data/2", "Train/1", "Train/2", "--json"]);
  expect([code, lines[0]]).toEqual([
    0,
    { isDryRun: false, deleted: ["Data/2", "Train/1", "Train/2"], runs: 3, tasks: 3 },
  ]);
  expect((await project.run("data.ts")).record.run).toBe("Data/3");
  const { metadata } = await project.stores();
  expect((await metadata.tagEvents({})).map(({ verb, tag }) => [verb, tag])).toEqual([
    ["remove", "keep"],
    ["add", "keep"],
  ]);
});

test("what makes no sense is refused, all at once", async () => {
  const { code, stderr } = await project.here([
    "store",
    "gc",
    "--older-than",
    "soon",
    "--grace",
    "x",
    "--status",
    "done",
    "--flow",
    "Nix",
  ]);
  expect(code).toBe(2);
  for (const text of ['"--older-than" is "soon"', '"--grace" is "x"', '"--status" names "done"', 'no run of "Nix"'])
    expect(stderr).toContain(text);
  // An empty word, as an unset variable of a script gives it, is no pattern.
  const empty = await project.here(["store", "gc", "--tag", "", "--keep-tag="]);
  expect([empty.code, empty.stdout]).toEqual([2, ""]);
  for (const text of ['"--tag" is ""', '"--keep-tag" is ""']) expect(empty.stderr).toContain(text);
  expect((await project.here(["store"])).stderr).toContain("flow store gc");
});

test("a run that is gone without a word on its deletion is shown as missing, not as none", async () => {
  expect((await project.run("train.ts")).record.upstreams[0].run).toBe("Data/3");
  const db = openExisting(path.join(project.store, "millrace.db"), 1_000);
  db.pragma("foreign_keys = OFF");
  db.exec("DELETE FROM run WHERE flow_name = 'Data'");
  db.close();
  expect((await project.here(["show", "Train"])).stdout).toMatch(/^ *data +[0-9a-f-]{36} \(missing\)/m);
});
