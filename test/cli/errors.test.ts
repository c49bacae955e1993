import { expect, test } from "vitest";
import { exitCodeOf } from "../../packages/cli/src/exit-code.ts";
import { errorJson, renderError, renderTaskError } from "../../packages/cli/src/render/errors.ts";
import { createPaint } from "../../packages/cli/src/render/output.ts";
import { asSystemLimit } from "../../packages/cli/src/system-limit.ts";
import { codeTable } from "../../packages/core/src/errors/code-table.ts";
import { FlowError, problemsError, serializeError } from "../../packages/core/src/errors/flow-error.ts";

const style = { paint: createPaint(false), debug: false, cwd: "/home/ada/shop" };

test("an error shows message, hint and code, and no stack of ours", () => {
  const error = new FlowError("FLOW_CLI_UNKNOWN_COMMAND", {
    message: 'Cannot find the command "rnu"',
    hint: 'Did you mean "flow run"?',
  });
  expect(renderError(error, style)).toBe(
    '✗ Cannot find the command "rnu"\n  → Did you mean "flow run"?\n  FLOW_CLI_UNKNOWN_COMMAND\n',
  );
  expect(renderError(error, { ...style, debug: true })).toContain("errors.test.ts");
});

test("several problems are all shown, with their place relative to here", () => {
  const error = problemsError("Cannot accept Train", [
    {
      code: "FLOW_CLI_UNKNOWN_FLAG",
      message: '"trian" is no step',
      hint: 'Did you mean "train"?',
      location: { file: "/home/ada/shop/flows/train.ts", line: 12, column: 5 },
    },
    {
      code: "FLOW_CLI_UNKNOWN_FLAG",
      message: "No step leads to the end",
      location: { file: "/elsewhere/base.ts", line: 3 },
    },
  ]);
  expect(renderError(error, style)).toBe(
    [
      "✗ Cannot accept Train: 2 problems",
      '  flows/train.ts:12:5  "trian" is no step',
      '    → Did you mean "train"?',
      "  /elsewhere/base.ts:3  No step leads to the end",
      "  FLOW_CLI_UNKNOWN_FLAG",
      "",
    ].join("\n"),
  );
});

test("one problem alone shows its place and its hint once", () => {
  const error = problemsError("Cannot accept Train", [
    {
      code: "FLOW_CLI_UNKNOWN_FLAG",
      message: "the step is missing",
      hint: "Add it",
      location: { file: "/home/ada/shop/train.ts", line: 1 },
    },
  ]);
  const text = renderError(error, style);
  expect(text).toContain("train.ts:1");
  expect(text.match(/Add it/g)).toHaveLength(1);
});

test("a failed step shows the user's stack with its causes, without Node's frames", () => {
  const cause = Object.assign(new Error("no such file"), {
    stack: "Error: no such file\n    at read (/home/ada/shop/io.ts:4:1)",
  });
  const thrown = Object.assign(new TypeError("Cannot read the rows", { cause }), {
    stack:
      "TypeError: Cannot read the rows\n    at Train.start (file:///home/ada/shop/train.ts:12:9)\n    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)",
  });
  expect(renderTaskError("Train/17/start", serializeError(thrown), style)).toBe(
    [
      "✗ Train/17/start failed: TypeError: Cannot read the rows",
      "    at Train.start (train.ts:12:9)",
      "  caused by Error: no such file",
      "    at read (io.ts:4:1)",
      "",
    ].join("\n"),
  );
});

test("of a run inside a run, what to do and the code are those of the error that it began with", () => {
  const stored = new FlowError("FLOW_STORAGE_CREDENTIALS", { message: "Many/2 failed: no", hint: "Check the key" });
  const cause = Object.assign(new Error("Cannot go on", { cause: stored }), { stack: "" });
  const thrown = new FlowError("FLOW_RUN_FAILED", { message: "Parent/1 failed", hint: "Look", cause });
  const lines = (error: Error) =>
    renderTaskError(
      "Train/17/start",
      serializeError(error, () => ""),
      style,
    ).split("\n");
  expect(lines(thrown)).toEqual([
    "✗ Train/17/start failed: Parent/1 failed",
    "  caused by Error: Cannot go on",
    "  caused by FlowError: Many/2 failed: no",
    "  → Check the key",
    "  FLOW_RUN_FAILED because of FLOW_STORAGE_CREDENTIALS",
    "",
  ]);
  expect(lines(stored).slice(1)).toEqual(["  → Check the key", "  FLOW_STORAGE_CREDENTIALS", ""]);
});

test("each error of a chain is told once, and those of an AggregateError with their first frame", () => {
  const at = <Thrown extends Error>(error: Thrown, ...frames: string[]): Thrown =>
    Object.assign(error, {
      stack: [`${error.name}: ${error.message}`, ...frames.map((frame) => `    at ${frame}`)].join("\n"),
    });
  const root = at(new Error("root cause"), "load (/home/ada/shop/io.ts:4:1)");
  const inner = Array.from({ length: 10 }, (_, index) =>
    at(new TypeError(`row ${index}`), "a (a.ts:1:1)", "b (b.ts:2:2)"),
  );
  const many = at(new AggregateError([...inner.slice(0, 1), "text", ...inner.slice(1)], "", { cause: root }));
  const thrown = at(new RangeError("boom", { cause: many }), "Fail.start (/home/ada/shop/fail.ts:9:11)");
  const text = renderTaskError("Fail/1/start", serializeError(thrown), style);
  expect(text.split("\n").slice(0, 7)).toEqual([
    "✗ Fail/1/start failed: RangeError: boom",
    "    at Fail.start (fail.ts:9:11)",
    "  caused by AggregateError",
    "  holds TypeError: row 0",
    "    at a (a.ts:1:1)",
    '  holds "text"',
    "  holds TypeError: row 1",
  ]);
  expect(text.split("\n").slice(-4)).toEqual([
    "  … 3 more",
    "  caused by Error: root cause",
    "    at load (io.ts:4:1)",
    "",
  ]);
});

test("text of others in an error cannot drive the terminal", () => {
  const text = renderTaskError("Train/17/start", serializeError(new Error("\x1b[2J\x1b]0;x\x07boo")), {
    ...style,
    debug: true,
  });
  expect(text).not.toContain("\x1b");
  expect(text).toContain("boo");
});

test("what nobody foresaw is our bug", () => {
  expect(renderError(new RangeError("x is not iterable"), style)).toContain("FLOW_INTERNAL");
  expect(exitCodeOf(new RangeError("x"))).toBe(70);
  expect(exitCodeOf("text")).toBe(70);
  expect(errorJson(new RangeError("x"), { debug: false })).toEqual({
    error: { code: "FLOW_INTERNAL", message: "RangeError: x" },
  });
});

test("as JSON an error holds code, message, hint, problems and no stack", () => {
  const json = errorJson(new FlowError("FLOW_CLI_BAD_VALUE", { message: "m", hint: "h", context: { a: 1 } }), {
    debug: false,
  });
  expect(json).toEqual({ error: { code: "FLOW_CLI_BAD_VALUE", message: "m", hint: "h", context: { a: 1 } } });
  expect(errorJson(new FlowError("FLOW_CLI_BAD_VALUE", { message: "m" }), { debug: true }).error.stack).toBeTypeOf(
    "string",
  );
});

test("no more files to open is a limit of the system and no defect of ours", () => {
  const thrown = Object.assign(new Error("EMFILE: too many open files, open '/a/b.js'"), { code: "EMFILE" });
  const error = asSystemLimit(thrown);
  expect([errorJson(error, { debug: false }), exitCodeOf(error)]).toEqual([
    {
      error: {
        code: "FLOW_CLI_TOO_MANY_FILES",
        message: "Cannot go on: too many open files, open '/a/b.js' (EMFILE)",
        hint: "Raise the limit of open files (ulimit -n)",
        cause: expect.any(String),
      },
    },
    1,
  ]);
  const other = new Error("x");
  expect(asSystemLimit(other)).toBe(other);
});

test("every code has an exit code of the table", () => {
  const codes = Object.keys(codeTable).map(
    (code) => [code, exitCodeOf(new FlowError(code as keyof typeof codeTable, { message: "" }))] as const,
  );
  for (const [, exit] of codes) expect([1, 2, 3, 4, 70]).toContain(exit);
  const byCode = Object.fromEntries(codes);
  expect(byCode).toMatchObject({
    FLOW_INTERNAL: 70,
    FLOW_CLI_UNKNOWN_FLAG: 2,
    FLOW_CLIENT_BAD_SELECTOR: 2,
    FLOW_CLIENT_NO_STORE: 3,
    FLOW_LINEAGE_NO_RUN: 1,
    FLOW_LINEAGE_BAD_TAG: 2,
    FLOW_PARAMETER_INVALID: 2,
    FLOW_DEFINITION_ANONYMOUS: 2,
    FLOW_METADATA_NEWER_STORE: 3,
  });
});
