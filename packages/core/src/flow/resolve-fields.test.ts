import { describe, expect, test } from "vitest";
import * as z from "zod";
import { config } from "./config.ts";
import { Flow } from "./flow.ts";
import { includeFile } from "./include-file.ts";
import { param } from "./param.ts";
import type { FlowClass } from "./public-types.ts";
import { type FieldSources, resolveFields } from "./resolve-fields.ts";
import { upstream } from "./upstream.ts";

const files: Readonly<Record<string, string | Uint8Array>> = {
  "config.json": '{"folds": 7}',
  "other.json": '\ufeff{"folds": 9}',
  "bad.json": "{folds: 7}",
  "few.json": '{"folds": 1, "extra": true}',
  "prompt.txt": "Grüße",
  "latin1.txt": Uint8Array.of(0x47, 0xfc),
};

async function readFile(path: string): Promise<Uint8Array> {
  const found = files[path];
  if (found === undefined) throw Object.assign(new Error(`open '${path}'`), { code: "ENOENT" });
  return typeof found === "string" ? new TextEncoder().encode(found) : found;
}

function resolve(flowClass: FlowClass, sources: Partial<FieldSources> = {}) {
  return resolveFields(flowClass, { flags: {}, environment: {}, readFile, ...sources });
}

/** Values by name, or the problems. */
async function valuesOf(flowClass: FlowClass, sources: Partial<FieldSources> = {}): Promise<unknown> {
  const { fields, problems } = await resolve(flowClass, sources);
  return problems.length > 0
    ? problems.map(({ message }) => message)
    : Object.fromEntries(fields.map(({ name, value }) => [name, value]));
}

class Folds extends Flow {
  readonly folds = param(z.coerce.number().int().min(2).default(5), { short: "k", env: "FOLDS" });
}

class Kinds extends Flow {
  readonly text = param(z.string().optional());
  readonly count = param(z.number().optional());
  readonly flag = param(z.boolean().optional());
  readonly soft = param(z.stringbool().optional());
  readonly list = param(z.array(z.number()).optional());
  readonly names = param(z.array(z.string()).optional());
  readonly box = param(z.object({ a: z.number() }).optional());
  readonly level = param(z.union([z.literal("auto"), z.literal(3)]).optional());
  readonly mode = param(z.enum(["config", "test_config"]).optional());
  readonly day = param(z.coerce.date().optional());
  readonly big = param(z.coerce.bigint().optional());
  readonly point = param(z.tuple([z.number(), z.string()]).optional());
}

async function fromFlag(name: keyof Kinds, given: string | readonly string[] | boolean): Promise<unknown> {
  const result = await valuesOf(Kinds, { flags: { [name]: given } });
  return Array.isArray(result) ? result : (result as Record<string, unknown>)[name];
}

describe("where a value comes from", () => {
  const all = {
    flags: { folds: "10" },
    paramsFile: { folds: 9 },
    environment: { FOLDS: "8", MILLRACE_PARAM_FOLDS: "7" },
  };

  test("flag, then file, then environment, then default", async () => {
    const found: unknown[] = [];
    for (const sources of [
      all,
      { ...all, flags: {} },
      { environment: all.environment },
      { environment: { MILLRACE_PARAM_FOLDS: "7" } },
      {},
    ]) {
      const { fields, problems } = await resolve(Folds, sources);
      expect(problems).toEqual([]);
      found.push([fields[0]!.value, fields[0]!.encoded, fields[0]!.source]);
    }
    expect(found).toEqual([
      [10, 10, "flag"],
      [9, 9, "file"],
      [8, 8, "environment"],
      [7, 7, "environment"],
      [5, 5, "default"],
    ]);
  });

  test("a problem says where the value was given", async () => {
    const problem = "Too small: expected number to be >=2";
    expect(await valuesOf(Folds, { flags: { folds: "1" } })).toEqual([`--folds 1: ${problem}`]);
    expect(await valuesOf(Folds, { paramsFile: { folds: 1 } })).toEqual([
      `"folds": 1 in the --params file: ${problem}`,
    ]);
    expect(await valuesOf(Folds, { environment: { FOLDS: "1" } })).toEqual([`FOLDS=1: ${problem}`]);
    expect(await valuesOf(Folds, { values: { folds: 1 } })).toEqual([`params.folds: ${problem}`]);
  });

  test("all problems come at once", async () => {
    class Several extends Folds {
      readonly mode = param(z.enum(["config", "test_config"]));
      readonly rest = param(z.string());
    }
    const { fields, problems } = await resolve(Several, {
      flags: { folds: "x", mode: "test_conf" },
      paramsFile: { flods: 3 },
    });
    expect(fields).toEqual([]);
    expect(problems.map(({ code, message, hint }) => [code, message, hint])).toEqual([
      ["FLOW_PARAMETER_UNKNOWN", 'Unknown parameter "flods" in the --params file', 'Did you mean "folds"?'],
      ["FLOW_PARAMETER_INVALID", "--folds x: Invalid input: expected number, received NaN", undefined],
      ["FLOW_PARAMETER_INVALID", '--mode test_conf: Choices: "config", "test_config"', 'Did you mean "test_config"?'],
      ["FLOW_PARAMETER_MISSING", "--rest: Required", "Give --rest"],
    ]);
  });

  test("flags and file entries go by field name or by flag", async () => {
    class Named extends Flow {
      readonly foldCount = param(z.number());
    }
    for (const sources of [
      { flags: { foldCount: "3" } },
      { flags: { "fold-count": "3" } },
      { paramsFile: { "fold-count": 3 } },
      { environment: { MILLRACE_PARAM_FOLD_COUNT: "3" } },
    ]) {
      expect(await valuesOf(Named, sources)).toEqual({ foldCount: 3 });
    }
  });
});

describe("what a text means", () => {
  test.each<[keyof Kinds, string | readonly string[] | boolean, unknown]>([
    ["text", "3", "3"],
    ["text", "", ""],
    ["count", "3.5", 3.5],
    ["count", "-1e3", -1000],
    ["flag", "true", true],
    ["flag", "false", false],
    ["flag", true, true],
    ["soft", "yes", true],
    ["soft", false, false],
    ["list", "[1, 2]", [1, 2]],
    ["list", ["1", "2"], [1, 2]],
    ["list", "4", [4]],
    ["list", ["[4, 5]"], [4, 5]],
    ["names", ["1", "b"], ["1", "b"]],
    ["names", "a,b", ["a,b"]],
    ["box", '{"a": 1}', { a: 1 }],
    ["level", "auto", "auto"],
    ["level", "3", 3],
    ["mode", "config", "config"],
    ["day", "2026-01-02T00:00:00.000Z", new Date("2026-01-02")],
    ["big", "12345678901234567890", 12345678901234567890n],
    ["point", ["1", "2"], [1, "2"]],
    ["point", '[1, "2"]', [1, "2"]],
    ["point", ['[1, "2"]'], [1, "2"]],
  ])("--%s %j", async (name, given, value) => {
    expect(await fromFlag(name, given)).toEqual(value);
  });

  test.each<[keyof Kinds, string | readonly string[], string]>([
    ["count", "three", "--count three: Invalid input: expected number, received string"],
    ["count", "", "--count '': Invalid input: expected number, received string"],
    ["count", ["1", "2"], "--count 1 --count 2: Invalid input: expected number, received array"],
    ["flag", "maybe", "--flag maybe: Invalid input: expected boolean, received string"],
    ["list", ["1", "x"], "--list 1 --list x: [1]: Invalid input: expected number, received string"],
    ["list", "[1", "--list [1: Not JSON: "],
    ["box", "a: 1", "--box 'a: 1': Not JSON: "],
    ["box", '{"a": "1"}', `--box '{"a": "1"}': a: Invalid input: expected number, received string`],
    ["point", ["1", "2", "3"], "--point 1 --point 2 --point 3: Too big"],
    ["day", "soon", "--day soon: Not a date"],
    ["count", "x".repeat(100), "… (100 characters, cut)'"],
    ["mode", "prod", '--mode prod: Choices: "config", "test_config"'],
  ])("--%s %j is refused", async (name, given, message) => {
    expect(await fromFlag(name, given)).toEqual([expect.stringContaining(message)]);
  });

  test("a file's boolean serves a schema that takes text", async () => {
    expect(await valuesOf(Kinds, { paramsFile: { soft: true } })).toMatchObject({ soft: true });
  });
});

describe("what is stored", () => {
  test("is JSON that reads back to the same value", async () => {
    const { fields } = await resolve(Kinds, { flags: { day: "2026-01-02", big: "7", soft: "on", list: "[1]" } });
    expect(
      Object.fromEntries(
        fields.filter(({ encoded }) => encoded !== undefined).map(({ name, encoded }) => [name, encoded]),
      ),
    ).toEqual({ day: "2026-01-02T00:00:00.000Z", big: "7", soft: "true", list: [1] });
  });

  test("comes from code by way of the encoder", async () => {
    const { fields, problems } = await resolve(Kinds, {
      values: { day: new Date(5), soft: true, mode: undefined, text: "x" },
    });
    expect(problems).toEqual([]);
    expect(
      fields.filter(({ source }) => source === "code").map(({ name, value, encoded }) => [name, value, encoded]),
    ).toEqual([
      ["text", "x", "x"],
      ["soft", true, "true"],
      ["day", new Date(5), "1970-01-01T00:00:00.005Z"],
    ]);
    expect(await valuesOf(Kinds, { values: { count: "3", nope: 1 } })).toEqual([
      'Unknown parameter "nope" in params',
      "params.count: Invalid input: expected number, received string",
    ]);
  });

  test("must not be lost or changed", async () => {
    class Lossy extends Flow {
      readonly map = param(z.map(z.string(), z.number()).optional());
      readonly date = param(z.date().optional());
    }
    const { problems } = await resolve(Lossy, { values: { map: new Map(), date: new Date(0) } });
    expect(problems.map((problem) => problem.code)).toEqual([
      "FLOW_PARAMETER_NOT_STORABLE",
      "FLOW_PARAMETER_NOT_STORABLE",
    ]);
    expect(await valuesOf(Lossy, { values: { map: new Map(), date: new Date(0) } })).toEqual([
      "params.map: Cannot be stored as JSON: it holds a Map",
      "params.date: Cannot be stored: encoded and read back it is another value",
    ]);
  });
});

describe("secrets", () => {
  class Secret extends Flow {
    readonly token = param(z.string().min(5), { secret: true });
    readonly box = param(z.object({ key: z.string() }).optional(), { secret: true });
  }

  test("come from the environment or the file, and are not encoded", async () => {
    const { fields } = await resolve(Secret, { environment: { MILLRACE_PARAM_TOKEN: "hunter2" } });
    expect(fields[0]).toEqual({
      name: "token",
      kind: "parameter",
      value: "hunter2",
      secret: true,
      source: "environment",
    });
    expect(await valuesOf(Secret, { paramsFile: { token: "hunter2" } })).toMatchObject({ token: "hunter2" });
  });

  test("that are missing name their variables and the file, never a flag", async () => {
    class Named extends Secret {
      readonly apiKey = param(z.string(), { secret: true, env: "SHOP_KEY" });
      readonly circle: string = param(z.string(), { secret: true, default: (): string => this.circle });
    }
    const { problems } = await resolve(Named);
    expect(problems.map(({ message, hint }) => [message, hint])).toEqual([
      [
        'The secret "token": Required',
        'Set the environment variable MILLRACE_PARAM_TOKEN, or put "token" into the --params file',
      ],
      [
        'The secret "apiKey": Required',
        'Set the environment variable SHOP_KEY or MILLRACE_PARAM_API_KEY, or put "apiKey" into the --params file',
      ],
      [
        expect.stringContaining('Cannot work out the default of "circle"'),
        expect.stringContaining("MILLRACE_PARAM_CIRCLE"),
      ],
    ]);
    expect(JSON.stringify(problems)).not.toMatch(/--(?!params)/);
  });

  test("are refused as flags, and never shown", async () => {
    const flagged = await resolve(Secret, { flags: { token: "hunter2" } });
    expect(flagged.problems.map(({ code }) => code)).toEqual(["FLOW_PARAMETER_SECRET_FLAG"]);
    const wrong = await resolve(Secret, { environment: { MILLRACE_PARAM_TOKEN: "hunt", MILLRACE_PARAM_BOX: "{hunt" } });
    expect(wrong.problems.map(({ message }) => message)).toEqual([
      "MILLRACE_PARAM_TOKEN: Invalid value",
      "MILLRACE_PARAM_BOX: Invalid value",
    ]);
    const inFile = await resolve(Secret, { paramsFile: { token: "hunt" } });
    expect(inFile.problems.map(({ message }) => message)).toEqual(['"token" in the --params file: Invalid value']);
    expect(JSON.stringify([flagged, wrong])).not.toContain("hunt");
  });
});

describe("files", () => {
  class Files extends Flow {
    readonly conf = config(z.object({ folds: z.number().min(2) }), { default: "config.json" });
    readonly prompt = includeFile({ encoding: "utf8", default: "prompt.txt" });
    readonly bytes = includeFile({ default: "latin1.txt" });
  }

  test("are read from their default, or the path that is given", async () => {
    expect(await valuesOf(Files)).toEqual({ conf: { folds: 7 }, prompt: "Grüße", bytes: Uint8Array.of(0x47, 0xfc) });
    expect(
      await valuesOf(Files, { flags: { conf: "other.json" }, environment: { MILLRACE_PARAM_BYTES: "prompt.txt" } }),
    ).toMatchObject({ conf: { folds: 9 }, bytes: new TextEncoder().encode("Grüße") });
    const { fields } = await resolve(Files);
    expect(fields.map(({ kind, encoded, source }) => [kind, encoded, source])).toEqual([
      ["config", { folds: 7 }, "default"],
      ["file", undefined, "default"],
      ["file", undefined, "default"],
    ]);
  });

  test("that cannot be used are named with the path", async () => {
    const { problems } = await resolve(Files, { flags: { conf: "nowhere.json" } });
    expect(problems.map((problem) => problem.code)).toEqual(["FLOW_PARAMETER_BAD_FILE"]);
    expect(await valuesOf(Files, { flags: { conf: "nowhere.json", prompt: "latin1.txt" } })).toEqual([
      '--conf "nowhere.json": Cannot read the file: no such file',
      '--prompt "latin1.txt": It is not UTF-8',
    ]);
    expect(await valuesOf(Files, { flags: { conf: "bad.json" } })).toEqual([
      expect.stringContaining('--conf "bad.json": Not JSON: '),
    ]);
    expect(await valuesOf(Files, { flags: { conf: "few.json" } })).toEqual([
      '--conf "few.json": folds: Too small: expected number to be >=2',
    ]);
    expect(await valuesOf(Files, { flags: { conf: true } })).toEqual(["--conf: Expected the path of a file"]);
  });

  test("may come from code as values", async () => {
    expect(await valuesOf(Files, { values: { conf: { folds: 3 }, prompt: "Hi", bytes: Uint8Array.of(1) } })).toEqual({
      conf: { folds: 3 },
      prompt: "Hi",
      bytes: Uint8Array.of(1),
    });
    expect(await valuesOf(Files, { values: { conf: { folds: 1 }, bytes: "text" } })).toEqual([
      "params.conf: folds: Too small: expected number to be >=2",
      "params.bytes: Expected a Uint8Array",
    ]);
  });

  test("without a default must be given, unless the schema takes nothing", async () => {
    class Bare extends Flow {
      readonly conf = config(z.object({}));
      readonly maybe = config(z.object({ n: z.number() }).default({ n: 1 }));
      readonly text = includeFile();
    }
    expect(await valuesOf(Bare)).toEqual(["--conf: Required", "--text: Required"]);
  });
});

describe("late defaults", () => {
  class Late extends Flow {
    readonly total = param(z.number(), { default: () => this.folds * this.each });
    readonly folds = param(z.coerce.number(), { default: () => this.conf.folds });
    readonly each = param(z.number().default(10));
    readonly conf = config(z.object({ folds: z.number() }), { default: "config.json" });
  }

  test("see configs, parameters and each other", async () => {
    expect(await valuesOf(Late)).toEqual({ total: 70, folds: 7, each: 10, conf: { folds: 7 } });
    expect(await valuesOf(Late, { flags: { folds: "2" } })).toMatchObject({ total: 20, folds: 2 });
  });

  test("are checked like any value", async () => {
    class Wrong extends Flow {
      readonly n = param(z.number().max(3), { default: () => 4 });
    }
    expect(await valuesOf(Wrong)).toEqual(['the default of "n": Too big: expected number to be <=3']);
  });

  test("that need a field with a problem are left to that problem", async () => {
    expect(await valuesOf(Late, { flags: { conf: "bad.json" } })).toEqual([expect.stringContaining("Not JSON")]);
  });

  test("that wait for each other, throw, or need an upstream", async () => {
    class Circle extends Flow {
      readonly a: number = param(z.number(), { default: () => this.b });
      readonly b: number = param(z.number(), { default: () => this.a });
      readonly c = param(z.number(), { default: () => JSON.parse("{") });
      readonly model = upstream("Train");
      readonly d = param(z.string(), { default: () => this.model.run.id });
    }
    const { problems } = await resolve(Circle);
    expect(problems.map(({ code, message }) => [code, message])).toEqual([
      ["FLOW_PARAMETER_CYCLE", 'Cannot work out the default of "b": "a" → "b" → "a" wait for each other'],
      ["FLOW_PARAMETER_INVALID", expect.stringContaining('Cannot work out the default of "c": ')],
      ["FLOW_PARAMETER_INVALID", 'Cannot work out the default of "d": Cannot read "model" here: it has no value yet'],
    ]);
  });
});

test("asynchronous checks are awaited", async () => {
  class Checked extends Flow {
    readonly n = param(
      z
        .number()
        .refine(async (n) => n % 2 === 0, "Not even")
        .default(2),
    );
  }
  expect(await valuesOf(Checked, { flags: { n: "4" } })).toEqual({ n: 4 });
  expect(await valuesOf(Checked, { flags: { n: "3" } })).toEqual(["--n 3: Not even"]);
});
