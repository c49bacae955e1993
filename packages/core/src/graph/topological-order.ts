import type { FlowDefinition } from "../flow/definition.ts";
import type { DeclaredEdge } from "./edges.ts";

/**
 * Every step after all steps that lead to it; of those that could come next, the one declared first. Undefined when
 * there is a cycle.
 *
 * graphlib's topsort gives some order of a depth-first search; here the order is shown to people, so it must be theirs.
 */
export function topologicalOrder(flow: FlowDefinition, edges: readonly DeclaredEdge[]): readonly string[] | undefined {
  const waitsFor = new Map(flow.steps.map((step) => [step.name, edges.filter((edge) => edge.to === step.name).length]));
  const order: string[] = [];
  while (order.length < flow.steps.length) {
    const next = flow.steps.find((step) => waitsFor.get(step.name) === 0);
    if (next === undefined) return undefined;
    waitsFor.delete(next.name);
    order.push(next.name);
    for (const edge of edges) if (edge.from === next.name) waitsFor.set(edge.to, waitsFor.get(edge.to)! - 1);
  }
  return order;
}
