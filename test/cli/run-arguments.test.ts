import { expect, test } from "vitest";
import type { Flag } from "../../packages/cli/src/arguments/flag.ts";
import { flagClashes, flowFlags, kebabCase } from "../../packages/cli/src/arguments/flow-flags.ts";
import { readFlowWords, readRunWords } from "../../packages/cli/src/arguments/run-arguments.ts";
import type { FlowDefinition, ParamDefinition } from "../../packages/core/src/flow/definition.ts";

const own: readonly Flag[] = [
  { name: "tag", type: "list", help: "" },
  { name: "json", type: "boolean", help: "" },
  { name: "store", type: "text", help: "" },
];
const param = (name: string, more: Partial<ParamDefinition> = {}): ParamDefinition => ({
  name,
  flag: kebabCase(name),
  hidden: false,
  secret: false,
  required: false,
  type: "string",
  ...more,
});
const definition: FlowDefinition = {
  project: "shop",
  name: "Predict",
  formerly: [],
  steps: [],
  params: [
    param("configuration", {
      choices: ["config", "test_config"],
      defaultText: '"config"',
      help: "Which settings to run with.",
    }),
    param("foldCount", { type: "integer", short: "k", env: "FOLDS" }),
    param("fast", { type: "boolean" }),
    param("only", { type: "array" }),
    param("apiKey", { secret: true, env: "API_KEY" }),
  ],
  upstreams: [
    { name: "model", flow: { name: "Train" }, tags: ["prod:v1"], hasLateTags: false, optional: false },
    { name: "trainingData", flow: { name: "Collect" }, tags: [], hasLateTags: false, optional: false },
  ],
  artifacts: [],
  configs: [{ name: "settings", flag: "settings", defaultPath: "settings.json", required: false }],
  files: [],
  constants: [],
};

test("values go to the run by field name, upstreams apart", () => {
  const { flags, upstreams, faults, positionals } = readFlowWords(
    [
      "predict.ts",
      "--configuration",
      "test_config",
      "--foldCount=5",
      "--no-fast",
      "--only",
      "a",
      "--only",
      "b",
      "--settings",
      "s.json",
      "--model-tag",
      "prod:v1",
      "--model-tag",
      "eu",
      "--trainingData-run",
      "Collect/3",
      "--tag",
      "x",
    ],
    own,
    definition,
  );
  expect(faults).toEqual([]);
  expect(positionals).toEqual(["predict.ts"]);
  expect(flags).toEqual({
    configuration: "test_config",
    foldCount: "5",
    fast: false,
    only: ["a", "b"],
    settings: "s.json",
  });
  expect(upstreams).toEqual({ model: { tags: ["prod:v1", "eu"] }, trainingData: { run: "Collect/3" } });
});

test("the file is found wherever it stands, before the flow's flags are known", () => {
  for (const words of [
    ["train.ts", "--configuration", "x"],
    ["--configuration", "x", "train.ts"],
    ["--model-tag", "other.ts", "train.ts"],
    ["--store", "a.ts", "--", "train.ts"],
  ]) {
    expect(readRunWords(words, own).file).toBe("train.ts");
  }
  expect(readRunWords(["--json"], own).file).toBeUndefined();
});

test("an unknown flag is compared with the flow's flags too", () => {
  const { faults } = readFlowWords(["predict.ts", "--configurtion", "x"], own, definition);
  expect(faults).toMatchObject([{ kind: "unknown-flag", flag: "--configurtion" }]);
  expect(faults[0]).toMatchObject({ known: expect.arrayContaining(["--configuration", "--model-tag", "--tag"]) });
});

test("a secret is refused as a flag, with where to put it", () => {
  const { faults } = readFlowWords(["predict.ts", "--api-key", "hunter2"], own, definition);
  expect(faults).toMatchObject([{ kind: "unknown-flag", hint: expect.stringContaining("API_KEY") }]);
  expect(JSON.stringify(faults)).not.toContain("hunter2");
});

test("help of a parameter names choices, default and environment", () => {
  const [configuration, folds] = flowFlags(definition).params;
  expect(configuration!.help).toBe('Which settings to run with; one of config, test_config; default "config"');
  expect(folds).toMatchObject({ name: "fold-count", short: "k", help: "or FOLDS in the environment" });
});

test("a secret stands in the help with where it comes from, and not among the flags", () => {
  const { params, secrets } = flowFlags({
    ...definition,
    params: [
      param("apiKey", { secret: true, env: "API_KEY", help: "The key.", required: true }),
      param("dbPassword", { secret: true, flag: "db-password" }),
      param("inner", { secret: true, hidden: true }),
    ],
  });
  expect(params.filter((flag) => /key|password|inner/i.test(flag.name))).toEqual([]);
  expect(secrets).toEqual([
    ["apiKey", "The key; required; secret: from environment API_KEY or --params only"],
    ["dbPassword", "secret: from environment MILLRACE_PARAM_DB_PASSWORD or --params only"],
  ]);
});

test("a field that would take a flag of the command, or of another field, is named", () => {
  const clash = { ...definition, params: [param("store"), param("modelTag")] };
  expect(flagClashes(flowFlags(clash), own).map((problem) => problem.message)).toEqual([
    'The flag --store of "store" is already that of flow run itself',
    'The flag --model-tag of "model" is already that of "modelTag"',
  ]);
  expect(flagClashes(flowFlags(definition), own)).toEqual([]);
});

test.each([
  ["foldCount", "fold-count"],
  ["useGPU", "use-gpu"],
  ["HTTPPort", "http-port"],
  ["model", "model"],
  ["k2", "k2"],
])("%s is the flag --%s", (name, flag) => expect(kebabCase(name)).toBe(flag));
