/**
 * What can be wrong with a loop that has one way in and a way out: it begins with a join, it crosses the border of a
 * foreach, or a round could end in two ways at once.
 */
import type { Problem } from "../errors/flow-error.ts";
import type { StepDefinition } from "../flow/definition.ts";
import { type Condition, NEVER } from "./condition.ts";
import type { FoundLoop } from "./find-loops.ts";
import { listNames, problemAt } from "./problem-at.ts";
import { type Outline, type Pass, whenLeft, whenTaken } from "./scope-pass.ts";

export function brokenLoops(outline: Outline, pass: Pass): readonly Problem[] {
  const steps = new Map(outline.flow.steps.map((step) => [step.name, step]));
  return outline.loops
    .filter(({ header }) => pass.scope.has(header))
    .flatMap((loop) => {
      const crossing = crossingForeach(outline, pass, steps, loop);
      return [
        ...beginsWithJoin(steps.get(loop.header)!),
        ...crossing,
        // Conditions inside of a foreach are about one item, and say nothing about those outside.
        ...(crossing.length === 0 ? parallelEnds(outline, pass, steps, loop) : []),
      ];
    });
}

function beginsWithJoin(header: StepDefinition): readonly Problem[] {
  if (!header.isJoin) return [];
  return [
    problemAt(
      header,
      "FLOW_GRAPH_LOOP_INTO_JOIN",
      `A choice leads back to join "${header.name}", which would have nothing to join from the second round on`,
      "Put a @step behind the join, and lead back to that",
    ),
  ];
}

/** Transitions that repeat or leave a loop from inside of a foreach that opens in it. */
function crossingForeach(
  { edges }: Outline,
  pass: Pass,
  steps: ReadonlyMap<string, StepDefinition>,
  { header, repeats, exits }: FoundLoop,
): readonly Problem[] {
  const outside = pass.scope.get(header)!;
  const crossing = [...repeats, ...exits].filter((at) => pass.scope.get(edges[at]!.from)!.length > outside.length);
  const [first] = crossing;
  if (first === undefined) return [];
  const { from, to } = edges[first]!;
  const open = pass.scope.get(from)!.slice(outside.length);
  return [
    problemAt(
      steps.get(from),
      "FLOW_GRAPH_LOOP_CROSSES_FOREACH",
      `"${from}" leads to "${to}" inside the foreach of ${listNames(open)}, but the loop that begins with "${header}" goes around that foreach`,
      `Close the foreach in a @join inside of the loop first, or lead back to a step inside of the foreach`,
    ),
  ];
}

/** Two transitions that end a round and do not exclude each other: branches that the loop's body leaves open. */
function parallelEnds(
  outline: Outline,
  pass: Pass,
  steps: ReadonlyMap<string, StepDefinition>,
  { header, repeats, exits }: FoundLoop,
): readonly Problem[] {
  const ends = [...repeats, ...exits].map((at) => ({
    from: outline.edges[at]!.from,
    condition: whenEnded(outline, pass, at, header),
  }));
  let before: Condition = NEVER;
  for (const [place, right] of ends.entries()) {
    const isExclusive = pass.conditions.areExclusive(before, right.condition);
    before = pass.conditions.or(before, right.condition);
    if (isExclusive) continue;
    const left = ends.slice(0, place).find((end) => !pass.conditions.areExclusive(end.condition, right.condition))!;
    const names = [...new Set([left.from, right.from])];
    return [
      problemAt(
        steps.get(right.from),
        "FLOW_GRAPH_LOOP_BRANCHES",
        `${listNames(names)} ${names.length === 1 ? "leads" : "run in parallel and lead"} out of one round of the loop that begins with "${header}" in two ways at once`,
        "Join the branches inside of the loop, before the choice that leads back",
      ),
    ];
  }
  return [];
}

/** When an edge ends a round of a loop, seen from around all loops inside of that one. */
function whenEnded(outline: Outline, pass: Pass, at: number, header: string): Condition {
  const around = pass.loopsOf.get(outline.edges[at]!.from)!;
  const inner = around.slice(around.indexOf(header) + 1).reverse();
  return whenLeft(pass, at, inner, whenTaken(pass, outline, at));
}
