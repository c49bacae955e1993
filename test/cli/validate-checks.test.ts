/** One test a check of `flow validate`: the fault that it is there for is made, and the check names it. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openWriter } from "../../packages/core/src/metadata/sqlite/connection.ts";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  "data.bin": "some data, more of it than what a record holds".repeat(1_000),
  "fit.ts": flowText(
    "Fit",
    `
    readonly data = upstream<any>("Data", { maxAge: "30d" });
    model!: number;
    @step({ next: "end" }) start() { this.model = this.data.data.rows.sizeBytes; }
    @step() end() {}`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

interface Answer {
  readonly code: number | null;
  readonly status: string | undefined;
  readonly evidence: readonly string[];
}

/** How a check of a run ended: its worst status, and what it says. */
async function check(id: string, ...words: readonly string[]): Promise<Answer> {
  const { code, lines } = await project.flow(["validate", ...words, "--json"]);
  const found = (lines.at(-1) as any).checks.filter((entry: any) => entry.id === id);
  const worst = ["fail", "warn", "pass"].find((status) => found.some((entry: any) => entry.status === status));
  return { code, status: worst, evidence: found.filter((e: any) => e.status === worst).map((e: any) => e.evidence) };
}

const flow = async (...words: readonly string[]): Promise<void> => {
  const { code, stderr } = await project.here(words);
  if (code !== 0) throw new Error(`${words.join(" ")}: ${stderr}`);
};

/** Changes records behind the back of Millrace; answers how many. */
async function change(sql: string): Promise<number> {
  const db = openWriter(join(project.store, "millrace.db"));
  try {
    return db.prepare(sql).run().changes;
  } finally {
    db.close();
  }
}

beforeAll(async () => {
  await flow("put", "Data", "rows=data.bin", "--tag", "first");
  await flow("run", "fit.ts", "--tag", "prod:v1");
}, 60_000);

describe("flow validate", () => {
  test("V11: code that no commit has", { timeout: 120_000 }, async () => {
    const inRepository = new Project({
      "one.ts": flowText("One", "@step() start() {}"),
      ".gitignore": ".millrace\nnode_modules\n",
    });
    try {
      const git = (...words: readonly string[]) =>
        execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.c", ...words], { cwd: inRepository.folder });
      git("init", "-q");
      git("add", ".");
      git("commit", "-q", "-m", "one");
      const verdict = async (...words: readonly string[]): Promise<unknown> => {
        await inRepository.here(["run", "one.ts"]);
        const { lines } = await inRepository.flow(["validate", "One", "--json", ...words]);
        return (lines.at(-1) as any).checks
          .filter((entry: any) => entry.id === "V11")
          .map((entry: any) => entry.status);
      };
      expect(await verdict()).toEqual(["pass"]);
      inRepository.write({ "one.ts": flowText("One", "@step() start() { console.log(1); }") });
      expect(await verdict()).toEqual(["warn"]);
      expect(await verdict("--strict")).toEqual(["fail"]);
    } finally {
      await inRepository[Symbol.asyncDispose]();
    }
  });

  test("V12: what is older than it may be", async () => {
    expect(await check("V12", "Fit")).toMatchObject({ code: 0, status: "pass" });
    expect(await check("V12", "Fit", "--max-age", "1d", "--watch-freshness")).toMatchObject({
      code: 0,
      status: "pass",
    });
    const old = await check("V12", "Fit", "--max-age", "1ms", "--watch-freshness");
    expect(old).toMatchObject({ code: 1, status: "fail" });
    expect(old.evidence.join()).toMatch(
      /Fit\/1 is .* old, the limit is 1 ms.*Data\/1, which Fit\/1 read from as "data"/,
    );
    expect((await check("V03", "Fit", "--watch-freshness")).status).toBeUndefined();
  });

  test("V13 and V14: metrics and parameters that are not what they must be", { timeout: 60_000 }, async () => {
    project.write({
      "score.ts": flowText(
        "Score",
        `readonly configuration = param(z.enum(["config", "test_config"]).default("config"));
        @step() start() { this.log.metric("r2", 0.8); this.log.metric("r2", 0.9); }`,
      ),
    });
    await flow("run", "score.ts", "--configuration", "test_config");
    const asked = async (id: string, condition: string): Promise<unknown> => {
      const { code, status, evidence } = await check(id, "Score", "--require", condition);
      return [code, status, ...evidence];
    };
    expect(await asked("V13", "metric:r2>=0.9")).toEqual([0, "pass", '"r2" of Score/1 is 0.9, it must be >= 0.9']);
    expect(await asked("V13", "metric:r2>0.9")).toEqual([1, "fail", '"r2" of Score/1 is 0.9, it must be > 0.9']);
    expect(await asked("V13", "metric:mae<1")).toEqual([1, "fail", 'Score/1 recorded no metric "mae", it must be < 1']);
    expect(await asked("V14", "param:configuration=test_config")).toEqual([
      0,
      "pass",
      '--configuration of Score/1 is "test_config"',
    ]);
    expect(await asked("V14", "param:configuration=config")).toEqual([
      1,
      "fail",
      '--configuration of Score/1 is "test_config", it must be "config"',
    ]);
    const { code, lines } = await project.flow(["validate", "Score", "--require", "r2>1", "--json"]);
    expect([code, (lines.at(-1) as any).error.code]).toEqual([2, "FLOW_CLI_BAD_VALUE"]);
  });

  test("V16: what was made from something that was revoked", async () => {
    expect(await check("V16", "Fit")).toMatchObject({ code: 0, status: "pass" });
    await flow("tag", "add", "Data/1", "deprecated");
    expect(await check("V16", "Fit")).toMatchObject({ code: 0, status: "warn" });
    await flow("tag", "add", "Data/1", "revoked", "--reason", "half of the labels were wrong");
    const revoked = await check("V16", "Fit");
    expect(revoked).toMatchObject({ code: 1, status: "fail" });
    expect(revoked.evidence[0]).toMatch(/^Data\/1, .* is revoked since .*half of the labels were wrong/);
    await flow("tag", "remove", "Data/1", "revoked", "deprecated");
  });

  test("V18: what runs when it is loaded", { timeout: 60_000 }, async () => {
    writeFileSync(project.file("model.pkl"), Buffer.from("\x80\x04\x95pickle", "latin1"));
    writeFileSync(project.file("weights.pt"), Buffer.from("PK\x03\x04.......archive/data.pkl", "latin1"));
    project.write({ "folder/fine.txt": "fine", "folder/run.sh": "#!/bin/sh\n" });
    await flow("put", "Loose", "model.pkl", "weights.pt", "folder", "data.bin");
    const loose = await check("V18", "Loose");
    expect(loose).toMatchObject({ code: 0, status: "warn" });
    expect(loose.evidence.map((text) => /: (\S+) is (.*?):/.exec(text)?.slice(1))).toEqual([
      ["folder/run.sh", "a script"],
      ["model.pkl", "a Python pickle"],
      ["weights.pt", "an archive with a Python pickle (PyTorch)"],
    ]);
    expect(await check("V18", "Loose", "--strict")).toMatchObject({ code: 1, status: "fail" });
    expect(await check("V18", "Fit")).toMatchObject({ status: "pass" });
  });

  test("V19: a store that has lost something that no run of the list needs", { timeout: 60_000 }, async () => {
    expect(await check("V19", "--all")).toMatchObject({ code: 0, status: "pass" });
    // No run is concerned: the number of runs that a flow is said to have.
    const before = await change("UPDATE flow SET run_count = run_count + 1");
    const broken = await check("V19", "--all");
    expect(broken).toMatchObject({ code: 1, status: "fail" });
    expect(broken.evidence[0]).toMatch(/^S07 /);
    expect((await check("V19", "Fit")).status).toBeUndefined();
    expect(before).toBe(4); // Data, Fit, Score, Loose
    await change("UPDATE flow SET run_count = run_count - 1");
  });

  test("V20: what is deployed is of another run", { timeout: 60_000 }, async () => {
    const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex");
    const deployed = digestOf("some data, more of it than what a record holds".repeat(1_000));
    expect(await check("V20", "Data", "--deployed", deployed)).toMatchObject({ code: 0, status: "pass" });
    project.write({ "data.bin": "other data" });
    await flow("put", "Data", "rows=data.bin");
    const other = await check("V20", "Data", "--deployed", `sha256:${deployed}`);
    expect(other).toMatchObject({
      code: 1,
      status: "fail",
      evidence: ['what is deployed is "rows" of Data/1, and not of Data/2'],
    });
    expect(await check("V20", "Data", "--deployed", digestOf("unknown"))).toMatchObject({ code: 1, status: "fail" });
  });

  test("a flow file stands for the runs that it would read from", { timeout: 60_000 }, async () => {
    const runsOf = async (...words: readonly string[]): Promise<unknown> => {
      const { code, lines } = await project.flow(["validate", "fit.ts", ...words, "--json"]);
      return [code, (lines.at(-1) as any).runs?.map(({ run }: any) => run) ?? (lines.at(-1) as any).error.code];
    };
    expect(await runsOf()).toEqual([0, ["Data/2"]]);
    expect(await runsOf("--data-tag", "first")).toEqual([0, ["Data/1"]]);
    expect(await runsOf("--data-tag", "v9")).toEqual([1, "FLOW_LINEAGE_NO_RUN"]);
    expect(await runsOf("--nothing")).toEqual([2, "FLOW_CLI_UNKNOWN_FLAG"]);
  });
});
