import { describe, expect, test } from "vitest";
import { deserializeError, FlowError, type Problem, type SerializedError, serializeError } from "./flow-error.ts";

/** What the store and the threads do with an error. */
function travels(error: SerializedError): SerializedError {
  const cloned = structuredClone(error);
  expect(JSON.parse(JSON.stringify(cloned))).toEqual(cloned);
  return cloned;
}

describe("context and problems of a user's own FlowError are plain data", () => {
  class Point {
    readonly x = 1;
    readonly #hidden = 2;
    toJSON() {
      throw new Error(`no JSON of ${this.#hidden}`);
    }
    get sum(): number {
      throw new Error("never run");
    }
  }

  test("BigInt, functions, symbols, numbers that JSON lacks, instances and cycles", () => {
    const circle: Record<string, unknown> = { name: "circle" };
    circle.self = circle;
    const context = {
      big: 12n,
      run: function twice() {},
      mark: Symbol("mark"),
      none: Number.NaN,
      point: new Point(),
      circle,
      at: new Date(0),
      map: new Map([["a", 1n]]),
      inner: new TypeError("inner"),
      ["__proto__"]: "own",
      list: [1, [2n]],
    };
    Object.defineProperty(context, "trap", {
      enumerable: true,
      get() {
        throw new Error("trap");
      },
    });
    const error = travels(serializeError(new FlowError("FLOW_INTERNAL", { message: "boo", context })));
    expect(error).toMatchObject({
      message: "boo",
      context: {
        big: "12",
        run: "[Function: twice]",
        mark: "Symbol(mark)",
        none: "NaN",
        point: { x: 1 },
        circle: { name: "circle", self: "[a cycle]" },
        at: "1970-01-01T00:00:00.000Z",
        map: "Map(1) { 'a' => 1n }",
        inner: { name: "TypeError", message: "inner" },
        list: [1, ["2"]],
        trap: "[a getter]",
      },
    });
  });

  test("depth, number of values and text are bounded", () => {
    let deep: unknown = "bottom";
    for (let level = 0; level < 5_000; level++) deep = { deep };
    const wide = Array.from({ length: 100_000 }, (_, index) => index);
    const texts = Array.from({ length: 100 }, () => "x".repeat(1_000_000));
    const error = travels(
      serializeError(new FlowError("FLOW_INTERNAL", { message: "boo", context: { deep, wide, texts } })),
    );
    expect(JSON.stringify(error.context).length).toBeLessThan(600_000);
    expect(JSON.stringify(error.context)).toContain("more left out");
  });

  test("problems keep their shape, whatever stands in them", () => {
    const problems = [
      { code: "FLOW_INTERNAL", message: "first", location: { file: "a.ts", line: 1 }, extra: 1n },
      { code: "FLOW_INTERNAL", message: 5n, hint: () => {} },
      { code: "FLOW_INTERNAL", message: "third", location: { file: 3n } },
      null,
      "text",
    ] as unknown as readonly Problem[];
    const error = travels(serializeError(new FlowError("FLOW_INTERNAL", { message: "boo", problems })));
    expect(error.problems).toEqual([
      { code: "FLOW_INTERNAL", message: "first", location: { file: "a.ts", line: 1 } },
      { code: "FLOW_INTERNAL", message: "5", hint: "[Function: hint]" },
      { code: "FLOW_INTERNAL", message: "third" },
    ]);
    const none = new FlowError("FLOW_INTERNAL", { message: "boo", problems: 3 as never, context: "text" as never });
    expect(travels(serializeError(none))).not.toHaveProperty("problems");
  });
});

test.each([
  [{ code: 5, at: { line: 2 } }, "{ code: 5, at: { line: 2 } }"],
  [null, "null"],
  [undefined, "undefined"],
  ["x", '"x"'],
  [7n, "7"],
  [Symbol("s"), "Symbol(s)"],
  [
    {
      get code() {
        throw new Error("never run");
      },
    },
    "{ code: [Getter] }",
  ],
])("a thrown value that is no Error keeps its content: %#", (thrown, shown) => {
  expect(serializeError(thrown).message).toBe(`a step threw ${shown} instead of an Error`);
});

test("a thrown value that is no Error is shown bounded", () => {
  const message = serializeError({ rows: Array.from({ length: 10_000 }, () => "x".repeat(10_000)) }).message;
  expect(message.length).toBeLessThan(3_000);
  expect(serializeError(Proxy.revocable({}, {}).proxy).message).toContain("a step threw");
});

describe("a chain of errors", () => {
  test("ends where it comes back to itself, and a cause may be any value", () => {
    const circle = new Error("circle");
    circle.cause = new RangeError("between", { cause: circle });
    const error = travels(serializeError(circle));
    expect(error.cause).toMatchObject({ name: "RangeError", message: "between" });
    expect(error.cause).not.toHaveProperty("cause");
    expect(serializeError(new Error("a", { cause: { code: 5 } })).cause?.message).toBe("{ code: 5 }");
    expect(serializeError(new Error("a", { cause: null }))).not.toHaveProperty("cause");
  });

  test("keeps the first errors of an AggregateError and comes back as one", () => {
    const inner = Array.from({ length: 20 }, (_, index) => new TypeError(`inner ${index}`));
    const error = travels(serializeError(new AggregateError(inner, "many")));
    expect(error.errors?.map(({ message }) => message)).toEqual(inner.slice(0, 8).map(({ message }) => message));
    expect(error.moreErrors).toBe(12);
    const back = deserializeError(error) as AggregateError;
    expect(back).toBeInstanceOf(AggregateError);
    expect(back.errors[0]).toMatchObject({ name: "TypeError", message: "inner 0" });
  });

  test("AggregateErrors that hold each other stay bounded", () => {
    const grow = (depth: number): Error =>
      depth === 0
        ? new Error("leaf")
        : new AggregateError(
            [1, 2, 3, 4, 5, 6].map(() => grow(depth - 1)),
            "node",
          );
    expect(JSON.stringify(serializeError(grow(5), () => undefined)).split('"message"').length).toBeLessThan(80);
  });

  test("an error whose getters throw keeps the rest", () => {
    const error = new Error("kept");
    for (const name of ["stack", "cause"])
      Object.defineProperty(error, name, {
        get() {
          throw new Error(name);
        },
      });
    expect(serializeError(error)).toEqual({ code: "FLOW_STEP_FAILED", name: "Error", message: "kept" });
  });
});
