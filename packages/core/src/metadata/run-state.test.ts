import { expect, test } from "vitest";
import { canMoveRun, isOver } from "./run-state.ts";

const ALL = ["queued", "running", "succeeded", "failed", "cancelled", "lost"] as const;

test("a succeeded run never changes; any other end can be continued; only a running run ends", () => {
  expect(ALL.filter((to) => canMoveRun("succeeded", to))).toEqual([]);
  for (const from of ["failed", "cancelled", "lost"] as const)
    expect(ALL.filter((to) => canMoveRun(from, to))).toEqual(["running"]);
  expect(ALL.filter((from) => canMoveRun(from, "succeeded"))).toEqual(["running"]);
  expect(ALL.filter(isOver)).toEqual(["succeeded", "failed", "cancelled", "lost"]);
});
