import { expect, test } from "vitest";
import { flowOf, type ShortStep } from "../../../../test/kit/flow-of.ts";
import { checkGraph } from "./check-graph.ts";
import { splitsOf } from "./splits.ts";

const splits = (steps: Readonly<Record<string, ShortStep>>) => Object.fromEntries(splitsOf(checkGraph(flowOf(steps))));

test("a join ends the nearest step that all its ways come from", () => {
  expect(
    splits({
      start: { next: ["left", "right"] },
      left: { next: ["a", "b"] },
      a: { next: "inner" },
      b: { next: "inner" },
      inner: { join: true, next: "outer" },
      right: { next: "outer" },
      outer: { join: true, next: "end" },
      end: {},
    }),
  ).toEqual({ inner: "left", outer: "start" });
});

test("a join of a foreach ends that foreach, and what is inside of it is no way to anything behind it", () => {
  expect(
    splits({
      start: { next: "work", foreach: "items" },
      work: { next: ["a", "b"], arity: 1 },
      a: { next: "both" },
      b: { next: "both" },
      both: { join: true, next: "gather" },
      gather: { join: true, next: ["c", "d"] },
      c: { next: "again", foreach: "items" },
      again: { next: "close", arity: 1 },
      close: { join: true, next: "meet" },
      d: { next: "meet" },
      meet: { join: true, next: "end" },
      end: {},
    }),
  ).toEqual({ both: "work", gather: "start", close: "c", meet: "gather" });
});
