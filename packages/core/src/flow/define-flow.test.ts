import { describe, expect, test } from "vitest";
import * as z from "zod";
import { isFlowError, type Problem } from "../errors/flow-error.ts";
import { artifact } from "./artifact.ts";
import { config } from "./config.ts";
import { choose, join, step } from "./decorators.ts";
import { defineFlow } from "./define-flow.ts";
import { Flow } from "./flow.ts";
import { flowClassesOf } from "./flow-classes-of.ts";
import { includeFile } from "./include-file.ts";
import { param } from "./param.ts";
import type { FlowClass, Inputs } from "./public-types.ts";
import { sourceFileOf } from "./source-file.ts";
import { upstream } from "./upstream.ts";

const project = "shop";

function problemsOf(flowClass: FlowClass): readonly Problem[] {
  try {
    defineFlow(flowClass, { project });
    return [];
  } catch (error) {
    if (isFlowError(error)) return error.problems;
    throw error;
  }
}

function codesOf(flowClass: FlowClass): readonly string[] {
  return problemsOf(flowClass).map((problem) => problem.code);
}

/** Decorators and options as they reach us when type errors are ignored. */
const untyped = { step, choose, param, upstream, config, includeFile } as unknown as Record<
  string,
  (...options: readonly unknown[]) => any
>;

class GenerateData extends Flow {
  rows!: number[];
  @step({ next: "end" })
  start() {}
  @step()
  end() {}
}

class Nested extends Flow {
  readonly inner = upstream(GenerateData);
  @step()
  start() {}
}

class Train extends Flow {
  static readonly formerly = ["Fit"];
  readonly configuration = param(z.enum(["config", "test_config"]).default("config").describe("Which settings"), {
    short: "c",
  });
  readonly foldCount = param(z.coerce.number().int().min(2), { env: "FOLDS" });
  readonly strictly = param(z.stringbool().default(false), { hidden: true });
  readonly day = param(
    z
      .codec(z.iso.datetime(), z.date(), { decode: (text) => new Date(text), encode: (date) => date.toISOString() })
      .optional(),
  );
  readonly levels = param(z.array(z.number()).default([1, 2]));
  readonly late = param(z.number(), { default: () => this.conf.n });
  readonly token = param(z.string(), { secret: true });
  readonly conf = config(z.object({ n: z.number() }), { default: "config.json" });
  readonly prompt = includeFile({ encoding: "utf8" });
  readonly source = upstream(GenerateData, { tags: ["prod:v1"], maxAge: "7d" });
  readonly nested = upstream(Nested);
  readonly previous = upstream(Train, { optional: true, tags: () => [this.configuration] });
  readonly raw = upstream(GenerateData, { sameAs: this.nested.upstreams.inner });
  readonly other = upstream<GenerateData>("@acme/other/GenerateData");
  scores = artifact(z.array(z.number()));
  contenders!: string[];
  verdict!: "good" | "bad";
  limits = { depth: 3 };
  format = (n: number) => n.toFixed(2);
  #cache = new Map();

  @step({ next: "evaluate", foreach: "contenders", maxParallel: 4 })
  start() {
    this.#cache.clear();
  }
  @step({ next: "pickBest" })
  evaluate(_contender: string, _index: number) {}
  @join({ next: "judge" })
  pickBest(_inputs: Inputs<Train>) {}
  @choose({ on: "verdict", next: { good: "end", bad: "again" } })
  judge() {}
  @step({ next: "end" })
  again() {}
  @step()
  end() {}
}

describe("the definition of a flow", () => {
  const definition = defineFlow(Train, { project });

  test("says of declared artifacts what JSON Schema can say", () => {
    expect(definition.schemas).toEqual({ scores: { type: "array", items: { type: "number" } } });
  });

  test("is plain JSON", () => {
    expect(JSON.parse(JSON.stringify(definition))).toEqual(definition);
    expect({ project: definition.project, name: definition.name, formerly: definition.formerly }).toEqual({
      project: "shop",
      name: "Train",
      formerly: ["Fit"],
    });
  });

  test("holds steps with their edges, arity and place", () => {
    expect(definition.steps.map(({ location, ...rest }) => rest)).toEqual([
      {
        name: "start",
        kind: "step",
        isJoin: false,
        next: ["evaluate"],
        foreach: "contenders",
        behaviour: { maxParallel: 4 },
        arity: 0,
      },
      { name: "evaluate", kind: "step", isJoin: false, next: ["pickBest"], behaviour: {}, arity: 2 },
      { name: "pickBest", kind: "join", isJoin: true, next: ["judge"], behaviour: {}, arity: 1 },
      {
        name: "judge",
        kind: "choose",
        isJoin: false,
        next: ["end", "again"],
        on: "verdict",
        cases: [
          { value: "good", target: "end" },
          { value: "bad", target: "again" },
        ],
        behaviour: {},
        arity: 0,
      },
      { name: "again", kind: "step", isJoin: false, next: ["end"], behaviour: {}, arity: 0 },
      { name: "end", kind: "step", isJoin: false, next: [], behaviour: {}, arity: 0 },
    ]);
    const lines = definition.steps.map(({ location }) => location!.line);
    expect(definition.steps[0]!.location!.file).toBe(import.meta.filename);
    expect(lines).toEqual([...lines].sort((left, right) => left - right));
  });

  test("holds parameters as their schemas describe them", () => {
    expect(definition.params).toEqual([
      {
        name: "configuration",
        flag: "configuration",
        short: "c",
        hidden: false,
        secret: false,
        help: "Which settings",
        required: false,
        defaultText: '"config"',
        choices: ["config", "test_config"],
        type: "string",
      },
      {
        name: "foldCount",
        flag: "fold-count",
        env: "FOLDS",
        hidden: false,
        secret: false,
        required: true,
        type: "integer",
      },
      {
        name: "strictly",
        flag: "strictly",
        hidden: true,
        secret: false,
        required: false,
        defaultText: '"false"',
        type: "boolean",
      },
      { name: "day", flag: "day", hidden: false, secret: false, required: false, type: "string" },
      {
        name: "levels",
        flag: "levels",
        hidden: false,
        secret: false,
        required: false,
        defaultText: "[1,2]",
        type: "array",
      },
      { name: "late", flag: "late", hidden: false, secret: false, required: false, type: "number" },
      {
        name: "token",
        flag: "token",
        hidden: false,
        secret: true,
        environment: ["MILLRACE_PARAM_TOKEN"],
        required: true,
        type: "string",
      },
    ]);
  });

  test("holds upstreams, files, artifacts and constants; functions and private fields are none of them", () => {
    expect(definition.upstreams).toEqual([
      {
        name: "source",
        flow: { project: "shop", name: "GenerateData" },
        tags: ["prod:v1"],
        hasLateTags: false,
        maxAge: "7d",
        optional: false,
        upstreamNames: [],
      },
      {
        name: "nested",
        flow: { project: "shop", name: "Nested" },
        tags: [],
        hasLateTags: false,
        optional: false,
        upstreamNames: ["inner"],
      },
      {
        name: "previous",
        flow: { project: "shop", name: "Train" },
        tags: [],
        hasLateTags: true,
        optional: true,
        upstreamNames: ["source", "nested", "previous", "raw", "other"],
      },
      {
        name: "raw",
        flow: { project: "shop", name: "GenerateData" },
        tags: [],
        hasLateTags: false,
        sameAs: ["nested", "inner"],
        optional: false,
        upstreamNames: [],
      },
      {
        name: "other",
        flow: { project: "@acme/other", name: "GenerateData" },
        tags: [],
        hasLateTags: false,
        optional: false,
      },
    ]);
    expect(definition.configs).toEqual([{ name: "conf", flag: "conf", defaultPath: "config.json", required: false }]);
    expect(definition.files).toEqual([{ name: "prompt", flag: "prompt", required: true }]);
    expect([definition.artifacts, definition.constants]).toEqual([["scores"], ["limits"]]);
  });

  test("asks for the project of a producer's own file", () => {
    const { upstreams } = defineFlow(Train, {
      project,
      projectOf: (file) => (file === import.meta.filename ? "other" : undefined),
    });
    expect(upstreams[0]!.flow).toEqual({ project: "other", name: "GenerateData" });
  });

  test("steps of a subclass follow those of its base, an override keeps its place and may keep its edges", () => {
    class Base extends Flow {
      @step({ next: "work" })
      start() {}
      @step({ next: "end" })
      work() {}
      @step()
      end() {}
    }
    class Child extends Base {
      override work(): void {}
      @step({ next: "extra" })
      override start() {}
      @step({ next: "end" })
      extra() {}
    }
    expect(defineFlow(Child, { project }).steps.map(({ name, next }) => [name, ...next])).toEqual([
      ["start", "extra"],
      ["work", "end"],
      ["end"],
      ["extra", "end"],
    ]);
    expect(defineFlow(Base, { project }).steps.map(({ name, next }) => [name, ...next])).toEqual([
      ["start", "work"],
      ["work", "end"],
      ["end"],
    ]);
  });

  test("flowName names the class, but not its subclasses", () => {
    class Named extends Flow {
      static override readonly flowName: string = "Nightly";
      @step()
      start() {}
    }
    class Child extends Named {}
    expect([defineFlow(Named, { project }).name, defineFlow(Child, { project }).name]).toEqual(["Nightly", "Child"]);
  });

  test("another copy of the package is understood", async () => {
    const copy = (await import(`./decorators.ts?${"copy"}`)) as typeof import("./decorators.ts");
    const { Flow: OtherFlow } = (await import(`./flow.ts?${"copy"}`)) as typeof import("./flow.ts");
    const { param: otherParam } = (await import(`./param.ts?${"copy"}`)) as typeof import("./param.ts");
    expect(OtherFlow).not.toBe(Flow);
    class Other extends OtherFlow {
      readonly n = otherParam(z.number().default(1));
      @copy.step()
      start() {}
    }
    expect(defineFlow(Other as unknown as FlowClass, { project })).toMatchObject({
      name: "Other",
      steps: [{ name: "start" }],
      params: [{ name: "n" }],
    });
  });
});

describe("the file of a flow", () => {
  test("is where its decorators stand", () => {
    expect(sourceFileOf(Train)).toBe(import.meta.filename);
  });

  test("is not known for a class without steps", () => {
    class Stepless extends Flow {}
    expect(() => sourceFileOf(Stepless)).toThrow(expect.objectContaining({ code: "FLOW_FLOW_NO_SOURCE" }));
  });
});

describe("exports of a module", () => {
  test("the default export comes first, each flow once, and classes without steps never", () => {
    class Bare extends Flow {}
    expect(flowClassesOf({ Train, Bare, GenerateData, default: GenerateData, help: () => {}, answer: 42 })).toEqual([
      { exportName: "default", flow: GenerateData },
      { exportName: "Train", flow: Train },
    ]);
  });
});

describe("all that is wrong with a flow", () => {
  test("an option of another decorator leads to it; one of none, to those that there are", () => {
    class Wrong extends Flow {
      @untyped.step!({ next: "end", on: "size" })
      start() {}
      @untyped.step!({ colour: "red" })
      end() {}
    }
    expect(problemsOf(Wrong).map(({ hint }) => hint)).toEqual([
      "It is an option of @choose",
      expect.stringMatching(/^@step takes next, foreach, retry, /),
    ]);
  });

  test("is told at once, with places and hints", () => {
    class Wrong extends Flow {
      readonly tag = param(z.string());
      readonly folds = param(z.string().transform((text) => text.length));
      @untyped.step!({ nxt: "end", retry: -2 })
      start() {}
      @step()
      end() {}
    }
    const problems = problemsOf(Wrong);
    expect(problems.map(({ code, message, hint }) => [code, message, hint])).toEqual([
      ["FLOW_DEFINITION_BAD_OPTION", 'Step "start" has the unknown option "nxt"', 'Did you mean "next"?'],
      [
        "FLOW_DEFINITION_BAD_OPTION",
        '"retry" of step "start" is -2 instead of a whole number from 0 to 1000',
        undefined,
      ],
      [
        "FLOW_DEFINITION_ONE_WAY",
        'The schema of "folds" holds a one-way transform, so its value could not be stored as it was given',
        "Use z.coerce, z.stringbool or z.codec, or compute the value in a step",
      ],
      [
        "FLOW_DEFINITION_RESERVED_NAME",
        '"tag" cannot have the flag --tag: it is one of the command line\'s own',
        "Rename the field",
      ],
    ]);
    expect(problems.every(({ location }) => location?.file === import.meta.filename && location.line > 180)).toBe(true);
  });

  test("a class without a name, without steps, or of another kind", () => {
    class Stepless extends Flow {}
    const anonymous = (() =>
      class extends Flow {
        @step()
        start() {}
      })();
    Object.defineProperty(anonymous, "name", { value: "default" });
    expect(codesOf(Stepless)).toEqual(["FLOW_DEFINITION_NO_STEPS"]);
    expect(codesOf(anonymous)).toEqual(["FLOW_DEFINITION_ANONYMOUS"]);
    expect(codesOf(Map as unknown as FlowClass)).toEqual(["FLOW_DEFINITION_NO_STEPS"]);
  });

  test("decorators on what is no public method", () => {
    class Misused extends Flow {
      @step()
      start() {}
      @untyped.step!()
      static never() {}
      @untyped.step!()
      get size() {
        return 1;
      }
      @untyped.step!()
      field = 1;
      @step()
      @step()
      twice() {}
    }
    expect(new Set(codesOf(Misused))).toEqual(new Set(["FLOW_DEFINITION_BAD_DECORATOR"]));
    expect(problemsOf(Misused).map(({ message }) => message)).toEqual([
      '@step cannot stand on "never": it is static',
      '@step cannot stand on "size": it is a getter',
      '@step cannot stand on "twice": it carries two step decorators',
      '@step cannot stand on "field": it is a field',
    ]);
  });

  test("malformed options", () => {
    class Malformed extends Flow {
      @untyped.step!({ next: 3, foreach: 4, maxParallel: 0 })
      start() {}
      @untyped.choose!({ next: ["a"] })
      pick() {}
      @untyped.choose!({ on: "x", next: { a: 1 }, join: "yes" })
      decide() {}
      @untyped.choose!({ on: "x", next: { "\ud800": "end", a: "end" } })
      half() {}
    }
    expect(new Set(codesOf(Malformed))).toEqual(new Set(["FLOW_DEFINITION_BAD_OPTION"]));
    expect(problemsOf(Malformed)).toHaveLength(8);
    expect(problemsOf(Malformed).at(-1)?.message).toContain('Case "\\ud800" of step "half" holds half of a character');
  });

  test("legacy decorators are refused at once, naming the file", () => {
    expect(() =>
      (step() as unknown as (target: object, key: string, descriptor: object) => void)({}, "start", {}),
    ).toThrow(
      expect.objectContaining({
        code: "FLOW_DEFINITION_LEGACY_DECORATORS",
        message: `Cannot use @step in "${import.meta.filename}": it was compiled with legacy decorators`,
      }),
    );
  });

  test("a field initialiser that computes with a definition", () => {
    class Early extends Flow {
      readonly n = param(z.number().default(1));
      readonly twice = this.n * 2;
      @step()
      start() {}
    }
    class EarlyText extends Flow {
      readonly name = param(z.string().default("x"));
      readonly greeting = `Hello ${this.name}`;
      @step()
      start() {}
    }
    class EarlyLook extends Flow {
      readonly conf = config(z.object({ n: z.number() }));
      readonly n = this.conf.n;
      @step()
      start() {}
    }
    for (const flowClass of [Early, EarlyText, EarlyLook]) {
      const [problem] = problemsOf(flowClass);
      expect(problem).toMatchObject({
        code: "FLOW_DEFINITION_TOO_EARLY",
        hint: "Read it in a step, or write an arrow: () => this.x",
      });
      expect(problem!.location).toMatchObject({ file: import.meta.filename });
    }
    expect(problemsOf(EarlyLook)[0]!.message).toBe(
      'Cannot compute with a config while the flow object is built (asked for "n"): it has no value yet',
    );
  });

  test("a constructor that throws", () => {
    class Throws extends Flow {
      readonly value = JSON.parse("{");
      @step()
      start() {}
    }
    expect(problemsOf(Throws)).toMatchObject([
      { code: "FLOW_DEFINITION_CONSTRUCTION", message: expect.stringContaining('Cannot construct flow "Throws": ') },
    ]);
  });

  test("names of fields and steps that are taken or cannot be names", () => {
    class Names extends Flow {
      // biome-ignore lint/suspicious/noThenProperty: it is what the test is about
      then!: number;
      "not a name" = 1;
      @step({ next: "constructor2" })
      start() {}
      @step()
      constructor2() {}
      toString2 = () => "";
    }
    expect(problemsOf(Names).map(({ code, message }) => [code, message])).toEqual([
      ["FLOW_DEFINITION_RESERVED_NAME", '"then" cannot name a field: every flow has a member of that name'],
      ["FLOW_DEFINITION_BAD_NAME", '"not a name" cannot name a field'],
    ]);
    class Members extends (Flow as unknown as new () => object) {
      @untyped.step!({ next: "valueOf" })
      signal() {}
      @untyped.step!()
      override valueOf() {
        return this;
      }
    }
    expect(codesOf(Members as unknown as FlowClass)).toEqual([
      "FLOW_DEFINITION_RESERVED_NAME",
      "FLOW_DEFINITION_RESERVED_NAME",
    ]);
  });

  test("a step named like a member of lists may not lead into a join", () => {
    class Lists extends Flow {
      @step({ next: ["map", "other"] })
      start() {}
      @step({ next: "join" })
      map() {}
      @step({ next: "join" })
      other() {}
      @join({ next: "end" })
      join() {}
      @step()
      end() {}
    }
    expect(problemsOf(Lists).map(({ message }) => message)).toEqual([
      'Step "map" leads into a join, where inputs.map is a member of every list',
    ]);
  });

  test("flags that clash", () => {
    class Flags extends Flow {
      readonly foldCount = param(z.number().default(1), { short: "f" });
      readonly fold_count = param(z.number().default(1), { short: "f" });
      readonly FoldCount = param(z.number().default(1), { short: "h" });
      readonly maxWorkers = param(z.number().default(1));
      readonly model = upstream(GenerateData);
      readonly modelTag = param(z.string().default(""));
      @step()
      start() {}
    }
    expect(codesOf(Flags)).toEqual([
      "FLOW_DEFINITION_DUPLICATE_FLAG",
      "FLOW_DEFINITION_DUPLICATE_FLAG",
      "FLOW_DEFINITION_RESERVED_NAME",
      "FLOW_DEFINITION_DUPLICATE_FLAG",
      "FLOW_DEFINITION_DUPLICATE_FLAG",
      "FLOW_DEFINITION_RESERVED_NAME",
    ]);
  });

  test("one definition in two fields, and an upstream of an upstream in a field", () => {
    class Shared extends Flow {
      readonly a = upstream(Train);
      readonly b = this.a;
      readonly c = this.a.upstreams.source;
      @step()
      start() {}
    }
    expect(codesOf(Shared)).toEqual(["FLOW_DEFINITION_SHARED", "FLOW_DEFINITION_BAD_UPSTREAM"]);
    expect(problemsOf(Shared).map(({ message }) => message)).toEqual([
      '"a" and "b" hold the same definition',
      '"c" is set to an upstream of another upstream, which is no definition of its own',
    ]);
  });

  test("fields declared with accessor, with and without a definition", () => {
    class Accessors extends Flow {
      accessor data = 1;
      accessor n = param(z.number().default(1));
      #own = 2;
      get size() {
        return this.#own;
      }
      set size(value) {
        this.#own = value;
      }
      @step()
      start() {}
    }
    expect(problemsOf(Accessors).map(({ code, message }) => [code, message])).toEqual([
      ["FLOW_DEFINITION_ACCESSOR", '"data" is declared with accessor and could not be kept as an artifact'],
      ["FLOW_DEFINITION_ACCESSOR", '"n" is declared with accessor and could not be kept as an artifact'],
    ]);
  });

  test("one-way schemas, however deep", () => {
    const oneWay = z.string().transform(Number);
    class OneWay extends Flow {
      readonly a = param(z.object({ list: z.array(z.union([z.number(), oneWay])) }));
      readonly b = param(z.preprocess(Number, z.number()));
      readonly c = param(z.lazy(() => oneWay.optional()));
      readonly d = config(z.record(z.string(), oneWay));
      e = artifact(z.tuple([oneWay]));
      readonly fine = param(z.stringbool().default(true));
      @step()
      start() {}
    }
    expect(codesOf(OneWay)).toEqual(Array.from({ length: 5 }, () => "FLOW_DEFINITION_ONE_WAY"));
  });

  test("defaults that cannot be used", () => {
    class Defaults extends Flow {
      readonly a = param(z.number().min(2).default(1));
      readonly b = untyped.param!(z.number(), { default: 5 });
      readonly c = param(z.map(z.string(), z.number()).default(new Map()));
      readonly d = untyped.param!({ type: "number" });
      readonly e = untyped.param!(z.number(), { short: "ab", env: "A-B", shrot: "x" });
      @step()
      start() {}
    }
    expect(problemsOf(Defaults).map(({ code, message }) => [code, message])).toEqual([
      [
        "FLOW_DEFINITION_BAD_DEFAULT",
        'The default of "a" does not fit its schema: Too small: expected number to be >=2',
      ],
      ["FLOW_DEFINITION_BAD_DEFAULT", 'The late default of "b" is no function'],
      ["FLOW_DEFINITION_BAD_DEFAULT", 'The default of "c" cannot be written as JSON: it holds a Map'],
      ["FLOW_DEFINITION_BAD_OPTION", '"d" is not given a zod schema'],
      ["FLOW_DEFINITION_BAD_OPTION", '"e" has the unknown option "shrot"'],
      ["FLOW_DEFINITION_BAD_OPTION", '"short" of "e" is "ab" instead of one letter'],
      ["FLOW_DEFINITION_BAD_OPTION", '"env" of "e" is "A-B", which cannot be the name of an environment variable'],
    ]);
  });

  test("upstreams that are defined wrongly", () => {
    class Stepless extends Flow {}
    class Upstreams extends Flow {
      readonly model = upstream(Train);
      readonly a = untyped.upstream!(undefined);
      readonly b = upstream(Stepless);
      readonly c = upstream("no/such name");
      readonly d = untyped.upstream!(GenerateData, { sameAs: (this.model.upstreams as Record<string, unknown>).sorce });
      readonly e = untyped.upstream!(GenerateData, { sameAs: this.model });
      readonly f = untyped.upstream!(Train, { sameAs: this.model.upstreams.source });
      readonly g = untyped.upstream!(GenerateData, { maxAge: "soon", tags: ["", 3], sameas: 1 });
      readonly h = untyped.upstream!(GenerateData, { sameAs: "model" });
      @step()
      start() {}
    }
    expect(problemsOf(Upstreams).map(({ message, hint }) => [message, hint])).toEqual([
      [
        'The producer of "a" is undefined; do the files import each other?',
        "Give upstream() a class that extends Flow, or its name",
      ],
      ['The producer of "b" has no steps', "Name the class of a flow that can be run"],
      ['"no/such name" of "c" cannot be the name of a flow', "Write the flow's class, its name, or project/Name"],
      ['"sameAs" of "d" names "sorce", which is no upstream of this.model', 'Did you mean "source"?'],
      [
        '"sameAs" of "e" names an upstream, not one of the runs which that one read from',
        "Write sameAs: this.model.upstreams.NAME",
      ],
      [
        '"sameAs" of "f" is a run of "GenerateData", but "f" wants one of "Train"',
        "Name the upstream that is a run of the same flow",
      ],
      ['"g" has the unknown option "sameas"', 'Did you mean "sameAs"?'],
      ['"maxAge" of "g" is "soon" instead of a length of time', 'Write a number and a unit: "90s", "12h", "30d"'],
      ['The tags of "g" cannot be looked for: "": it is empty', 'Write tags: ["prod:v1"]'],
      ['"sameAs" of "h" is no upstream of an upstream', "Write sameAs: this.model.upstreams.source"],
    ]);
  });

  test("files that are defined wrongly, and a wrong list of earlier names", () => {
    class Files extends Flow {
      static readonly formerly = ["Files"];
      readonly a = untyped.config!(z.object({}), { default: 3 });
      readonly b = untyped.includeFile!({ encoding: "latin1" });
      @step()
      start() {}
    }
    expect(problemsOf(Files).map(({ message }) => message)).toEqual([
      "static formerly is not a list of earlier names of the flow",
      '"default" of "a" is not the path of a file',
      '"encoding" of "b" is "latin1" instead of "utf8"',
    ]);
  });
});
