/** The command over real flows and a real store: what each stream holds and with which code it ends. */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Called, type CallOptions, flow, temporaryFolder } from "./kit.ts";

const CORE = fileURLToPath(new URL("../../packages/core", import.meta.url));

const FLOWS = {
  "train.ts": `
import { Flow, join, param, step, z, type Inputs } from "@millrace/core";
/** Learns from folds. */
export default class Train extends Flow {
  /** Which settings to run with. */
  readonly configuration = param(z.enum(["config", "test_config"]).default("config"));
  readonly foldCount = param(z.coerce.number().int().min(2).default(3), { short: "k" });
  readonly fast = param(z.boolean().default(false));
  readonly fail = param(z.coerce.number().default(-1));
  folds!: number[];
  score!: number;
  best!: number;
  seen!: string;
  bytes!: Uint8Array;
  @step({ next: "evaluate", foreach: "folds" })
  start() {
    console.log("settings", this.configuration);
    this.seen = \`\${this.configuration} \${this.fast}\`;
    this.bytes = new Uint8Array([109, 105, 108, 108]);
    this.folds = Array.from({ length: this.foldCount }, (_, index) => index);
  }
  @step({ next: "pick" })
  evaluate(fold: number) {
    if (fold === this.fail) throw new TypeError("no luck with fold " + fold);
    console.error("careful");
    this.score = fold * 2;
  }
  @join({ next: "end" })
  pick(inputs: Inputs<Train>) {
    this.mergeArtifacts(inputs, { exclude: ["score"] });
    this.best = Math.max(...inputs.map((input) => input.score));
  }
  @step() end() { console.log("\\x1b[31mbest\\x1b[0m\\x1b[2J", this.best); }
}
`,
  "predict.ts": `
import { Flow, step, upstream } from "@millrace/core";
import Train from "./train.ts";
export default class Predict extends Flow {
  readonly model = upstream(Train);
  doubled!: number;
  @step({ next: "end" }) start() { this.doubled = this.model.data.best * 2; }
  @step() end() {}
}
`,
  "slow.ts": `
import { Flow, step } from "@millrace/core";
export default class Slow extends Flow {
  @step({ next: "end" }) async start() {
    console.log("asleep");
    await new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, 60_000);
      this.signal.addEventListener("abort", () => { clearTimeout(timer); reject(new Error("stopped")); });
    });
  }
  @step() end() {}
}
`,
  "stubborn.ts": `
import { Flow, step } from "@millrace/core";
export default class Stubborn extends Flow {
  @step({ next: "end" }) async start() {
    console.log("asleep");
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  }
  @step() end() {}
}
`,
  "bad.ts": `
import { Flow, step } from "@millrace/core";
export default class Bad extends Flow {
  // @ts-expect-error a step that is not there
  @step({ next: "trian" }) start() {}
  // @ts-expect-error another one
  @step({ next: "edn" }) train() {}
  @step() end() {}
}
`,
};

/** A project of its own with these flows and the built core. */
function project() {
  const folder = temporaryFolder();
  writeFileSync(join(folder.path, "package.json"), JSON.stringify({ name: "shop", type: "module" }));
  for (const [name, text] of Object.entries(FLOWS)) writeFileSync(join(folder.path, name), text);
  const link = join(folder.path, "node_modules/@millrace/core");
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(CORE, link);
  return {
    path: folder.path,
    flow: (words: readonly string[], options: CallOptions = {}): Promise<Called> =>
      flow(words, { cwd: folder.path, ...options }),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

interface Line {
  readonly [field: string]: unknown;
  readonly artifacts: readonly { readonly name: string; readonly digest: string }[];
}
const lines = (text: string): readonly Line[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

test("the whole story: run, tag, predict by tag, list, show, logs, dump, validate", async () => {
  using shop = project();

  const train = await shop.flow([
    "run",
    "train.ts",
    "-k",
    "3",
    "--configuration=test_config",
    "--fast",
    "--tag",
    "prod:v1",
  ]);
  expect(train).toMatchObject({ code: 0, signal: null });
  expect(train.stdout).toMatch(
    /^✓ Train\/1 succeeded after .+: 6 tasks done \[prod:v1\]\n {2}flow show Train\/1 {5}flow dump Train\/1\n$/,
  );
  expect(train.stderr).toContain("Train/1/start │ settings test_config\n");
  expect(train.stderr).toMatch(/\d\d:\d\d:\d\d {2}Train\/1\/evaluate\/2 {2}done/);
  expect(train.stderr).toContain("Train/1/end │ best 4\n");
  expect(train.stderr).not.toContain("\x1b");

  const predict = await shop.flow(["run", "predict.ts", "--model-tag", "prod:v1", "--json"]);
  expect(predict).toMatchObject({ code: 0, stderr: "" });
  const events = lines(predict.stdout);
  expect(events[0]).toMatchObject({ kind: expect.stringMatching(/^run\./), at: expect.stringMatching(/^\d{4}-.*Z$/) });
  expect(events.at(-1)).toMatchObject({
    kind: "run.finished",
    status: "succeeded",
    record: {
      run: "Predict/1",
      upstreams: [{ name: "model", run: "Train/1", reads: [{ name: "best" }] }],
      environment: { command: expect.arrayContaining(["--model-tag"]) },
    },
  });

  const quiet = await shop.flow(["run", "train.ts", "--quiet"]);
  expect(quiet).toMatchObject({ code: 0, stderr: "" });

  const runs = await shop.flow(["runs"]);
  expect(runs.code).toBe(0);
  expect(
    runs.stdout
      .trimEnd()
      .split("\n")
      .slice(1)
      .map((line) => line.split(/\s+/)[1]),
  ).toEqual(["Train/2", "Predict/1", "Train/1"]);
  expect(lines((await shop.flow(["runs", "Train", "--tag", "prod:v1", "--json"])).stdout)).toMatchObject([
    { run: "Train/1", parameters: { foldCount: expect.anything(), configuration: "test_config" } },
  ]);
  expect((await shop.flow(["runs", "Trian"])).stderr).toContain('Did you mean "Train"?');

  const record = lines((await shop.flow(["show", "Train@prod:v1", "--json"])).stdout)[0]!;
  expect(record).toMatchObject({ run: "Train/1", status: "succeeded", tags: ["prod:v1"], tasks: { total: 6 } });
  const show = await shop.flow(["show", "Train/1"]);
  for (const part of ["✓ Train/1 succeeded", "test_config", "evaluate", "prod:v1", "read by  Predict/1"])
    expect(show.stdout).toContain(part);
  expect((await shop.flow(["show", "Train/1/evaluate"])).stdout.match(/Train\/1\/evaluate\/\d/g)).toHaveLength(3);
  expect(lines((await shop.flow(["show", "Train/1/evaluate/1", "--json"])).stdout)).toMatchObject([
    { task: "Train/1/evaluate/1", status: "succeeded" },
  ]);

  expect((await shop.flow(["logs", "Train/1/start"])).stdout).toContain("settings test_config\n");
  const stderr = await shop.flow(["logs", "Train/1", "--stderr"]);
  expect(stderr.stdout.trimEnd().split("\n").sort()).toEqual(
    [0, 1, 2].map((index) => `Train/1/evaluate/${index} │ careful`),
  );
  expect(lines((await shop.flow(["logs", "Train/1/end", "--json"])).stdout)[0]).toMatchObject({
    task: "Train/1/end",
    stream: "stdout",
  });

  expect((await shop.flow(["dump", "Train/1", "best"])).stdout).toBe("4\n");
  expect((await shop.flow(["dump", "Train/1.seen"])).stdout).toBe("test_config true\n");
  expect(lines((await shop.flow(["dump", "Train/1", "bytes", "--json"])).stdout)).toMatchObject([
    { value: Buffer.from("mill").toString("base64"), notInJson: [{ path: "$" }] },
  ]);
  const missing = await shop.flow(["dump", "Train/1", "bset"]);
  expect([missing.code, missing.stdout]).toEqual([1, ""]);
  expect(missing.stderr).toContain('Did you mean "best"?');
  expect((await shop.flow(["dump", "Train/1", "bytes", "-o", "bytes.bin"])).code).toBe(0);
  const digest = record.artifacts.find((artifact) => artifact.name === "bytes")?.digest;
  expect(
    createHash("sha256")
      .update(readFileSync(join(shop.path, "bytes.bin")))
      .digest("hex"),
  ).toBe(digest);

  const tagged = await shop.flow(["tag", "add", "Train/2", "prod:v1", "--reason", "newer rows"]);
  expect(tagged).toMatchObject({ code: 0, stdout: "✓ Train/2 tagged prod:v1; it holds prod:v1\n" });
  expect((await shop.flow(["tag", "list", "Train/2"])).stdout).toMatch(/added +prod:v1 .*newer rows/);

  const valid = await shop.flow(["validate"]);
  expect(valid.code).toBe(0);
  expect(valid.stdout).toMatch(/✓ Valid: .*passed/);
  const current = await shop.flow(["validate", "Predict/1", "--current", "--json"]);
  expect(current.code).toBe(1);
  expect(lines(current.stdout)).toMatchObject([
    { ok: false, checks: expect.arrayContaining([expect.objectContaining({ kind: "currency", status: "fail" })]) },
  ]);

  expect((await shop.flow(["tag", "remove", "Train/2", "prod:v1"])).stdout).toContain(
    "no longer tagged prod:v1; it holds no tags",
  );
  expect(lines((await shop.flow(["tag", "list", "--json"])).stdout)).toEqual([
    { tag: "prod:v1", runs: 1, newest: "Train/1" },
  ]);
});

test("a failing step gives code 1, the user's own stack and what to type next", async () => {
  using shop = project();
  const failed = await shop.flow(["run", "train.ts", "--fail", "1"]);
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain("✗ Train/1/evaluate/1 failed: TypeError: no luck with fold 1\n");
  expect(failed.stderr).toMatch(/at .*evaluate.* \(?train\.ts:24:/);
  expect(failed.stderr).not.toMatch(/packages\/core|node:internal/);
  expect(failed.stdout).toMatch(
    /^✗ Train\/1 failed after .+ tasks? done, 1 failed.*\n {2}flow logs Train\/1\/evaluate\/1 {5}flow resume Train\/1 {5}flow show Train\/1\n$/,
  );
  const json = await shop.flow(["run", "train.ts", "--fail", "1", "--json"]);
  expect(json).toMatchObject({ code: 1, stderr: "" });
  expect(lines(json.stdout).at(-1)).toMatchObject({
    kind: "run.finished",
    status: "failed",
    record: { failure: { task: "Train/2/evaluate/1" } },
  });
  expect((await shop.flow(["show", "Train/1"])).stdout).toContain("no luck with fold 1");
  const nothing = await shop.flow(["runs", "--status", "succeeded"]);
  expect([nothing.code, nothing.stdout]).toEqual([0, ""]);
});

test("the flow's own flags are in its help, and a wrong one names the nearest", async () => {
  using shop = project();
  const help = await shop.flow(["run", "train.ts", "--help"]);
  expect(help.code).toBe(0);
  expect(help.stdout).toContain("Parameters of Train\n");
  expect(help.stdout).toMatch(
    /--configuration VALUE +Which settings to run with; one of config, test_config; default "config"/,
  );
  expect(help.stdout).toMatch(/-k, --fold-count N/);
  expect(help.stdout).toContain("--[no-]fast");
  expect((await shop.flow(["run", "predict.ts", "--help"])).stdout).toMatch(/--model-tag TAG[\s\S]*--model-run RUN/);

  const wrong = await shop.flow(["run", "train.ts", "--configuratoin", "x", "--fold-cout=2"]);
  expect([wrong.code, wrong.stdout]).toEqual([2, ""]);
  for (const part of ['"--configuratoin"', 'Did you mean "--configuration"?', 'Did you mean "--fold-count"?'])
    expect(wrong.stderr).toContain(part);
  const values = await shop.flow(["run", "train.ts", "--configuration", "prod", "-k", "1"]);
  expect([values.code, values.stdout]).toEqual([2, ""]);
  for (const part of ["configuration", "fold"]) expect(values.stderr).toContain(part);
  expect(values.stderr).not.toMatch(/\n\s+at /);
});

test("a selector that says more than the verb looks at is refused, and so is an empty store", async () => {
  using shop = project();
  expect((await shop.flow(["run", "train.ts", "-k", "2", "-q"])).code).toBe(0);
  for (const words of [
    ["show", "Train/1.best"],
    ["show", "Train/1/evaluate.score"],
    ["logs", "Train/1.best"],
    ["validate", "Train/1/evaluate"],
    ["validate", "Train/1.best"],
    ["tag", "add", "Train/1/evaluate", "t"],
    ["tag", "add", "Train.best", "t"],
    ["tag", "remove", "Train/1.best", "t"],
    ["tag", "list", "Train/1/evaluate"],
    ["tag", "list", "Train/1.best"],
  ]) {
    const { code, stdout, stderr } = await shop.flow(words);
    expect([words, code, stdout]).toEqual([words, 2, ""]);
    expect(stderr).toMatch(/takes a run.*names the (?:step "evaluate"|artifact "(?:best|score)")/);
    expect(stderr).toContain("FLOW_CLIENT_BAD_SELECTOR");
  }
  expect((await shop.flow(["tag", "list"])).stdout).toBe("");
  const empty = await shop.flow(["runs", "--store", ""]);
  expect([empty.code, empty.stdout]).toEqual([2, ""]);
  expect(empty.stderr).toContain('"--store" is "" and must be a folder');
  const unknown = await shop.flow(["show", "Hell"]);
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toContain('✗ Cannot find "Hell": there is no run of Hell\n');
  expect((await shop.flow(["show", "Train@none"])).stderr).toContain("successful");
});

test("a wrong tag is no reason to look at the parameters", async () => {
  using shop = project();
  const tag = await shop.flow(["run", "train.ts", "--tag", " "]);
  expect(tag.code).toBe(2);
  expect(tag.stderr).not.toContain("each parameter");
  const both = await shop.flow(["run", "train.ts", "--tag", " ", "-k", "1"]);
  expect(both.stderr).toContain("each parameter");
});

test("with --quiet a new store is told, once", async () => {
  using shop = project();
  expect((await shop.flow(["run", "train.ts", "-q", "-k", "2"])).stderr).toMatch(/^Made a new store in .*\n$/);
  expect((await shop.flow(["run", "train.ts", "-q", "-k", "2"])).stderr).toBe("");
});

test("a flow file that waits for ever at its top level is refused by name, and the command ends", async () => {
  using shop = project();
  writeFileSync(join(shop.path, "waits.ts"), `await new Promise(() => {});\n${FLOWS["train.ts"]}`);
  for (const words of [
    ["run", "waits.ts"],
    ["graph", "waits.ts"],
  ]) {
    const { code, stdout, stderr } = await shop.flow(words);
    expect([code, stdout, stderr]).toEqual([2, "", expect.stringContaining("FLOW_CLI_NEVER_SETTLED")]);
    expect(stderr).toContain("an await at the top level of the flow file");
  }
  const told = await shop.flow(["run", "waits.ts", "--json"]);
  expect([told.code, JSON.parse(told.stdout)]).toMatchObject([2, { error: { code: "FLOW_CLI_NEVER_SETTLED" } }]);
});

test("a store above the project is used and named, until there is one that is nearer", async () => {
  using above = temporaryFolder();
  const home = join(above.path, "shop");
  mkdirSync(join(home, "node_modules/@millrace"), { recursive: true });
  symlinkSync(CORE, join(home, "node_modules/@millrace/core"));
  writeFileSync(join(home, "package.json"), JSON.stringify({ name: "shop", type: "module" }));
  writeFileSync(join(home, "train.ts"), FLOWS["train.ts"]);
  const run = async (...words: readonly string[]) => await flow(["run", "train.ts", ...words], { cwd: home });
  expect((await flow(["run", "shop/train.ts"], { cwd: above.path })).stderr).toContain("Made a new store");
  const said = `Uses the store in ${join(above.path, ".millrace")}, above this project\n`;
  expect((await run()).stderr).toContain(said);
  expect((await run("-q")).stderr).toBe("");
  const [created] = lines((await run("--json")).stdout);
  expect(created).toMatchObject({ kind: "run.created", storeIsAbove: true });
  expect((await flow(["store", "init", ".millrace"], { cwd: home })).code).toBe(0);
  const own = await run();
  expect([own.code, own.stderr.includes("store")]).toEqual([0, false]);
});

test("a user's error is told whole, whatever it holds", async () => {
  using shop = project();
  writeFileSync(
    join(shop.path, "fail.ts"),
    `
import { Flow, FlowError, param, step, z } from "@millrace/core";
export default class Fail extends Flow {
  static readonly self = Fail.name;
  readonly kind = param(z.string().default(""));
  /** The token. */
  readonly token = param(z.string().default(""), { secret: true, env: "TOKEN" });
  @step({ next: "end" }) start() {
    if (this.kind === "cause") throw new RangeError("boom", { cause: new Error("root cause") });
    if (this.kind === "many") throw new AggregateError([new TypeError("one"), new Error("two")], "many");
    if (this.kind === "odd") throw new FlowError("MY_OWN" as never, { message: "own", context: { big: 1n, run() {} } });
    throw { code: 5 };
  }
  @step() end() {}
}
`,
  );
  const stderrOf = async (kind: string): Promise<string> => {
    const { code, stderr } = await shop.flow(["run", "fail.ts", "--kind", kind, "-q"]);
    expect([kind, code]).toEqual([kind, 1]);
    return stderr.replace(/^Made a new store.*\n/, "").replaceAll(/:\d+:\d+/g, "");
  };
  expect(await stderrOf("cause")).toBe(
    [
      "✗ Fail/1/start failed: RangeError: boom",
      "    at Fail.start (fail.ts)",
      "  caused by Error: root cause",
      "    at Fail.start (fail.ts)",
      "",
    ].join("\n"),
  );
  expect(await stderrOf("many")).toBe(
    [
      "✗ Fail/2/start failed: AggregateError: many",
      "    at Fail.start (fail.ts)",
      "  holds TypeError: one",
      "    at Fail.start (fail.ts)",
      "  holds Error: two",
      "    at Fail.start (fail.ts)",
      "",
    ].join("\n"),
  );
  expect(await stderrOf("odd")).toContain("✗ Fail/3/start failed: own\n");
  expect(lines((await shop.flow(["show", "Fail/3", "--json"])).stdout)).toMatchObject([
    { failure: { error: { message: "own", context: { big: "1", run: "[Function: run]" } } } },
  ]);
  expect(await stderrOf("")).toContain("a step threw { code: 5 } instead of an Error");
  expect((await shop.flow(["run", "fail.ts", "--help"])).stdout).toMatch(
    /\n {6}token +The token; secret: from environment TOKEN or --params only\n/,
  );
});

test("an invalid flow is told with every problem and its place, and makes no store", async () => {
  using shop = project();
  for (const verb of ["run", "check", "graph"]) {
    const { code, stdout, stderr } = await shop.flow([verb, "bad.ts"]);
    expect([verb, code, stdout]).toEqual([verb, 2, ""]);
    for (const part of ["bad.ts:5:", 'Did you mean "train"?', "bad.ts:7:", 'Did you mean "end"?'])
      expect(stderr).toContain(part);
  }
  expect((await shop.flow(["runs"])).code).toBe(3);
  expect((await shop.flow(["run", "trian.ts"])).stderr).toContain('Did you mean "train.ts"?');
  expect((await shop.flow(["check", "train.ts"])).stdout).toBe("✓ Train: 4 steps, 4 parameters, 0 upstreams\n");
});

test("graph draws in four forms", async () => {
  using shop = project();
  const draw = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await shop.flow(["graph", "train.ts", ...words]);
    expect([code, stderr]).toEqual([0, ""]);
    return stdout;
  };
  expect(await draw()).toContain("evaluate");
  expect(await draw("--format", "dot")).toMatch(/^digraph/);
  expect(await draw("--format", "mermaid")).toMatch(/flowchart|graph/);
  expect(JSON.parse(await draw("--format", "json"))).toEqual(JSON.parse(await draw("--json")));
});

test("a tag that matches no run says so before anything runs", async () => {
  using shop = project();
  expect((await shop.flow(["run", "train.ts", "--quiet", "--tag", "prod:v1"])).code).toBe(0);
  const { code, stdout, stderr } = await shop.flow(["run", "predict.ts", "--model-tag", "prod:v2"]);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toContain("prod:v2");
  expect(lines((await shop.flow(["runs", "--json"])).stdout)).toHaveLength(1);
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s cancels the run and ends with %i", async (signal, code) => {
  using shop = project();
  let isSent = false;
  const result = await shop.flow(["run", "slow.ts"], {
    onOutput: (text, kill) => {
      if (isSent || !text.includes("│ asleep")) return;
      isSent = true;
      kill(signal);
    },
  });
  expect(result).toMatchObject({ code, signal: null });
  expect(result.stderr).toContain("Stopping the run …");
  expect(result.stdout).toMatch(/^■ Slow\/1 cancelled after /);
  expect(lines((await shop.flow(["runs", "--json"])).stdout)).toMatchObject([{ run: "Slow/1", status: "cancelled" }]);
});

test("Ctrl-C a second time ends at once, whatever the step does", async () => {
  using shop = project();
  let sent = 0;
  let secondAt = 0;
  const result = await shop.flow(["run", "stubborn.ts"], {
    onOutput: (text, kill) => {
      if ((sent === 0 && text.includes("│ asleep")) || (sent === 1 && text.includes("Stopping the run …"))) {
        secondAt = Date.now();
        sent++;
        kill("SIGINT");
      }
    },
  });
  expect(result).toMatchObject({ code: 130, signal: null, stdout: expect.stringContaining("cancelled") });
  expect(Date.now() - secondAt).toBeLessThan(3_000); // Less than the 5 s that a cancelled step is given.
  const [run] = (await shop.flow(["runs", "--json", "--limit", "1"])).stdout.split("\n");
  expect(JSON.parse(run!)).toMatchObject({ status: "cancelled" });
});

test("flow runs says how all that match are listed, with the words that were given", async () => {
  using shop = project();
  for (let run = 0; run < 3; run++) await shop.flow(["run", "train.ts", "--tag", "many"]);
  const { stderr } = await shop.flow(["runs", "Train", "--tag", "many", "--status", "succeeded", "--limit", "1"]);
  expect(stderr).toContain("2 more: flow runs Train --tag many --status succeeded --limit 3\n");
});
