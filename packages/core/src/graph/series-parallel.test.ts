import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { flowOf, type ShortStep } from "../../../../test/kit/flow-of.ts";
import type { FlowDefinition } from "../flow/definition.ts";
import { checkGraph, graphProblems } from "./check-graph.ts";

/** A flow put together from parts that each have one way in and one way out. */
type Part =
  | { readonly kind: "step" }
  | { readonly kind: "sequence"; readonly parts: readonly Part[] }
  | { readonly kind: "branch"; readonly parts: readonly Part[] }
  | { readonly kind: "foreach"; readonly body: Part }
  /** An arm without a part leads straight on. */
  | { readonly kind: "choose"; readonly arms: readonly (Part | undefined)[] };

function parts(withForeach: boolean): fc.Arbitrary<Part> {
  return fc.letrec<{ part: Part }>((tie) => {
    const several = (kind: "sequence" | "branch") =>
      fc.record({ kind: fc.constant(kind), parts: fc.array(tie("part"), { minLength: 2, maxLength: 3 }) });
    const choose = fc.record({
      kind: fc.constant("choose" as const),
      arms: fc.array(fc.option(tie("part"), { nil: undefined }), { minLength: 2, maxLength: 3 }),
    });
    const foreach = fc.record({ kind: fc.constant("foreach" as const), body: tie("part") });
    return {
      part: fc.oneof(
        { maxDepth: 5, depthSize: "medium" },
        fc.constant({ kind: "step" as const }),
        several("sequence"),
        several("branch"),
        choose,
        ...(withForeach ? [foreach] : []),
      ),
    };
  }).part;
}

type Steps = Record<string, ShortStep>;

/** Writes the steps of a part that leads on to `next`, and gives the name of its first step. */
function write(part: Part, next: string, steps: Steps): string {
  const name = (what: string): string => `${what}${Object.keys(steps).length}`;
  switch (part.kind) {
    case "step": {
      const own = name("step");
      steps[own] = { next };
      return own;
    }
    case "sequence":
      return part.parts.reduceRight((after, inner) => write(inner, after, steps), next);
    case "branch": {
      const join = name("join");
      steps[join] = { join: true, next };
      const entries = part.parts.map((inner) => write(inner, join, steps));
      const fork = name("fork");
      steps[fork] = { next: entries };
      return fork;
    }
    case "foreach": {
      const join = name("gather");
      steps[join] = { join: true, next };
      const entry = write(part.body, join, steps);
      const fan = name("fan");
      steps[fan] = { foreach: "items", next: entry };
      return fan;
    }
    case "choose": {
      const entries = part.arms.map(
        (arm, index) => [`case${index}`, arm === undefined ? next : write(arm, next, steps)] as const,
      );
      const own = name("choose");
      steps[own] = { next: Object.fromEntries(entries) };
      return own;
    }
  }
}

function stepsOf(part: Part): Steps {
  const steps: Steps = {};
  const first = write(part, "end", steps);
  return { start: { next: first }, ...steps, end: {} };
}

/** Runs the flow for every way to choose: does some step that is no join ever get two tokens? Knows no foreach. */
function everMeetsWithoutJoin(flow: FlowDefinition, order: readonly string[]): boolean {
  const steps = new Map(flow.steps.map((step) => [step.name, step]));
  const chooses = flow.steps.filter((step) => step.kind === "choose");
  const worlds = chooses.reduce<readonly Readonly<Record<string, string>>[]>(
    (all, step) => all.flatMap((world) => step.next.map((target) => ({ ...world, [step.name]: target }))),
    [{}],
  );
  return worlds.some((world) => {
    const tokens = new Map([["start", 1]]);
    return order.some((name) => {
      const step = steps.get(name)!;
      const count = tokens.get(name) ?? 0;
      if (count > 1 && !step.isJoin) return true;
      if (count === 0) return false;
      for (const target of step.kind === "choose" ? [world[name]!] : step.next)
        tokens.set(target, (tokens.get(target) ?? 0) + 1);
      return false;
    });
  });
}

const RUNS = { numRuns: 100 };

describe("flows built from branches, foreach and choices", () => {
  test("are accepted, and each foreach is closed by the join written for it", () => {
    fc.assert(
      fc.property(parts(true), (part) => {
        const steps = stepsOf(part);
        const flow = flowOf(steps);
        expect(graphProblems(flow)).toEqual([]);
        const { nodes } = checkGraph(flow);
        for (const { step, closes, scope } of Object.values(nodes)) {
          expect(closes !== undefined).toBe(step.name.startsWith("gather"));
          if (closes !== undefined) expect(nodes[closes]!.scope).toEqual(scope);
        }
        expect(nodes.end!.scope).toEqual([]);
      }),
      RUNS,
    );
  });

  test("are refused when a join becomes a plain step", () => {
    fc.assert(
      fc.property(parts(true), fc.nat(), (part, pick) => {
        const steps = stepsOf(part);
        const joins = Object.keys(steps).filter((name) => steps[name]!.join === true);
        fc.pre(joins.length > 0);
        const dropped = joins[pick % joins.length]!;
        const { join: _join, ...rest } = steps[dropped]!;
        expect(graphProblems(flowOf({ ...steps, [dropped]: rest }))).not.toEqual([]);
      }),
      RUNS,
    );
  });

  test("are refused when a transition crosses the border of a foreach", () => {
    fc.assert(
      fc.property(parts(true), fc.nat(), fc.nat(), (part, pickFrom, pickTo) => {
        const steps = stepsOf(part);
        const { nodes, order, edges } = checkGraph(flowOf(steps));
        const arrival = (name: string): string => {
          const edge = edges[nodes[name]!.incoming[0]!]!;
          return [...nodes[edge.from]!.scope, ...(edge.kind === "foreach" ? [edge.from] : [])].join("/");
        };
        const sources = order.filter(
          (name) => typeof steps[name]!.next === "string" && steps[name]!.foreach === undefined,
        );
        const from = sources[pickFrom % sources.length]!;
        const targets = order
          .slice(order.indexOf(from) + 1)
          .filter((name) => arrival(name) !== nodes[from]!.scope.join("/"));
        fc.pre(targets.length > 0);
        const to = targets[pickTo % targets.length]!;
        expect(
          graphProblems(flowOf({ ...steps, [from]: { ...steps[from], next: [steps[from]!.next as string, to] } })),
        ).not.toEqual([]);
      }),
      RUNS,
    );
  });

  test("with any more transitions are accepted exactly when no step that is no join can get two tokens", () => {
    let [accepted, refused] = [0, 0];
    fc.assert(
      fc.property(
        parts(false),
        fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 3 }),
        (part, picks) => {
          const steps = stepsOf(part);
          fc.pre(
            Object.values(steps).filter(({ next }) => typeof next === "object" && !Array.isArray(next)).length <= 6,
          );
          const { order } = checkGraph(flowOf(steps));
          for (const [pickFrom, pickTo] of picks) {
            const sources = order
              .slice(0, -1)
              .filter((name) => typeof steps[name]!.next === "string" || Array.isArray(steps[name]!.next));
            const from = sources[pickFrom % sources.length]!;
            const already = [steps[from]!.next].flat() as readonly string[];
            const targets = order.slice(order.indexOf(from) + 1).filter((name) => !already.includes(name));
            if (targets.length > 0)
              steps[from] = { ...steps[from], next: [...already, targets[pickTo % targets.length]!] };
          }
          const flow = flowOf(steps);
          const isSound = !everMeetsWithoutJoin(flow, order);
          isSound ? accepted++ : refused++;
          expect(graphProblems(flow).length === 0).toBe(isSound);
        },
      ),
      { numRuns: 250 },
    );
    expect(accepted).toBeGreaterThan(20);
    expect(refused).toBeGreaterThan(20);
  });
});
