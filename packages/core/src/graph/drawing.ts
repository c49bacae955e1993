import type { Graph, GraphEdge, GraphNode } from "./graph.ts";

/** What a step looks like in a drawing. */
export function shapeOf(graph: Graph, node: GraphNode): "end" | "join" | "choose" | "step" {
  const { name, kind, isJoin } = node.step;
  if (kind === "choose") return "choose";
  if (isJoin) return "join";
  return name === graph.start || name === graph.end ? "end" : "step";
}

/** What is written beside a transition: the cases of a choice; a foreach is shown by its box. */
export function edgeLabel(edge: GraphEdge): string {
  return edge.kind === "choice" ? (edge.cases ?? []).join(", ") : "";
}
