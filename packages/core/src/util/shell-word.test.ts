import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { shellWord } from "./shell-word.ts";

test.each([
  "train.ts",
  "a b",
  "it's",
  "$(touch x)",
  "`id`",
  'say "no"',
  "a\\b",
  "!1",
  "",
  "*",
  "~",
  "prod:v1",
  "zwölf",
])("a shell takes %j back as one word", (word) => {
  expect(execFileSync("/bin/sh", ["-c", `printf %s ${shellWord(word)}`], { encoding: "utf8" })).toBe(word);
});

test("plain words stay as they are", () => {
  expect(["flows/train.ts", "prod:v1", "a=b"].map(shellWord)).toEqual(["flows/train.ts", "prod:v1", "a=b"]);
});
