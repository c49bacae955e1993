import { expect, test } from "vitest";
import { checkOptions } from "./check-options.ts";
import type { FlowError } from "./flow-error.ts";

interface Options {
  readonly tags?: readonly string[];
  readonly reason?: string;
  readonly check?: boolean;
  readonly at?: Date;
  readonly after?: number;
  readonly signal?: AbortSignal;
  readonly params?: object;
  readonly limit?: number;
}

const KINDS = {
  tags: "texts",
  reason: "text",
  check: "boolean",
  at: "date",
  after: "number",
  signal: "signal",
  params: "object",
  limit: "any",
} as const;

function refusal(given: unknown): FlowError {
  try {
    checkOptions<Options>("find()", given as Options, KINDS);
  } catch (error) {
    return error as FlowError;
  }
  throw new Error("the options were taken");
}

test("what is there and holds what it should is taken; undefined is not given", () => {
  const { signal } = new AbortController();
  const all = { tags: ["a"], reason: "", check: false, at: new Date(), after: 0, signal, params: {}, limit: -1 };
  for (const given of [{}, all, { tags: [] }, { tags: undefined, check: undefined }])
    expect(() => checkOptions<Options>("find()", given as Options, KINDS)).not.toThrow();
});

test("a misspelt name leads to the nearest one, any other to those that there are", () => {
  expect(refusal({ tag: "prod" })).toMatchObject({
    code: "FLOW_CLIENT_BAD_OPTION",
    message: 'Cannot take the options of find(): find() has no option "tag"',
    hint: 'Did you mean "tags"?',
  });
  expect(refusal({ colour: "red" }).hint).toBe(`It takes ${Object.keys(KINDS).join(", ")}`);
  expect(refusal({ toString: 1 }).hint).toMatch(/^It takes /);
});

test.each([
  [{ tags: "prod" }, '"tags" is "prod" instead of a list of texts'],
  [{ tags: ["prod", 1] }, '"tags" is a list with 1 instead of a list of texts'],
  [{ reason: 5 }, '"reason" is 5 instead of a text'],
  [{ check: "yes" }, '"check" is "yes" instead of true or false'],
  [{ at: "2026-01-01" }, '"at" is "2026-01-01" instead of a Date'],
  [{ after: "5" }, '"after" is "5" instead of a number'],
  [{ signal: {} }, '"signal" is an object instead of an AbortSignal'],
  [{ params: [] }, '"params" is a list instead of an object'],
  [{ params: null }, '"params" is null instead of an object'],
  [null, "they are null instead of an object"],
  ["prod", 'they are "prod" instead of an object'],
])("%j is told by name", (given, message) => {
  expect(refusal(given).message).toBe(`Cannot take the options of find(): ${message}`);
});

test("all of them are told at once", () => {
  const { message, problems } = refusal({ tag: 1, reason: 2, check: 3 });
  expect(message).toBe("Cannot take the options of find(): 3 problems");
  expect(problems.map((problem) => problem.message)).toEqual([
    'find() has no option "tag"',
    '"reason" is 2 instead of a text',
    '"check" is 3 instead of true or false',
  ]);
});
