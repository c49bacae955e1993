import type { FlowDefinition, StepDefinition } from "../flow/definition.ts";
import type { GraphEdge } from "./graph.ts";

/** An edge as far as the definition alone tells it. */
export type DeclaredEdge = Omit<GraphEdge, "closes" | "repeats" | "leaves">;

/** The edges of a flow in declared order of sources and of their targets; targets that do not exist are left out. */
export function declaredEdges(flow: FlowDefinition): readonly DeclaredEdge[] {
  const names = new Set(flow.steps.map((step) => step.name));
  return flow.steps.flatMap((step) => edgesOf(step).filter((edge) => names.has(edge.to)));
}

function edgesOf(step: StepDefinition): readonly DeclaredEdge[] {
  const targets = [...new Set(step.next)];
  if (step.kind === "choose") {
    return targets.map((to) => ({
      from: step.name,
      to,
      kind: "choice",
      cases: (step.cases ?? []).filter(({ target }) => target === to).map(({ value }) => value),
    }));
  }
  return targets.map((to) => ({ from: step.name, to, kind: step.foreach === undefined ? "plain" : "foreach" }));
}
