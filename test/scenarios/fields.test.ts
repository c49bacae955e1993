/** Parameters, config files, included files, constants and secrets: seen in every task, changed in none. */
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText, observe } from "./observe.ts";

const SECRET = "s3cr3t-that-must-not-be-kept-7f1d";
const project = new Project({
  "settings.json": JSON.stringify({ folds: 4, model: { depth: 2 } }),
  "other.json": JSON.stringify({ folds: 5, model: { depth: 3 } }),
  "prompt.txt": "be kind",
  "fields.ts": flowText(
    "Fields",
    `
    readonly rate = param(z.number().default(0.5));
    readonly names = param(z.array(z.string()).default(["a"]));
    readonly since = param(z.coerce.date().default(new Date(0)));
    readonly double = param(z.number(), { default: () => this.rate * 2 });
    readonly settings = config(z.object({ folds: z.number(), model: z.object({ depth: z.number() }) }), { default: "settings.json" });
    readonly prompt = includeFile({ encoding: "utf8", default: "prompt.txt" });
    readonly raw = includeFile({ default: "prompt.txt" });
    readonly token = param(z.string(), { secret: true, env: "SHOP_TOKEN" });
    readonly unit = { name: "mm", steps: [1, 2] };
    seen!: string[]; items!: number[]; problems!: Record<string, string>;
    look() {
      return [this.rate, this.names, this.since.toISOString(), this.double, this.settings.folds, this.prompt, this.raw.length, this.unit.name, this.token.length].join(" ");
    }
    @step({ next: "work", foreach: "items" }) start() { this.seen = [this.look()]; this.items = [1, 2]; }
    @step({ next: "gather" }) work(item: number) { this.seen = [this.look()]; }
    @join({ next: "end" }) gather(inputs: Inputs<Fields>) { this.seen = [...inputs.flatMap((input) => input.seen), this.look(), String(inputs[0]!.rate)]; }
    @step() end() {
      this.seen.push(this.look());
      this.problems = {};
      const attempt = (name: string, change: () => void) => { try { change(); this.problems[name] = "allowed"; } catch (error: any) { this.problems[name] = error.code ?? error.name; } };
      attempt("parameter", () => { (this as any).rate = 1; });
      attempt("inside a parameter", () => { (this as any).names.push("b"); });
      attempt("config", () => { (this as any).settings = {}; });
      attempt("inside a config", () => { (this as any).settings.model.depth = 9; });
      attempt("file", () => { (this as any).prompt = "be rude"; });
      attempt("constant", () => { (this as any).unit = {}; });
      attempt("signal", () => { (this as any).signal = 1; });
      attempt("secret", () => { (this as any).token = "x"; });
    }`,
  ),
  "constant.ts": flowText("Constant", `readonly unit = { steps: [1] }; @step() start() { this.unit.steps.push(2); }`),
  "leaky.ts": flowText(
    "Leaky",
    `readonly token = param(z.string().min(60), { secret: true, env: "SHOP_TOKEN" }); @step() start() {}`,
  ),
  "throws.ts": flowText(
    "Throws",
    `readonly token = param(z.string(), { secret: true, env: "SHOP_TOKEN" }); @step() start() { throw new Error("no luck with a token of " + this.token.length); }`,
  ),
});
// Paths of config files start from the folder of the process.
const folderBefore = process.cwd();
process.chdir(project.folder);
afterAll(async () => {
  process.chdir(folderBefore);
  delete process.env.SHOP_TOKEN;
  await project[Symbol.asyncDispose]();
});

test("every task sees them, no task can change them, and the secret is stored nowhere", async () => {
  process.env.SHOP_TOKEN = SECRET;
  const watched = await project.run("fields.ts", { params: { rate: 0.25, names: ["x", "y"] } });
  if (watched.run === undefined) throw watched.error;
  const { values } = await observe(project, watched);
  const line = `0.25 x,y 1970-01-01T00:00:00.000Z 0.5 4 be kind 7 mm ${SECRET.length}`;
  expect(values).toEqual({
    rate: 0.25,
    names: ["x", "y"],
    since: new Date(0),
    double: 0.5,
    settings: { folds: 4, model: { depth: 2 } },
    prompt: "be kind",
    raw: Buffer.from("be kind"),
    unit: { name: "mm", steps: [1, 2] },
    seen: [line, line, line, "0.25", line],
    problems: {
      parameter: "FLOW_FLOW_READ_ONLY",
      "inside a parameter": "TypeError",
      config: "FLOW_FLOW_READ_ONLY",
      "inside a config": "TypeError",
      file: "FLOW_FLOW_READ_ONLY",
      constant: "FLOW_FLOW_READ_ONLY",
      signal: "FLOW_FLOW_READ_ONLY",
      secret: "FLOW_FLOW_READ_ONLY",
    },
  });
  expect(watched.record.parameters).toEqual({ rate: 0.25, names: ["x", "y"], since: expect.anything(), double: 0.5 });
  expect(watched.record.secretParameters).toEqual(["token"]);
  expect(
    Object.fromEntries(
      watched.record.artifacts.map((artifact: { name: string; kind: string }) => [artifact.name, artifact.kind]),
    ),
  ).toMatchObject({
    rate: "parameter",
    settings: "config",
    prompt: "file",
    unit: "constant",
    seen: "artifact",
  });
  expect(JSON.stringify(watched.events)).not.toContain(SECRET);
  expect(project.storeHolds(SECRET)).toBe(false);
  expect(project.storeHolds("be kind")).toBe(true); // The search itself finds what is there.
});

test("the command reads them from flags, a file and the environment, and keeps no secret either", async () => {
  project.write({ "params.json": JSON.stringify({ rate: 0.75, token: `${SECRET}-of-the-file` }) });
  const env = { MILLRACE_PARAM_RATE: "0.9", MILLRACE_PARAM_DOUBLE: "8" };
  const { code, stderr, lines } = await project.flow(
    [
      "run",
      "fields.ts",
      "--params",
      "params.json",
      "--names",
      "p",
      "--names",
      "q",
      "--settings",
      "other.json",
      "--json",
    ],
    { env },
  );
  expect([code, stderr]).toEqual([0, ""]);
  expect(lines.at(-1).record.parameters).toMatchObject({ rate: 0.75, names: ["p", "q"], double: 8 });
  expect((await project.here(["dump", lines.at(-1).record.run, "settings", "--json"])).lines[0].value).toEqual({
    folds: 5,
    model: { depth: 3 },
  });
  const refused = await project.flow(["run", "leaky.ts"], { env: { SHOP_TOKEN: SECRET } });
  expect([refused.code, refused.stdout]).toEqual([2, ""]);
  expect(refused.stderr).toContain("FLOW_PARAMETER_INVALID");
  expect(refused.stderr).not.toContain(SECRET);
  const onLine = await project.here(["run", "leaky.ts", "--token", SECRET]);
  expect(onLine.code).toBe(2);
  const failed = await project.flow(["run", "throws.ts", "--json"], { env: { SHOP_TOKEN: SECRET } });
  expect([failed.code, failed.stdout.includes(SECRET)]).toEqual([1, false]);
  expect(project.storeHolds(SECRET)).toBe(false);
});

test("a constant that a step changes in place fails the run instead of losing the change", async () => {
  expect((await project.run("constant.ts")).error).toMatchObject({
    code: "FLOW_RUN_FAILED",
    cause: { code: "FLOW_FLOW_CONSTANT_CHANGED" },
  });
});
