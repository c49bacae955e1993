import { hash } from "node:crypto";
import { expect, test } from "vitest";
import type { StepDefinition } from "../flow/definition.ts";
import { cachePlan, type Machine } from "./cache-basis.ts";

const machine: Machine = { major: "24", platform: "linux", architecture: "x64" };
const step: StepDefinition = {
  name: "fit",
  kind: "step",
  isJoin: false,
  next: ["end"],
  behaviour: { cache: true },
  arity: 0,
  codeDigest: "a".repeat(64),
};

const basisOf = (changes: Partial<StepDefinition> = {}, on: Partial<Machine> = {}): string => {
  const plan = cachePlan({ ...step, ...changes }, { ...machine, ...on });
  return plan?.kind === "keyed" ? plan.basis : `no basis: ${plan?.why}`;
};

test("the basis is what it was when it was written down", () => {
  const text = [
    "millrace step cache 2",
    "encoding 1",
    "node 24 linux x64",
    `code ${"a".repeat(64)}`,
    'step ["choose",true,"rows","way",["a","b"]]',
    'environment [["A","1"],["B","2"]]',
  ].join("\n");
  const cases = ["b", "a"].map((value) => ({ value, target: "end" })).toReversed();
  const behaviour = { cache: true, environment: { B: "2", A: "1" } };
  expect(basisOf({ kind: "choose", isJoin: true, foreach: "rows", on: "way", cases, behaviour })).toBe(
    hash("sha256", text, "hex"),
  );
});

test.each<[string, Partial<StepDefinition>]>([
  ["the code", { codeDigest: "b".repeat(64) }],
  ["what kind of step it is", { kind: "choose" }],
  ["whether it joins", { isJoin: true }],
  ["the field that it splits", { foreach: "rows" }],
  ["the field that it chooses by", { on: "way" }],
  ["its cases", { on: "way", cases: [{ value: "a", target: "end" }] }],
  ["its environment", { behaviour: { cache: true, environment: { TZ: "UTC" } } }],
])("%s counts", (_, changes) => expect(basisOf(changes)).not.toBe(basisOf()));

test.each<[string, Partial<Machine>]>([
  ["the major version of Node", { major: "26" }],
  ["the platform", { platform: "darwin" }],
  ["the architecture", { architecture: "arm64" }],
])("%s counts", (_, on) => expect(basisOf({}, on)).not.toBe(basisOf()));

test.each<[string, Partial<StepDefinition>]>([
  ["its name", { name: "train" }],
  ["where it leads", { next: ["other"] }],
  ["where its cases lead", { cases: [] }],
  ["how it is tried again and held", { behaviour: { cache: true, timeoutMs: 5, maxParallel: 2, isolate: "process" } }],
])("%s does not count", (_, changes) => expect(basisOf(changes)).toBe(basisOf()));

test("installed packages count where they are not those of the code's digest", () => {
  const among = (packages?: string) => cachePlan(step, machine, packages as never);
  expect(among("c".repeat(64))).not.toEqual(among());
  expect(among("c".repeat(64))).not.toEqual(among("d".repeat(64)));
});

test("the order in which an environment is written does not count", () => {
  const ordered = (...names: string[]) =>
    basisOf({ behaviour: { cache: true, environment: Object.fromEntries(names.map((name) => [name, name])) } });
  expect(ordered("A", "B")).toBe(ordered("B", "A"));
});

test("a step that does not ask, whose code is not known, or that is given secrets has none", () => {
  expect(cachePlan({ ...step, behaviour: {} }, machine)).toBeUndefined();
  expect(cachePlan({ ...step, behaviour: { cache: false } }, machine)).toBeUndefined();
  const { codeDigest: _, ...unknown } = step;
  expect(cachePlan(unknown, machine)).toBeUndefined();
  expect(cachePlan({ ...step, behaviour: { cache: true, secrets: { KEY: { env: "KEY" } } } }, machine)).toEqual({
    kind: "never",
    why: "it is given secrets",
  });
});
