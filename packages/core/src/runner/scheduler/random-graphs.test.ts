/**
 * Random graphs, most of them nonsense: the check accepts or refuses with codes, and what it accepts runs to its end
 * whatever is chosen, with nothing left over.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { flowOf, type ShortStep } from "../../../../../test/kit/flow-of.ts";
import { randomPart, writeFlow } from "../../../../../test/kit/random-flow.ts";
import { codeTable } from "../../errors/code-table.ts";
import { checkGraph, graphProblems } from "../../graph/check-graph.ts";
import type { Graph } from "../../graph/graph.ts";
import type { TaskSequence } from "../../metadata/metadata-store.ts";
import { type ReadyTask, Scheduler } from "./scheduler.ts";

type Steps = Record<string, ShortStep>;
type Pick = (count: number) => number;

/** Steps that lead to any others, forwards for the most part. */
const wildSteps = fc
  .array(
    fc.record({
      kind: fc.constantFrom("step", "step", "fork", "choose", "choose", "foreach"),
      isJoin: fc.boolean(),
      targets: fc.array(fc.tuple(fc.nat(), fc.nat(9)), { minLength: 3, maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 7 },
  )
  .map((drafts): Steps => {
    const names = ["start", ...drafts.slice(1).map((_, index) => `step${index}`), "end"];
    const steps: Steps = {};
    for (const [index, { kind, isJoin, targets }] of drafts.entries()) {
      const [first, second, third] = targets.map(([number, back]) =>
        // Choices lead back now and then, other steps hardly ever.
        back < (kind === "choose" ? 4 : 1)
          ? names[number % (index + 1)]!
          : names[Math.min(index + 1 + (number % 3), names.length - 1)]!,
      ) as [string, string, string];
      const join = isJoin && index > 0 ? { join: true } : {};
      if (kind === "choose") steps[names[index]!] = { ...join, next: { a: first, b: second, c: third } };
      else if (kind === "foreach") steps[names[index]!] = { ...join, foreach: "items", next: first };
      else steps[names[index]!] = { ...join, next: kind === "fork" ? [...new Set([first, second])] : first };
    }
    return { ...steps, end: drafts[0]!.isJoin ? { join: true } : {} };
  });

/** A well-formed flow with a few transitions led elsewhere, or joins turned into steps and back. */
const bentSteps = fc
  .tuple(randomPart(), fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(9)), { minLength: 1, maxLength: 3 }))
  .map(([part, changes]): Steps => {
    const steps: Steps = { ...writeFlow(part).steps };
    const names = Object.keys(steps);
    for (const [number, other, what] of changes) {
      const name = names[number % names.length]!;
      const to = names[other % names.length]!;
      const { next, ...facts } = steps[name]!;
      if (what === 0) steps[name] = { ...steps[name], join: steps[name]!.join !== true };
      else if (typeof next === "string" || next === undefined || next.length === 0) continue;
      else if (Array.isArray(next)) {
        const kept = what < 5 ? next.slice(1) : next;
        if (facts.foreach === undefined || what < 5) steps[name] = { ...facts, next: [...new Set([...kept, to])] };
      } else steps[name] = { ...facts, next: { ...next, [what < 5 ? Object.keys(next)[0]! : "new"]: to } };
    }
    return steps;
  });

/** Runs a graph with random choices that tend towards the end; gives up on a run that becomes very long. */
function play(graph: Graph, pick: Pick): { readonly isWhole: boolean; readonly count: number } {
  let next = 1;
  const scheduler = new Scheduler(
    graph,
    (count) => {
      next += count;
      return (next - count) as TaskSequence;
    },
    { maxRounds: 1_000_000 },
  );
  const distance = distancesToEnd(graph);
  const seen = new Set<string>();
  const running: ReadyTask[] = [];
  let hasEnded = false;
  scheduler.begin();
  while (!scheduler.isIdle) {
    expect(hasEnded).toBe(false); // Nothing is left when the last step has run.
    if (seen.size > 2_000) return { isWhole: false, count: seen.size };
    for (const { step } of scheduler.readySteps()) running.push(...scheduler.take(step, 1 + pick(4)));
    const [task] = running.splice(pick(running.length), 1);
    const { step, path, inputs, item, inherits, before } = task!;
    expect(seen.has(`${step}/${path}`)).toBe(false);
    seen.add(`${step}/${path}`);
    const node = graph.nodes[step]!;
    const isForeachTarget = node.incoming.some((at) => graph.edges[at]!.kind === "foreach");
    expect(item !== undefined).toBe(isForeachTarget);
    expect(inputs !== undefined).toBe(node.step.isJoin);
    const isFirst = step === graph.start && (path === "" || path === "~0");
    expect(inherits !== undefined).toBe(!node.step.isJoin && !isFirst);
    if (node.step.isJoin) expect(before).toBeDefined();
    hasEnded = step === graph.end;
    const edges = node.outgoing.map((at) => graph.edges[at]!);
    const nearest = edges.toSorted((a, b) => distance.get(a.to)! - distance.get(b.to)!)[0];
    const edge = pick(2) === 0 ? nearest : edges[pick(edges.length)];
    scheduler.succeeded(task!.sequence, {
      ...(node.step.foreach === undefined ? {} : { fanOut: pick(3) }),
      ...(edge?.cases === undefined ? {} : { choice: edge.cases[0]! }),
    });
  }
  expect(hasEnded).toBe(true);
  expect(scheduler.endTask).toBeDefined();
  return { isWhole: true, count: seen.size };
}

function distancesToEnd(graph: Graph): ReadonlyMap<string, number> {
  const distance = new Map([[graph.end, 0]]);
  for (const [step, far] of distance)
    for (const { from, to } of graph.edges) if (to === step && !distance.has(from)) distance.set(from, far + 1);
  return distance;
}

test.each([
  ["wild", wildSteps, 6_000, 60],
  ["bent", bentSteps, 1_000, 60],
] as const)("a %s graph is refused with codes, or runs to its end", (_, arbitrary, numRuns, enough) => {
  const seen = { accepted: 0, refused: 0, looped: 0 };
  fc.assert(
    fc.property(arbitrary, fc.infiniteStream(fc.nat(1_000_000)), (steps, stream) => {
      fc.pre(Object.keys(steps).length <= 60);
      const flow = flowOf(steps);
      const problems = graphProblems(flow);
      if (problems.length > 0) {
        seen.refused++;
        for (const { code, message } of problems) {
          expect(Object.hasOwn(codeTable, code) && code !== "FLOW_INTERNAL").toBe(true);
          expect(message).not.toMatch(/undefined|\[object/);
        }
        return;
      }
      const graph = checkGraph(flow);
      const pick: Pick = (count) => (count < 2 ? 0 : stream.next().value! % count);
      for (let times = 0; times < 3; times++) fc.pre(play(graph, pick).isWhole);
      seen.accepted++;
      if (graph.loops.length > 0) seen.looped++;
    }),
    { numRuns },
  );
  expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(enough);
  expect(seen.looped).toBeGreaterThan(enough / 3);
});
