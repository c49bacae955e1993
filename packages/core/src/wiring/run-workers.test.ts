import { expect, test } from "vitest";
import type { StepDefinition } from "../flow/definition.ts";
import { widthOf } from "./run-workers.ts";

const WIDE = [
  stepOf("start", ["work"], { foreach: "items" }),
  stepOf("work", ["check"]),
  stepOf("check", ["collect"]),
  stepOf("collect", ["left", "right"], { isJoin: true }),
  stepOf("left", ["merge"]),
  stepOf("right", ["merge"]),
  stepOf("merge", ["end"], { isJoin: true }),
  stepOf("end", []),
];

test("a run has as many workers from the start as tasks can run at once", () => {
  expect(widthOf(WIDE)).toBe(Number.POSITIVE_INFINITY);
  expect(widthOf(WIDE.slice(3))).toBe(2);
  expect(widthOf([stepOf("start", ["end"]), stepOf("end", [])])).toBe(1);
});

test("one that goes on has as many as what is left can need", () => {
  expect(widthOf(WIDE, "collect")).toBe(2);
  expect(widthOf(WIDE, "merge")).toBe(1);
  expect(widthOf(WIDE, "end")).toBe(1);
});

test("inside of a foreach or a branch others may be left beside the step", () => {
  for (const step of ["work", "check", "left", "no such step"])
    expect(widthOf(WIDE, step)).toBe(Number.POSITIVE_INFINITY);
});

function stepOf(name: string, next: readonly string[], facts: Partial<StepDefinition> = {}): StepDefinition {
  return { name, next, kind: "step", isJoin: false, arity: 0, behaviour: {}, ...facts } as StepDefinition;
}
