/** What is different between the steps of a flow as a run had them and as they are now. */
import type { FlowDefinition, StepDefinition } from "../../flow/definition.ts";
import { type DeclaredEdge, declaredEdges } from "../../graph/edges.ts";

export interface ChangedStep {
  readonly step: string;
  readonly kind: "added" | "removed" | "changed";
}

/** Steps whose code is another, and those that came or went; in the order of the new flow, the removed ones last. */
export function compareSteps(before: FlowDefinition, after: FlowDefinition): readonly ChangedStep[] {
  const old = new Map(before.steps.map((step) => [step.name, step]));
  const names = new Set(after.steps.map(({ name }) => name));
  const present = after.steps.flatMap((step): readonly ChangedStep[] => {
    const known = old.get(step.name);
    if (known === undefined) return [{ step: step.name, kind: "added" }];
    // A digest that is missing, since an older version wrote the record, proves nothing.
    const isSame = known.codeDigest !== undefined && known.codeDigest === step.codeDigest;
    return isSame ? [] : [{ step: step.name, kind: "changed" }];
  });
  const removed = before.steps.filter(({ name }) => !names.has(name));
  return [...present, ...removed.map(({ name }): ChangedStep => ({ step: name, kind: "removed" }))];
}

/**
 * Whether a step stands where it stood: the same edges lead to it, and it splits, joins and decides as it did. What is
 * before its sources is their matter.
 */
export function isSameBefore(before: FlowDefinition, after: FlowDefinition): (step: string) => boolean {
  const [old, now] = [shapesOf(before), shapesOf(after)];
  return (step) => old.get(step) === now.get(step) && hasItsCases(step, before, after);
}

/** Whether every way that a choice could have taken is still one: what it chose may be among those that are gone. */
function hasItsCases(step: string, before: FlowDefinition, after: FlowDefinition): boolean {
  const casesOf = (flow: FlowDefinition): readonly string[] =>
    flow.steps.find(({ name }) => name === step)?.cases?.map(({ value }) => value) ?? [];
  const now = new Set(casesOf(after));
  return casesOf(before).every((value) => now.has(value));
}

function shapesOf(flow: FlowDefinition): ReadonlyMap<string, string> {
  const edges = declaredEdges(flow);
  return new Map(flow.steps.map((step) => [step.name, shapeOf(step, edges)]));
}

function shapeOf({ name, kind, isJoin, foreach, on }: StepDefinition, edges: readonly DeclaredEdge[]): string {
  const incoming = edges
    .filter(({ to }) => to === name)
    .map(({ from, kind: edge, cases }) => [from, edge, cases?.toSorted()]);
  // Sources of a join come in declared order, and so do its inputs.
  return JSON.stringify([
    kind,
    isJoin,
    foreach,
    on,
    isJoin ? incoming : incoming.map((edge) => JSON.stringify(edge)).sort(),
  ]);
}
