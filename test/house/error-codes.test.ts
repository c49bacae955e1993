/** The table of error codes, the code that throws them, and the suite that provokes them: held together. */
import { expect, test } from "vitest";
import { codeTable } from "../../packages/core/src/errors/code-table.ts";
import { readText, repositoryFiles, sourcesOf } from "../kit/repository.ts";

const codes = Object.keys(codeTable);
const sources = ["core", "cli", "ml"]
  .flatMap(sourcesOf)
  .filter((file) => !file.startsWith("packages/core/src/errors/codes/"))
  .map(readText)
  .join("\n");
const tests = repositoryFiles(/^(test\/|packages\/.*\.test\.ts$)/)
  .filter((file) => file.endsWith(".ts") && !file.startsWith("test/house/"))
  .map(readText)
  .join("\n");

const isNamedIn = (text: string) => (code: string) => new RegExp(`\\b${code}\\b`).test(text);

/** Codes that nothing throws: defects. The list may only become shorter. */
const NOT_THROWN: readonly string[] = [];
/** Codes that no test names. The list may only become shorter. */
const NOT_TESTED: readonly string[] = [
  "FLOW_RUNNER_NO_PRODUCER", // needs a store that lost a run, which nothing that Millrace does can make
  "FLOW_CLI_FLAG_CLASH", // loading refuses such a flow first, with FLOW_DEFINITION_RESERVED_NAME or FLOW_DEFINITION_DUPLICATE_FLAG
];

test("every code of the table is thrown somewhere", () => {
  expect(codes.length).toBeGreaterThan(100);
  expect(codes.filter((code) => !isNamedIn(sources)(code))).toEqual(NOT_THROWN);
});

test("every code that is thrown is in the table", () => {
  const named = new Set(sources.match(/(?<=["'`])FLOW_[A-Z]+(?:_[A-Z]+)+(?=["'`])/g));
  expect([...named].filter((code) => !codes.includes(code)).toSorted()).toEqual([]);
});

test("every code is provoked or named in a test, but for a few that are hard to provoke", () => {
  expect(codes.filter((code) => !isNamedIn(tests)(code) && !NOT_TESTED.includes(code))).toEqual([]);
  expect(NOT_TESTED.filter((code) => !codes.includes(code))).toEqual([]);
  expect(NOT_TESTED.length).toBeLessThanOrEqual(2);
});

test("entries of the table are sentences without a full stop, with all three parts", () => {
  const wrong = Object.entries(codeTable).filter(([, entry]) =>
    [entry.meaning, entry.cause, entry.remedy].some(
      (text) => text.trim() !== text || text.length < 8 || /(?<!…)\.$/.test(text),
    ),
  );
  expect(wrong.map(([code]) => code)).toEqual([]);
});
