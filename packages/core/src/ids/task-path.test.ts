import { describe, expect, test } from "vitest";
import { childPath, isTaskPath, nextRoundPath, outerPath, pathIndices, roundPath } from "./task-path.ts";

describe("a task path", () => {
  test.each([
    "",
    "0",
    "7",
    "1.2",
    "10.0.3",
    "0~4",
    "~4",
    "~0",
    "1~2.3",
    "1.2~0.3~11",
    "~4.1",
    "~1~2",
    "1~2~3.0~0~11.4",
  ])("may be %j", (path) => {
    expect(isTaskPath(path)).toBe(true);
  });

  test.each([
    "01",
    "1.",
    ".1",
    "1..2",
    "-1",
    "1~",
    "~",
    "1~01",
    "1~2~",
    "~1~~2",
    "1~~2",
    "a",
    "1.a",
    " 1",
    "1\n",
    "1/2",
    "1.~2",
    "+1",
    "1e3",
    "٣",
  ])("cannot be %j", (path) => {
    expect(isTaskPath(path)).toBe(false);
  });

  test.each<[string, number, string]>([
    ["", 0, "0"],
    ["1", 2, "1.2"],
    ["1.2", 0, "1.2.0"],
    ["~4", 1, "~4.1"],
    ["0~4", 9, "0~4.9"],
  ])("%j has %d below it as %j", (parent, index, child) => {
    expect(childPath(parent, index)).toBe(child);
    expect(isTaskPath(child)).toBe(true);
  });

  test.each<[string, number, string]>([
    ["", 0, "~0"],
    ["1", 4, "1~4"],
    ["1.2", 0, "1.2~0"],
    ["~4", 1, "~4~1"],
    ["0~4.1", 9, "0~4.1~9"],
  ])("a loop that is entered at %j has its round %d at %j", (outer, round, path) => {
    expect(roundPath(outer, round)).toBe(path);
    expect(isTaskPath(path)).toBe(true);
  });

  test.each<[string, string]>([
    ["3", ""],
    ["1.12", "1"],
    ["~4", ""],
    ["0~4", "0"],
    ["~4~1", "~4"],
    ["0~4.1", "0~4"],
    ["", ""],
  ])("%j lies in %j", (path, outer) => {
    expect(outerPath(path)).toBe(outer);
  });

  test.each<[string, string]>([
    ["~0", "~1"],
    ["0~9", "0~10"],
    ["2.1~4~0", "2.1~4~1"],
  ])("after the round %j comes %j", (path, next) => {
    expect(nextRoundPath(path)).toBe(next);
  });

  test.each<[string, readonly number[]]>([
    ["", []],
    ["3", [3]],
    ["1.20.3", [1, 20, 3]],
    ["0~4", [0]],
    ["1~2.3~4", [1, 3]],
    ["~4", []],
    ["~4.1", [1]],
    ["~4~0", []],
    ["3~4~0.5", [3, 5]],
  ])("%j has the indices %j", (path, indices) => {
    expect(pathIndices(path)).toEqual(indices);
  });
});
