import { describe, expect, test } from "vitest";
import * as z from "zod";
import { artifact } from "./artifact.ts";
import { bindFlow, constantsOf } from "./bind-flow.ts";
import { type FlowBinding, lazyFields } from "./bound-flow.ts";
import { checkDeclaredArtifact } from "./check-declared-artifact.ts";
import { config } from "./config.ts";
import { step } from "./decorators.ts";
import { Flow } from "./flow.ts";
import { lateTagsOf } from "./late-tags.ts";
import { param } from "./param.ts";
import type { Inputs } from "./public-types.ts";
import { upstream } from "./upstream.ts";

class Producer extends Flow {
  @step()
  start() {}
}

class Example extends Flow {
  readonly n = param(z.number());
  readonly conf = config(z.object({ list: z.array(z.number()) }));
  readonly model = upstream(Producer);
  scores = artifact(z.array(z.number()));
  declared!: string[];
  limits = { depth: 3, names: new Set(["a"]) };
  format = (value: number) => value.toFixed(1);
  #secret = 1;

  @step()
  start() {}

  get half() {
    return this.n / 2;
  }

  bump() {
    return ++this.#secret;
  }

  merge(inputs: Inputs<Example>, o?: object) {
    this.mergeArtifacts(inputs, o as never);
  }

  abortSignal() {
    return this.signal;
  }
}

type Loose = Record<string, any> & Example;

/** Binds an example and tells what was read and how often something was loaded. */
type Loads = Readonly<Record<string, () => unknown>>;

function bind(given: Partial<Omit<FlowBinding, "values" | "inputs">> & { values?: Loads; inputs?: Loads } = {}) {
  const reads: string[] = [];
  const loads: string[] = [];
  const counted = (record: Loads) =>
    lazyFields(
      Object.fromEntries(
        Object.entries(record).map(([name, load]) => [
          name,
          () => {
            loads.push(name);
            return load();
          },
        ]),
      ),
    );
  const bound = bindFlow(Example, {
    signal: new AbortController().signal,
    onRead: (field) => reads.push(field),
    merge: () => {},
    ...given,
    values: counted(given.values ?? {}),
    inputs: counted(given.inputs ?? {}),
  });
  return {
    flow: bound.flow as Loose,
    fields: () => bound.fields(),
    isSet: (name: string) => bound.isSet(name),
    addInput: (name: string, load: () => unknown) => bound.addInput(name, load),
    reads,
    loads,
  };
}

describe("values", () => {
  test("are loaded on first read, once, and the read is told", () => {
    const { flow, reads, loads } = bind({ values: { n: () => 8, conf: () => ({ list: [1] }), model: () => "a run" } });
    expect([reads, loads]).toEqual([[], []]);
    expect([flow.n, flow.half, flow.n, flow.model]).toEqual([8, 4, 8, "a run"]);
    expect([reads, loads]).toEqual([
      ["n", "model"],
      ["n", "model"],
    ]);
  });

  test("are read-only, and so are plain objects inside", () => {
    const { flow, fields } = bind({ values: { n: () => 8, conf: () => ({ list: [1] }) } });
    expect(() => Object.assign(flow, { n: 9 })).toThrow(
      expect.objectContaining({
        code: "FLOW_FLOW_READ_ONLY",
        message: 'Cannot set "n": it is a parameter, and read-only in steps',
      }),
    );
    expect(() => Object.assign(flow, { model: 9 })).toThrow(expect.objectContaining({ code: "FLOW_FLOW_READ_ONLY" }));
    expect(() => Object.assign(flow, { signal: 9 })).toThrow(expect.objectContaining({ code: "FLOW_FLOW_READ_ONLY" }));
    expect(() => flow.conf.list.push(2)).toThrow(TypeError);
    expect(Reflect.deleteProperty(flow, "n")).toBe(false);
    expect([flow.n, fields()]).toEqual([8, []]);
  });

  test("without a value cannot be read", () => {
    expect(() => bind().flow.n).toThrow(expect.objectContaining({ code: "FLOW_DEFINITION_TOO_EARLY" }));
  });
});

describe("inputs", () => {
  test("that nobody touches are never loaded and are told as untouched", () => {
    const { fields, loads } = bind({ inputs: { xs: () => [1], scores: () => [2], declared: () => ["a"] } });
    expect(fields()).toEqual([
      { kind: "untouched", name: "scores" },
      { kind: "untouched", name: "declared" },
      { kind: "untouched", name: "xs" },
    ]);
    expect(loads).toEqual([]);
  });

  test("become plain fields on the first read, since they may be changed in place", () => {
    const { flow, fields, reads, loads } = bind({ inputs: { declared: () => ["a"], xs: () => [1] } });
    flow.declared.push("b");
    expect(flow.declared).toEqual(["a", "b"]);
    expect([reads, loads]).toEqual([["declared"], ["declared"]]);
    expect(fields()).toEqual([
      { kind: "value", name: "declared", value: ["a", "b"], declared: false },
      { kind: "untouched", name: "xs" },
    ]);
  });

  test("that are assigned are not loaded", () => {
    const { flow, fields, reads, loads } = bind({ inputs: { scores: () => [1], xs: () => [1] } });
    flow.scores = [3];
    flow.xs = 7;
    expect([reads, loads]).toEqual([[], []]);
    expect(fields()).toEqual([
      { kind: "value", name: "scores", value: [3], declared: true },
      { kind: "value", name: "xs", value: 7, declared: false },
    ]);
  });

  test("that are set to undefined or deleted are gone", () => {
    const { flow, fields } = bind({ inputs: { declared: () => ["a"], xs: () => [1] } });
    Object.assign(flow, { declared: undefined });
    delete flow.xs;
    expect(fields()).toEqual([]);
  });

  test("that are deleted and set anew hold the new value", () => {
    const { flow, fields, isSet } = bind({ inputs: { xs: () => [1] } });
    delete flow.xs;
    flow.xs = 5;
    expect(fields()).toEqual([{ kind: "value", name: "xs", value: 5, declared: false }]);
    expect(isSet("xs")).toBe(true);
  });
});

describe("what a step leaves", () => {
  test("is every own field but definitions, functions set by an initialiser, constants and private ones", () => {
    const { flow, fields } = bind({ values: { n: () => 1 } });
    expect(flow.format(flow.n + flow.bump())).toBe("3.0");
    flow.extra = { any: "thing" };
    expect(fields()).toEqual([{ kind: "value", name: "extra", value: { any: "thing" }, declared: false }]);
  });

  test("is told as it is when it cannot be kept: the codec refuses it with its path", () => {
    const { flow, fields } = bind();
    flow.self = flow;
    flow.format = (value: number) => String(value);
    expect(fields().map((field) => field.kind === "value" && [field.name, typeof field.value])).toEqual([
      ["format", "function"],
      ["self", "object"],
    ]);
  });

  test.each([
    ["start", 'Cannot keep "start" as an artifact: flow "Example" has a member of that name'],
    ["my field", 'Cannot keep "my field" as an artifact: it is not an identifier of at most 128 characters'],
  ])("may not be called %s", (name, message) => {
    const { flow, fields } = bind();
    Object.defineProperty(flow, name, { value: 1, enumerable: true });
    expect(fields).toThrow(expect.objectContaining({ code: "FLOW_FLOW_BAD_FIELD", message }));
  });
});

describe("constants", () => {
  test("are the initialised fields that are no definitions and no functions", () => {
    expect(constantsOf(Example)).toEqual({ limits: { depth: 3, names: new Set(["a"]) } });
  });

  test("are read from the kept value when there is one", () => {
    expect(bind({ values: { limits: () => ({ depth: 9 }) } }).flow.limits).toEqual({ depth: 9 });
  });

  test("cannot be assigned, and a change in place is found", () => {
    const { flow, fields } = bind();
    expect(() => Object.assign(flow, { limits: 1 })).toThrow(
      expect.objectContaining({ code: "FLOW_FLOW_READ_ONLY", hint: expect.stringContaining("limits!: …") }),
    );
    expect(flow.limits.depth).toBe(3);
    expect(fields()).toEqual([]);
    flow.limits.names.add("b");
    expect(fields).toThrow(expect.objectContaining({ code: "FLOW_FLOW_CONSTANT_CHANGED" }));
  });
});

describe("a merge", () => {
  test("lands in the binding, with the flow and its options", () => {
    const calls: unknown[] = [];
    const { flow } = bind({ merge: (...call) => calls.push(call) });
    const inputs = [] as unknown as Inputs<Example>;
    flow.merge(inputs, { exclude: ["scores"] });
    flow.merge(inputs);
    expect(calls).toEqual([
      [flow, inputs, { exclude: ["scores"] }],
      [flow, inputs, {}],
    ]);
  });

  test("is refused with include and exclude together, and outside of a step", () => {
    const inputs = [] as unknown as Inputs<Example>;
    expect(() => bind().flow.merge(inputs, { include: [], exclude: [] })).toThrow(
      expect.objectContaining({ code: "FLOW_FLOW_BAD_MERGE" }),
    );
    expect(() => new Example().merge(inputs)).toThrow(expect.objectContaining({ code: "FLOW_FLOW_NOT_RUNNING" }));
  });

  test("adds inputs, but not over what the step has set", () => {
    const { flow, isSet, addInput, fields } = bind({ inputs: { xs: () => 1 } });
    flow.declared = ["mine"];
    expect(["declared", "xs", "scores", "format", "n"].map(isSet)).toEqual([true, false, false, false, true]);
    for (const name of ["declared", "xs", "scores"]) addInput(name, () => "merged");
    expect([flow.declared, flow.xs]).toEqual([["mine"], "merged"]);
    expect(fields()).toEqual([
      { kind: "untouched", name: "scores" },
      { kind: "value", name: "declared", value: ["mine"], declared: false },
      { kind: "value", name: "xs", value: "merged", declared: false },
    ]);
  });
});

test("the signal is readable", () => {
  const controller = new AbortController();
  expect(bind({ signal: controller.signal }).flow.abortSignal()).toBe(controller.signal);
});

test("a flow can be constructed without harm, and a constructor that throws is a coded error", () => {
  expect(() => new Example()).not.toThrow();
  class Throws extends Flow {
    readonly value = JSON.parse("{");
  }
  expect(() => constantsOf(Throws)).toThrow(expect.objectContaining({ code: "FLOW_DEFINITION_CONSTRUCTION" }));
});

describe("declared artifacts", () => {
  test("are checked on the side that the field holds", () => {
    class Declared extends Flow {
      scores = artifact(z.array(z.number().min(0)));
      day = artifact(
        z.codec(z.string(), z.date(), { decode: (text) => new Date(text), encode: (date) => date.toISOString() }),
      );
    }
    checkDeclaredArtifact(Declared, "scores", [1]);
    checkDeclaredArtifact(Declared, "day", new Date(0));
    checkDeclaredArtifact(Declared, "other", "anything");
    expect(() => checkDeclaredArtifact(Declared, "scores", [1, -1, "a"])).toThrow(
      expect.objectContaining({
        code: "FLOW_FLOW_ARTIFACT_MISMATCH",
        message:
          'Cannot keep "scores": [1]: Too small: expected number to be >=0; [2]: Invalid input: expected number, received string',
      }),
    );
    expect(() => checkDeclaredArtifact(Declared, "day", "1970-01-01")).toThrow(
      expect.objectContaining({ code: "FLOW_FLOW_ARTIFACT_MISMATCH" }),
    );
  });
});

describe("late tags", () => {
  class Late extends Flow {
    readonly channel = param(z.string());
    readonly model = upstream(Producer, { tags: () => [`${this.channel}:v1`] });
    readonly fixed = upstream(Producer, { tags: ["a"] });
  }

  test("see the values of the run", () => {
    expect(lateTagsOf(Late, [{ name: "channel", value: "prod" }])).toEqual({ model: ["prod:v1"] });
  });

  test("must be tags", () => {
    expect(() => lateTagsOf(Late, [{ name: "channel", value: " prod" }])).toThrow(
      expect.objectContaining({
        code: "FLOW_DEFINITION_BAD_LATE_TAGS",
        message: 'Cannot tell the tags of upstream "model" of Late: " prod:v1": it begins or ends with white space',
      }),
    );
    expect(() => lateTagsOf(Late, [])).toThrow(expect.objectContaining({ code: "FLOW_DEFINITION_BAD_LATE_TAGS" }));
  });
});
