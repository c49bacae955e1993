import { type DrawingItem, edgeLabel, layOut, shapeOf } from "./drawing.ts";
import type { Graph, GraphNode } from "./graph.ts";

/** Draws a graph as a Mermaid flowchart; what is inside a foreach or a loop stands in a box. */
export function drawMermaid(graph: Graph): string {
  // Step names never serve as ids: "end" is a word of Mermaid's own.
  const ids = new Map(graph.order.map((name, index) => [name, `s${index}`]));
  return [
    "flowchart LR",
    ...boxLines(graph, ids, layOut(graph), "  "),
    ...graph.edges.map((edge) => {
      const label = edgeLabel(edge);
      const arrow = edge.kind === "choice" ? "-.->" : "-->";
      return `  ${ids.get(edge.from)} ${arrow}${label === "" ? "" : `|${quote(label)}|`} ${ids.get(edge.to)}`;
    }),
    "",
  ].join("\n");
}

function boxLines(
  graph: Graph,
  ids: ReadonlyMap<string, string>,
  items: readonly DrawingItem[],
  indent: string,
): readonly string[] {
  return items.flatMap((item) => {
    if (item.kind === "step") return [`${indent}${ids.get(item.node.step.name)}${box(graph, item.node)}`];
    const letter = item.frame.kind === "loop" ? "l" : "f";
    return [
      `${indent}subgraph ${letter}${ids.get(item.frame.step)}[${quote(item.label)}]`,
      ...boxLines(graph, ids, item.items, `${indent}  `),
      `${indent}end`,
    ];
  });
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
