import { expect, test } from "vitest";
import { describeUserError, userStack } from "./user-stack.ts";

function thrown(message: string, frames: readonly string[], cause?: unknown): Error {
  const error = new RangeError(message, cause === undefined ? undefined : { cause });
  error.stack = `RangeError: ${message}\n${frames.map((frame) => `    at ${frame}`).join("\n")}`;
  return error;
}

const digest = "0123456789abcdef".repeat(4);

test("frames of Node, Millrace and the bundler are left out", () => {
  const error = thrown("bad", [
    "helper (/w/src/helper.ts:3:1)",
    "async _Train.evaluate (/w/src/train.ts:10:5)",
    "Array.map (<anonymous>)",
    `__decorateElement (file:///w/node_modules/.cache/millrace/packages/${digest}/flow.mjs:12:3)`,
    "runStep (file:///w/node_modules/.pnpm/@millrace+core@0.1.0/node_modules/@millrace/core/dist/worker.js:9:9)",
    "process.processTicksAndRejections (node:internal/process/task_queues:104:5)",
    "lib (/w/node_modules/dep/index.js:7:7)",
    "file:///w/src/top.ts:1:1",
    "new _Train (/elsewhere/base.ts:2:2)",
  ]);
  expect(userStack(error, "/w")).toBe(`RangeError: bad
    at helper (src/helper.ts:3:1)
    at async Train.evaluate (src/train.ts:10:5)
    at lib (node_modules/dep/index.js:7:7)
    at src/top.ts:1:1
    at new Train (/elsewhere/base.ts:2:2)`);
});

test("frames of a run inside a step, which were described when it failed, stay as they are", () => {
  const inner = thrown("inner", ["deep (src/inner.ts:3:1)", "async src/top.mts:4:2", "run (node:internal/x.js:1:1)"]);
  const outer = thrown(
    "outer",
    ["g (/w/b.ts:3:4)", "eval (eval.js)", "x (/w/node_modules/@millrace/core/dist/a.js:1:1)"],
    inner,
  );
  expect(userStack(outer, "/w")).toBe(
    "RangeError: outer\n    at g (b.ts:3:4)\nCaused by: RangeError: inner\n    at deep (src/inner.ts:3:1)\n    at async src/top.mts:4:2",
  );
});

test("lines of a message that look like frames stay", () => {
  const error = thrown("first\n    at second (not/a/frame.ts:1:1)", ["f (/w/a.ts:1:2)"]);
  expect(userStack(error, "/w")).toBe("RangeError: first\n    at second (not/a/frame.ts:1:1)\n    at f (a.ts:1:2)");
});

test("causes follow, also those of an AggregateError, and end somewhere", () => {
  const inner = thrown("inner", ["f (/w/a.ts:1:2)"]);
  expect(userStack(thrown("outer", ["g (/w/b.ts:3:4)"], inner), "/w")).toBe(
    "RangeError: outer\n    at g (b.ts:3:4)\nCaused by: RangeError: inner\n    at f (a.ts:1:2)",
  );
  const many = new AggregateError([inner, "text"], "many");
  many.stack = "AggregateError: many";
  expect(userStack(many, "/w")).toBe(
    "AggregateError: many\nCaused by: RangeError: inner\n    at f (a.ts:1:2)\nCaused by: text",
  );
  const circle = thrown("circle", []);
  circle.cause = circle;
  expect(userStack(circle, "/w").split("Caused by").length).toBe(9);
});

test("as plain data each error of a chain has its own frames, and no framework frame is left in any", () => {
  const worker = "run (/w/node_modules/@millrace/core/dist/worker.js:1:1)";
  const root = thrown("root", ["_Fail.load (/w/fail.ts:5:7)", worker]);
  const outer = thrown("boom", ["_Fail.start (/w/fail.ts:9:11)", worker], root);
  expect(describeUserError(outer, "/w")).toEqual({
    code: "FLOW_STEP_FAILED",
    name: "RangeError",
    message: "boom",
    stack: "RangeError: boom\n    at Fail.start (fail.ts:9:11)",
    cause: {
      code: "FLOW_STEP_FAILED",
      name: "RangeError",
      message: "root",
      stack: "RangeError: root\n    at Fail.load (fail.ts:5:7)",
    },
  });
  const many = new AggregateError([root, "text"], "many");
  expect(describeUserError(many, "/w").errors).toMatchObject([
    { stack: "RangeError: root\n    at Fail.load (fail.ts:5:7)" },
    { message: '"text"' },
  ]);
  expect(describeUserError({ code: 5 }).message).toBe("a step threw { code: 5 } instead of an Error");
});

test("what is no error is shown as text", () => {
  expect(userStack("plain")).toBe("plain");
  expect(userStack(undefined)).toBe("undefined");
});
