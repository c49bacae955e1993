import type { FlowDefinition, StepDefinition } from "../flow/definition.ts";
import type { GraphEdge } from "./graph.ts";

/** An edge as far as the definition alone tells it. */
export type DeclaredEdge = Pick<GraphEdge, "from" | "to" | "kind" | "cases">;

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

/** Which edges lead out of each step and into it, as indices in declared order; a step without any has none. */
export class EdgeIndex {
  readonly #outOf: ReadonlyMap<string, readonly number[]>;
  readonly #into: ReadonlyMap<string, readonly number[]>;

  constructor(edges: readonly DeclaredEdge[]) {
    this.#outOf = indicesBy(edges, (edge) => edge.from);
    this.#into = indicesBy(edges, (edge) => edge.to);
  }

  outOf(step: string): readonly number[] {
    return this.#outOf.get(step) ?? [];
  }

  into(step: string): readonly number[] {
    return this.#into.get(step) ?? [];
  }
}

function indicesBy(
  edges: readonly DeclaredEdge[],
  key: (edge: DeclaredEdge) => string,
): ReadonlyMap<string, readonly number[]> {
  const indices = new Map<string, number[]>();
  for (const [index, edge] of edges.entries()) {
    const list = indices.get(key(edge));
    if (list === undefined) indices.set(key(edge), [index]);
    else list.push(index);
  }
  return indices;
}
