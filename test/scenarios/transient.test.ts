/** Artifacts that are not kept as long as their run: transient ones, and those with a time to live. */
import { afterAll, describe, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "./observe.ts";

const project = new Project({
  "make.ts": flowText(
    "Make",
    `
    readonly fails = param(z.stringbool().default(false));
    features = artifact(z.array(z.number()), { transient: true });
    scratch = artifact(z.string(), { ttl: "1ms", transient: false });
    sum!: number;
    @step({ next: "add" }) start() { this.features = [1, 2, 3]; this.scratch = "s".repeat(20_000); }
    @step({ next: "end" }) add() {
      if (this.fails && process.env.NOW_WELL === undefined) throw new Error("not yet");
      this.sum = this.features.reduce((sum, each) => sum + each, 0);
    }
    @step() end() {}`,
  ),
  "read.ts": flowText(
    "Read",
    `
    readonly make = upstream(Make);
    got!: number;
    @step() start() { this.got = this.make.data.features.length; }`,
    `import Make from "./make.ts";`,
  ),
  "cached.ts": flowText(
    "Cached",
    `
    big = artifact(z.string(), { transient: true });
    size!: number;
    @step({ next: "end", cache: true }) start() { this.big = "b".repeat(20_000); this.size = 1; console.log("computed"); }
    @step() end() { this.size += this.big.length; }`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

const show = async (run: string): Promise<any> => (await project.here(["show", run, "--json"])).lines[0];

describe("a transient artifact", () => {
  test("is there for the steps of its run, and afterwards gone on purpose, for everybody who looks", async () => {
    const watched = await project.run("make.ts", { tags: ["one"] });
    expect(watched.error).toBeUndefined();
    const { artifacts } = await show("Make/1");
    const { gone, ...features } = artifacts.find(({ name }: { name: string }) => name === "features");
    expect(features).toMatchObject({ kind: "artifact", codec: "cbor", sizeBytes: 4 });
    expect(gone).toEqual({ reason: "transient", at: (await show("Make/1")).finishedAt });
    expect(await watched.run!.data.sum).toBe(6);
    await expect(watched.run!.data.features).rejects.toMatchObject({
      code: "FLOW_ARTIFACT_GONE",
      message: expect.stringMatching(
        /^Cannot read "features" of Make\/1.*: it is transient, gone since .* UTC, when its run succeeded/,
      ),
    });

    expect((await project.here(["show", "Make/1"])).stdout).toMatch(/features .* transient, gone since/);
    expect((await project.here(["show", "Make/1/start"])).stdout).toMatch(/features .* transient, gone since/);
    const all = await project.here(["dump", "Make/1"]);
    expect([all.code, all.stdout]).toEqual([0, expect.stringMatching(/sum .*\n {2}6/)]);
    expect(all.stdout).toContain("it is transient, gone since");
    expect(all.stderr).toMatch(/^\d of the \d artifacts of Make\/1 are not kept any more: features\b/);
    const json = await project.here(["dump", "Make/1", "--json"]);
    expect(json.lines.map(({ name, gone }) => [name, gone?.reason])).toContainEqual(["features", "transient"]);
    const one = await project.here(["dump", "Make/1", "features"]);
    expect([one.code, one.stderr]).toEqual([1, expect.stringContaining("FLOW_ARTIFACT_GONE")]);

    const { ok, checks } = (await project.here(["validate", "Make/1", "--strict", "--json"])).lines[0];
    expect(ok).toBe(true);
    expect(checks.map(({ evidence }: { evidence: string }) => evidence)).toContainEqual(
      expect.stringMatching(/^"features" of Make\/1 is transient, gone since/),
    );
  });

  test("fails a step of another run that reads it, with the same code", async () => {
    const { record } = await project.run("read.ts");
    expect(record.status).toBe("failed");
    expect(record.failure.error).toMatchObject({
      code: "FLOW_ARTIFACT_GONE",
      message: expect.stringContaining("of Make/1"),
    });
  });

  test("is kept while its run has failed: a resumed run still has it", async () => {
    const failed = await project.here(["run", "make.ts", "--fails"]);
    expect(failed.code).toBe(1);
    const task = await project.here(["dump", "Make/2/start", "features", "--json"]);
    expect(task.lines[0].value).toEqual([1, 2, 3]);
    const resumed = await project.flow(["resume", "Make/2"], { env: { NOW_WELL: "1" } });
    expect([resumed.code, resumed.stderr]).toEqual([0, expect.any(String)]);
    const { artifacts, status } = await show("Make/2");
    expect([status, artifacts.find(({ name }: any) => name === "features").gone.reason]).toEqual([
      "succeeded",
      "transient",
    ]);
    expect((await project.here(["dump", "Make/2", "sum"])).stdout).toBe("6\n");
  });

  test("makes its task one that is not taken from the step cache once it is gone", async () => {
    for (const number of [1, 2]) {
      const { record } = await project.run("cached.ts");
      expect([record.status, record.tasks.cached]).toEqual(["succeeded", undefined]);
      expect((await project.here(["logs", `Cached/${number}/start`])).stdout).toContain("computed");
      expect((await project.here(["dump", `Cached/${number}`, "size"])).stdout).toBe("20001\n");
    }
  });
});

test("a value with a time to live is there until garbage is collected after it, and then said to be past it", async () => {
  expect((await project.here(["dump", "Make/1", "scratch"])).stdout).toHaveLength(20_001);
  const { lines } = await project.here(["store", "gc", "--json"]);
  expect(lines[0].expired.count).toBe(2);
  const one = await project.here(["dump", "Make/1", "scratch"]);
  expect([one.code, one.stderr]).toEqual([
    1,
    expect.stringMatching(/its time to live is over, gone since .* UTC[\s\S]*FLOW_ARTIFACT_GONE/),
  ]);
  // All that the first task left is gone: there is no value to print.
  const all = await project.here(["dump", "Make/1/start"]);
  expect([all.code, all.stderr]).toEqual([
    1,
    "All artifacts of Make/1/start are not kept any more: features, scratch\n",
  ]);
  expect((await project.here(["validate", "Make/1", "--strict"])).code).toBe(0);
  const gone = (await show("Make/1")).artifacts.filter(({ gone }: any) => gone !== undefined);
  expect(gone.map(({ name, gone }: any) => [name, gone.reason])).toEqual([
    ["features", "transient"],
    ["scratch", "ttl"],
  ]);
});

test("options that make no sense are refused when the flow is loaded, all at once", async () => {
  project.write({
    "bad.ts": flowText(
      "Bad",
      `
      a = artifact(z.string(), { ttl: "soon" as "1d" });
      b = artifact(z.string(), { transient: "yes" as unknown as boolean });
      c = artifact(z.string(), { forever: true } as object);
      @step() start() {}`,
    ),
  });
  const { code, stderr } = await project.here(["check", "bad.ts"]);
  expect(code).toBe(2);
  expect(stderr).toContain('"ttl" of "a" is "soon" and must be a length of time');
  expect(stderr).toContain('"transient" of "b" is "yes" and must be true or false');
  expect(stderr).toContain('"c" has the option "forever", which an artifact does not have');
});
