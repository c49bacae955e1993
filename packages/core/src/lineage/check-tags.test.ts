import { expect, test } from "vitest";
import { checkTags, MAX_TAGS, normalTags, tagProblems } from "./check-tags.ts";

test("tags come back distinct, sorted and in one Unicode form", () => {
  expect(checkTags(["b", "a", "b", "cafe\u0301", "caf\u00e9"])).toEqual(["a", "b", "caf\u00e9"]);
  expect(normalTags(["  "])).toEqual(["  "]);
});

test("each tag that cannot be given is a problem of its own", () => {
  const problems = tagProblems([
    "good",
    "",
    " blank",
    "a\nb",
    "x".repeat(501),
    "user:ana",
    "millrace:x",
    "host:y",
    "project:z",
  ]);
  expect(problems).toHaveLength(8);
  expect(problems.every((problem) => problem.code === "FLOW_LINEAGE_BAD_TAG")).toBe(true);
  expect(tagProblems(["prod:v1", "a/b c", "用户", "username", "x".repeat(500)])).toEqual([]);
});

test("a run holds a limited number of tags", () => {
  const tags = Array.from({ length: MAX_TAGS + 1 }, (_, index) => `t${index}`);
  expect(tagProblems(tags)).toHaveLength(1);
  expect(tagProblems(tags.slice(1))).toEqual([]);
});
