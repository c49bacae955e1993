/**
 * The shapes of graphs that are tried with every behaviour. Most are built from nested parts (`random-flow.ts` says what
 * running them means); those that parts cannot say are written out with the tasks that there must be.
 */
import type { ShortStep } from "../../kit/flow-of.ts";
import { type ExpectedTask, type Part, type RandomFlow, writeFlow } from "../../kit/random-flow.ts";

/** What a foreach goes over. */
export type ItemStyle = "array" | "generator" | "async" | "typed" | "map" | "set";

export interface Shape extends RandomFlow {
  readonly name: string;
  readonly items: ItemStyle;
  /** Whether the first half of the steps stands in a class that the flow extends. */
  readonly isInherited: boolean;
}

const step: Part = { kind: "step" };
const line = (...parts: readonly Part[]): Part => ({ kind: "sequence", parts, isFused: false });
const fused = (...parts: readonly Part[]): Part => ({ kind: "sequence", parts, isFused: true });
const branch = (...parts: readonly Part[]): Part => ({ kind: "branch", parts });
const foreach = (body: Part, ...sizes: readonly number[]): Part => ({ kind: "foreach", body, sizes });
type Choice = Extract<Part, { kind: "choice" }>;
type Loop = Extract<Part, { kind: "loop" }>;
const choice = (merge: Choice["merge"], ...arms: Choice["arms"]): Part => ({ kind: "choice", arms, merge });
const loop = (body: Part, rounds: number, options: Partial<Pick<Loop, "rest" | "merge">> = {}): Part => ({
  kind: "loop",
  body,
  rest: undefined,
  rounds: [rounds],
  jump: "none",
  merge: "none",
  ...options,
});

const PARTS: Readonly<Record<string, Part>> = {
  Line: line(step, step, step),
  Branch: branch(step, step, step),
  NestedBranch: branch(line(step, branch(step, step)), step),
  Foreach: foreach(step, 4),
  LongForeach: foreach(line(step, step), 3),
  NestedForeach: foreach(foreach(foreach(step, 2), 2), 2),
  RaggedForeach: foreach(line(step, foreach(step, 0, 3, 1)), 3),
  EmptyForeach: foreach(line(step, step), 0),
  BranchForeachBranch: branch(foreach(branch(step, step), 2), step),
  ForeachInBranch: branch(foreach(step, 3), foreach(step, 2)),
  Choice: choice("none", step, step),
  ChoiceStep: choice("step", step, line(step, step)),
  ChoiceJoin: choice("join", step, step, step),
  ChoicePast: choice("step", step, undefined),
  ChoiceInForeach: foreach(choice("none", step, line(step, step)), 4),
  ChoiceStepInForeach: foreach(line(choice("step", step, undefined), step), 3),
  ForeachInChoice: choice("join", foreach(step, 3), branch(step, step)),
  Recursion: loop(step, 3),
  RecursionInForeach: foreach(loop(step, 2), 3),
  LoopInForeach: foreach(loop(line(step, step), 2), 2),
  LoopOfBranches: loop(branch(step, foreach(step, 2)), 2),
  LoopWithTwoWaysOut: loop(step, 3, { rest: step, merge: "join" }),
  JoinFansOut: fused(foreach(step, 2), foreach(step, 3)),
  JoinForks: fused(foreach(step, 2), branch(step, step)),
  JoinChooses: fused(branch(step, step), choice("step", step, step)),
};

const hand = (
  steps: Readonly<Record<string, ShortStep>>,
  expected: Readonly<Record<string, ExpectedTask>>,
  outcomes: Readonly<Record<string, ReturnType<RandomFlow["outcome"]>>> = {},
): RandomFlow => ({
  steps,
  expected: new Map(Object.entries(expected)),
  outcome: (name, path) => outcomes[`${name}/${path}`] ?? {},
});

const WRITTEN: Readonly<Record<string, RandomFlow>> = {
  Single: hand({ only: {} }, { "only/": {} }),
  Crossing: hand(
    {
      start: { next: ["a", "b"] },
      a: { next: ["ax", "ay"] },
      b: { next: ["bx", "by"] },
      ax: { next: "x" },
      ay: { next: "y" },
      bx: { next: "x" },
      by: { next: "y" },
      x: { join: true, next: "end" },
      y: { join: true, next: "end" },
      end: { join: true },
    },
    {
      "start/": {},
      "a/": { inherits: "start/" },
      "b/": { inherits: "start/" },
      "ax/": { inherits: "a/" },
      "ay/": { inherits: "a/" },
      "bx/": { inherits: "b/" },
      "by/": { inherits: "b/" },
      "x/": { inputs: ["ax/", "bx/"], before: "start/" },
      "y/": { inputs: ["ay/", "by/"], before: "start/" },
      "end/": { inputs: ["x/", "y/"], before: "start/" },
    },
  ),
  EndJoins: hand(
    { start: { foreach: "items", next: "work" }, work: { next: "end", arity: 2 }, end: { join: true } },
    {
      "start/": {},
      "work/0": { inherits: "start/", item: { split: "start/", index: 0 } },
      "work/1": { inherits: "start/", item: { split: "start/", index: 1 } },
      "end/": { inputs: ["work/0", "work/1"], before: "start/" },
    },
    { "start/": { fanOut: 2 } },
  ),
};

function shape(name: string, flow: RandomFlow, more: Partial<Pick<Shape, "items" | "isInherited">> = {}): Shape {
  return { name, items: "array", isInherited: false, ...flow, ...more };
}

const nested = line(step, foreach(line(step, foreach(step, 2)), 2), step);

export const SHAPES: readonly Shape[] = [
  ...Object.entries(WRITTEN).map(([name, flow]) => shape(name, flow)),
  ...Object.entries(PARTS).map(([name, part]) => shape(name, writeFlow(part))),
  ...(["generator", "async", "typed", "map", "set"] as const).map((items) =>
    shape(`Over${items[0]!.toUpperCase()}${items.slice(1)}`, writeFlow(nested), { items }),
  ),
  shape("Inherited", writeFlow(branch(line(step, foreach(step, 2)), choice("step", step, step))), {
    isInherited: true,
  }),
];
