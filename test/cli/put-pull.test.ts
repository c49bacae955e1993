/** Files from elsewhere as runs, and artifacts out again as files: through the real command. */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const model = randomBytes(100_000);
const project = new Project({
  "tokenizer/vocabulary.txt": "a b c",
  "tokenizer/rules/merges.txt": "ab",
  "score.ts": flowText(
    "Score",
    `
    readonly model = upstream<any>("Churn", { tags: ["prod:v1"] });
    bytes!: number; vocabulary!: string;
    @step({ next: "end" }) async start() {
      this.bytes = (await this.model.data.model.bytes()).length;
      this.vocabulary = (await this.model.data.tokenizer.bytes("vocabulary.txt")).toString();
    }
    @step() end() {}`,
  ),
});
writeFileSync(project.file("model.onnx"), model);
afterAll(() => project[Symbol.asyncDispose]());

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function json(
  ...words: readonly string[]
): Promise<{ readonly code: number | null; readonly lines: readonly any[] }> {
  return await project.flow([...words, "--json"]);
}

describe("flow put", () => {
  test("brings metrics along: runs are sorted, compared and told apart by them", { timeout: 60_000 }, async () => {
    project.write({ "metrics.json": '{ "auc": 0.93, "val/loss": 0.2, "odd": "NaN" }' });
    const first = await project.flow([
      "put",
      "Scored",
      "model.onnx",
      "--metric",
      "auc=0.91",
      "--metric",
      "val/loss=2.1e-1",
    ]);
    expect([first.code, first.stdout]).toEqual([0, expect.stringMatching(/^ {2}auc +0\.91$/m)]);
    const { lines } = await json("put", "Scored", "model.onnx", "--metrics", "metrics.json", "--metric", "auc=0.95");
    expect(lines[0].metrics).toEqual([
      { name: "auc", value: 0.95 },
      { name: "odd", value: "NaN" },
      { name: "val/loss", value: 0.2 },
    ]);
    const sorted = await json("runs", "Scored", "--sort", "metric:auc", "--where", "metric:val/loss<0.5");
    expect(sorted.lines.map(({ run }) => run)).toEqual(["Scored/2", "Scored/1"]);
    const compared = (await json("compare", "Scored/1", "Scored/2")).lines[0];
    expect(compared.metrics[0]).toMatchObject({ name: "auc", values: [0.91, 0.95], best: [1] });
    expect((await project.flow(["diff", "Scored/1", "Scored/2"])).stdout).toMatch(
      /^~ auc +0\.91 +0\.95 +\+0\.04 +\+4\.4 %$/m,
    );
    expect((await json("validate", "Scored/2", "--require", "metric:auc>=0.95")).code).toBe(0);
    expect((await json("store", "verify")).code).toBe(0);
  });

  test("refuses metrics that are no numbers, or have no names, all at once", async () => {
    project.write({ "bad.json": '{ "auc": "good", "f1": [1] }', "list.json": "[1]" });
    for (const [words, said] of [
      [
        ["--metric", "auc=high", "--metric", "f1"],
        ['--metric "auc" is "high", and no number', '--metric "f1" has no "="'],
      ],
      [
        ["--metrics", "bad.json"],
        ['"bad.json": "auc" is "good", and no number', '"f1" is [1], and no number'],
      ],
      [["--metrics", "list.json"], ["it holds no object"]],
      [["--metrics", "nowhere.json"], ['"nowhere.json" cannot be read: ENOENT']],
      [
        ["--metric", "a b=1", "--metric", "c d=1"],
        ['Cannot record the metric "a b"', 'Cannot record the metric "c d"'],
      ],
    ] as const) {
      const { code, stderr } = await project.flow(["put", "Refused", "model.onnx", ...words]);
      expect(code, words.join(" ")).not.toBe(0);
      for (const text of said) expect(stderr).toContain(text);
    }
    expect((await json("runs", "Refused")).lines[0].error.code).toBe("FLOW_LINEAGE_NO_RUN");
  });

  test("says how to give two things of one name another one", async () => {
    const { code, stderr } = await project.flow(["put", "Twice", "model.onnx", "--meta", "model=1"]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('"model" is the name of an artifact and of a parameter'),
    ]);
    expect(stderr).toContain("→ Give it another name: --meta OTHER=VALUE");
  });

  test("makes a run that flows read from and validate finds whole", { timeout: 60_000 }, async () => {
    expect((await json("put", "Data", "rows=tokenizer/vocabulary.txt", "--tag", "march")).code).toBe(0);
    const { code, lines } = await json(
      ...["put", "Churn", "model.onnx", "tokenizer", "--tag", "prod:v1", "--meta", "framework=sklearn = 1.5"],
      ...["--upstream", "data=Data@march"],
    );
    expect(code).toBe(0);
    expect(lines[0]).toMatchObject({
      run: "Churn/1",
      status: "succeeded",
      tags: ["prod:v1"],
      parameters: { framework: "sklearn = 1.5" },
      upstreams: [{ name: "data", run: "Data/1", selector: { tags: ["march"] } }],
    });
    const artifacts = lines[0].artifacts.filter(({ kind }: any) => kind === "artifact");
    expect(artifacts).toMatchObject([
      { name: "model", codec: "file:model.onnx", digest: sha256(model), sizeBytes: model.length },
      { name: "tokenizer", codec: "folder:tokenizer" },
    ]);
    const scored = await json("run", "score.ts");
    expect([scored.code, scored.lines.at(-1)?.record.upstreams[0].run]).toEqual([0, "Churn/1"]);
    expect((await json("dump", "Score/1", "vocabulary")).lines[0].value).toBe("a b c");
    expect((await json("validate", "Score/1")).lines[0]).toMatchObject({ ok: true, totals: { fail: 0, warn: 0 } });
    expect((await json("validate", "Churn/1")).lines[0]).toMatchObject({ ok: true, totals: { fail: 0, warn: 0 } });
  });

  test("says all that is wrong at once, and leaves no store behind", { timeout: 60_000 }, async () => {
    const store = project.file("none");
    const { code, lines } = await json(
      ...[
        "put",
        "1Churn",
        "missing.onnx",
        "model.onnx",
        "x=model.onnx",
        "x=tokenizer",
        "--meta",
        "a",
        "--store",
        store,
      ],
    );
    expect(code).toBe(2);
    expect(JSON.stringify(lines.at(-1))).toMatch(/missing\.onnx.*would both be.*has no/);
    const names = await json("put", "1Churn", "model.onnx", "--meta", "model=1", "--store", store);
    expect(JSON.stringify(names.lines.at(-1))).toMatch(/1Churn.*name of an artifact and of a parameter/);
    const tag = await json("put", "Churn", "model.onnx", "--tag", "user:me", "--store", store);
    expect([tag.code, tag.lines.at(-1)?.error.code]).toEqual([2, "FLOW_LINEAGE_BAD_TAG"]);
    expect(existsSync(store)).toBe(false);
    const upstream = await json("put", "Churn", "model.onnx", "--upstream", "data=Data@none");
    expect([upstream.code, upstream.lines.at(-1)?.error.code]).toEqual([1, "FLOW_LINEAGE_NO_RUN"]);
    expect((await json("runs", "Churn")).lines).toHaveLength(1);
  });

  test("takes tags as their policies ask, and says what it did not get", { timeout: 60_000 }, async () => {
    expect((await json("tag", "policy", "set", "stage", "--exclusive", "--require-check", "V03")).code).toBe(0);
    expect((await json("tag", "policy", "set", "gold", "--reason-required")).code).toBe(0);
    const staged = await json("put", "Model", "model.onnx", "--tag", "stage");
    expect([staged.code, staged.lines[0].tags]).toEqual([0, ["stage"]]);
    const second = await json("put", "Model", "model.onnx", "--tag", "stage");
    expect(second.lines[0].tags).toEqual(["stage"]);
    expect((await json("runs", "Model", "--tag", "stage")).lines.map(({ run }) => run)).toEqual(["Model/2"]);
    expect(await json("put", "Model", "model.onnx", "--tag", "gold")).toMatchObject({ code: 1 });
    const told = await json("put", "Model", "model.onnx", "--tag", "gold", "--tag-reason", "better");
    expect([told.code, told.lines[0].tags]).toEqual([0, ["gold"]]);
    const running = await json("promote", "Model/1", "--to", "stage", "--check");
    expect(running.code).toBe(0);
  });
});

describe("flow pull", () => {
  test("gives files and folders back under their names", { timeout: 60_000 }, async () => {
    const { code, lines } = await json("pull", "Churn@prod:v1", "-o", "out/");
    expect([code, lines.map(({ path }) => path)]).toEqual([
      0,
      [project.file("out/model.onnx"), project.file("out/tokenizer")],
    ]);
    expect(readFileSync(project.file("out/model.onnx")).equals(model)).toBe(true);
    expect(readFileSync(project.file("out/tokenizer/rules/merges.txt"), "utf8")).toBe("ab");
    expect((await json("pull", "Score/1.vocabulary")).code).toBe(0);
    expect(readFileSync(project.file("vocabulary.txt"), "utf8")).toBe("a b c");
  });

  test("writes nothing over, and nothing but the digest that was asked for", { timeout: 60_000 }, async () => {
    const problem = async (...words: readonly string[]): Promise<unknown> => {
      const { code, lines } = await json("pull", "Churn/1", ...words);
      return [code, lines.at(-1)?.error?.code];
    };
    expect(await problem("-o", "out/")).toEqual([1, "FLOW_CLI_OUTPUT_NOT_WRITABLE"]);
    expect(await problem("model", "-o", "new.onnx", "--digest", "0".repeat(64))).toEqual([
      1,
      "FLOW_CLIENT_OTHER_DIGEST",
    ]);
    expect(existsSync(project.file("new.onnx"))).toBe(false);
    expect(await problem("model", "-o", "out/", "--force", "--digest", `sha256:${sha256(model)}`)).toEqual([
      0,
      undefined,
    ]);
    expect(await problem("model", "-o", join(project.store, "x"))).toEqual([1, "FLOW_CLI_OUTPUT_NOT_WRITABLE"]);
    mkdirSync(join(project.store, "empty/tokenizer"), { recursive: true });
    expect(await problem("tokenizer", "-o", join(project.store, "empty/"))).toEqual([
      1,
      "FLOW_CLI_OUTPUT_NOT_WRITABLE",
    ]);
    expect(await problem("model", "-o", join(project.store, "none/model"))).toEqual([
      1,
      "FLOW_CLI_OUTPUT_NOT_WRITABLE",
    ]);
    rmSync(join(project.store, "empty"), { recursive: true });
    expect(await problem("nothing")).toEqual([1, "FLOW_CLIENT_NO_ARTIFACT"]);
    writeFileSync(project.file("other.onnx"), randomBytes(90_000));
    const put = await json("put", "Broken", "other.onnx");
    const { digest } = put.lines[0].artifacts[0];
    writeFileSync(join(project.store, "blobs/sha256", digest.slice(0, 2), digest), randomBytes(90_000));
    const { code, lines } = await json("pull", "Broken/1", "-o", "broken.onnx");
    expect([code, lines.at(-1)?.error.code]).toEqual([1, "FLOW_ARTIFACT_DAMAGED"]);
    expect(existsSync(project.file("broken.onnx"))).toBe(false);
  });
});
