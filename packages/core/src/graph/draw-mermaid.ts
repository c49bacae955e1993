import { edgeLabel, shapeOf } from "./drawing.ts";
import type { Graph, GraphNode } from "./graph.ts";

/** Draws a graph as a Mermaid flowchart; what is inside a foreach stands in a box. */
export function drawMermaid(graph: Graph): string {
  // Step names never serve as ids: "end" is a word of Mermaid's own.
  const ids = new Map(graph.order.map((name, index) => [name, `s${index}`]));
  return [
    "flowchart LR",
    ...scopeLines(graph, ids, [], "  "),
    ...graph.edges.map((edge) => {
      const label = edgeLabel(edge);
      const arrow = edge.kind === "choice" ? "-.->" : "-->";
      return `  ${ids.get(edge.from)} ${arrow}${label === "" ? "" : `|${quote(label)}|`} ${ids.get(edge.to)}`;
    }),
    "",
  ].join("\n");
}

function scopeLines(
  graph: Graph,
  ids: ReadonlyMap<string, string>,
  scope: readonly string[],
  indent: string,
): readonly string[] {
  const lines: string[] = [];
  for (const name of graph.order) {
    const node = graph.nodes[name]!;
    if (node.scope.join("/") !== scope.join("/")) continue;
    lines.push(`${indent}${ids.get(name)}${box(graph, node)}`);
    if (node.step.foreach === undefined) continue;
    lines.push(
      `${indent}subgraph f${ids.get(name)}[${quote(`foreach ${node.step.foreach}`)}]`,
      ...scopeLines(graph, ids, [...scope, name], `${indent}  `),
      `${indent}end`,
    );
  }
  return lines;
}

function box(graph: Graph, node: GraphNode): string {
  const text = quote(node.step.name);
  switch (shapeOf(graph, node)) {
    case "end":
      return `([${text}])`;
    case "join":
      return `[/${text}\\]`;
    case "choose":
      return `{${text}}`;
    case "step":
      return `[${text}]`;
  }
}

/** A Mermaid string: entities for what would end it or be read as markup. */
function quote(text: string): string {
  const escaped = text
    .replaceAll("#", "#35;")
    .replaceAll('"', "#quot;")
    .replaceAll("<", "#lt;")
    .replaceAll(">", "#gt;")
    .replaceAll("`", "#96;")
    .replaceAll(/\r?\n|\r/g, " ");
  return `"${escaped}"`;
}
