import { expect, test } from "vitest";
import { faultProblem } from "../../packages/cli/src/arguments/faults-error.ts";
import type { Flag } from "../../packages/cli/src/arguments/flag.ts";
import { type ParsedArguments, parseArguments } from "../../packages/cli/src/arguments/parse-arguments.ts";
import { nearestName } from "../../packages/core/src/util/nearest-name.ts";

const flags: readonly Flag[] = [
  { name: "fold-count", aliases: ["foldCount"], short: "k", type: "text", key: "param:foldCount", help: "" },
  { name: "fast", type: "boolean", negatable: true, help: "" },
  { name: "json", type: "boolean", help: "" },
  { name: "tag", type: "list", help: "" },
  { name: "limit", type: "number", min: 1, help: "" },
  { name: "status", type: "text", choices: ["failed", "running"], help: "" },
];
const parse = (...words: string[]): ParsedArguments =>
  parseArguments(words, { flags, positionals: [{ name: "FILE", help: "", required: false }] });
const faults = (...words: string[]): readonly string[] => parse(...words).faults.map((fault) => fault.kind);
const sentences = (...words: string[]): readonly string[] =>
  parse(...words).faults.map((fault) => {
    const { message, hint } = faultProblem(fault, "flow x", nearestName);
    return `${message} → ${hint}`;
  });

test.each([
  [["--fold-count", "5"]],
  [["--fold-count=5"]],
  [["--foldCount", "5"]],
  [["--foldCount=5"]],
  [["-k", "5"]],
  [["-k5"]],
])("%j sets the same value", (words) => {
  const { values, faults } = parse(...words);
  expect([...values]).toEqual([["param:foldCount", "5"]]);
  expect(faults).toEqual([]);
});

test("an empty text is a value, except where a flag says what it must be", () => {
  const store: Flag = { name: "store", type: "text", notEmpty: "a folder", help: "" };
  const name: Flag = { name: "name", type: "text", help: "" };
  const read = (word: string) =>
    parseArguments(["--store", word, "--name="], { flags: [store, name], positionals: [] });
  expect(read("here").faults).toEqual([]);
  for (const empty of ["", " "])
    expect(read(empty).faults).toEqual([{ kind: "bad-value", flag: "--store", value: empty, wanted: "a folder" }]);
});

test("a boolean is on, off by --no- and by =false", () => {
  expect(parse("--fast").values.get("fast")).toBe(true);
  expect(parse("--no-fast").values.get("fast")).toBe(false);
  expect(parse("--fast=false").values.get("fast")).toBe(false);
  expect(faults("--no-json")).toEqual(["unknown-flag"]);
  expect(faults("--json=maybe")).toEqual(["needless-value"]);
});

test("a boolean does not swallow the word behind it", () => {
  expect(parse("--fast", "train.ts").positionals).toEqual(["train.ts"]);
});

test("a list gathers its values, anything else may stand once", () => {
  expect(parse("--tag", "a", "--tag=b").values.get("tag")).toEqual(["a", "b"]);
  expect(faults("-k", "1", "--fold-count", "2")).toEqual(["repeated-flag"]);
  expect(faults("--json", "--json")).toEqual(["repeated-flag"]);
});

test("-- ends the flags", () => {
  const { positionals, values } = parse("--", "--json");
  expect(positionals).toEqual(["--json"]);
  expect(values.size).toBe(0);
});

test("negative numbers and a lone dash are values, flags are not", () => {
  expect(parse("-k", "-5").values.get("param:foldCount")).toBe("-5");
  expect(parse("--fold-count", "-.5").values.get("param:foldCount")).toBe("-.5");
  expect(parse("-k", "-").values.get("param:foldCount")).toBe("-");
  expect(faults("--tag", "--json")).toEqual(["missing-value"]);
  expect(faults("--tag")).toEqual(["missing-value"]);
});

test("an empty text is a value", () => {
  expect(parse("--fold-count=").values.get("param:foldCount")).toBe("");
  expect(parse("--fold-count", "").values.get("param:foldCount")).toBe("");
});

test("numbers are whole and not below the least", () => {
  expect(parse("--limit", "20").values.get("limit")).toBe(20);
  for (const wrong of ["0", "abc", "1.5", "1e3", "-1", "99999999999999999999"])
    expect(faults(`--limit=${wrong}`)).toEqual(["bad-value"]);
});

test("all faults are found at once, each with what to do", () => {
  expect(sentences("--tga", "x", "--statu=failed", "--limit", "no", "--status", "fialed", "--tag")).toEqual([
    'Unknown flag "--tga" → Did you mean "--tag"?',
    'Unknown flag "--statu" → Did you mean "--status"?',
    '"--limit" is "no" and must be a whole number from 1 → undefined',
    '"--status" is "fialed" and must be one of failed, running → Did you mean "failed"?',
    '"--tag" needs a value → Write --tag VALUE, or --tag=VALUE when it begins with a dash',
  ]);
});

test("a flag that is like none gets no wrong suggestion", () => {
  expect(sentences("-z")).toEqual(['Unknown flag "-z" → Type flow x --help for the flags']);
  expect(sentences("--wibble-wobble")).toEqual(['Unknown flag "--wibble-wobble" → Type flow x --help for the flags']);
});

test("a word too many is a fault, one behind an unknown flag is not", () => {
  expect(faults("a.ts", "b")).toEqual(["unexpected-argument"]);
  expect(faults("a.ts", "--unknown", "b")).toEqual(["unknown-flag"]);
});

test("names of Object's prototype are unknown flags like any other", () => {
  expect(faults("--constructor", "--__proto__=1", "--toString")).toEqual([
    "unknown-flag",
    "unknown-flag",
    "unknown-flag",
  ]);
});
