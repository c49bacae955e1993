import { type DrawingItem, edgeLabel, layOut, shapeOf } from "./drawing.ts";
import type { Graph, GraphEdge } from "./graph.ts";

/** Draws a graph in the DOT language of Graphviz; what is inside a foreach or a loop stands in a box. */
export function drawDot(graph: Graph): string {
  return [
    `digraph ${quote(graph.flow.name)} {`,
    "  rankdir=LR;",
    '  node [fontname="sans-serif"];',
    '  edge [fontname="sans-serif"];',
    ...boxLines(graph, layOut(graph), "", "  "),
    ...graph.edges.map((edge) => `  ${quote(edge.from)} -> ${quote(edge.to)}${attributes(edge)};`),
    "}",
    "",
  ].join("\n");
}

const SHAPES = { end: "oval", join: "trapezium", choose: "diamond", step: "box" } as const;

function boxLines(graph: Graph, items: readonly DrawingItem[], around: string, indent: string): readonly string[] {
  return items.flatMap((item) => {
    if (item.kind === "step")
      return [`${indent}${quote(item.node.step.name)} [shape=${SHAPES[shapeOf(graph, item.node)]}];`];
    // A step may both begin a loop and fan out: the boxes need two names.
    const name = `${around}${item.frame.kind === "loop" ? "~" : ""}${item.frame.step}`;
    return [
      `${indent}subgraph ${quote(`cluster_${name}`)} {`,
      `${indent}  label=${quote(item.label)};`,
      ...boxLines(graph, item.items, `${name}/`, `${indent}  `),
      `${indent}}`,
    ];
  });
}

function attributes(edge: GraphEdge): string {
  const label = edgeLabel(edge);
  const all = [
    ...(label === "" ? [] : [`label=${quote(label)}`]),
    ...(edge.kind === "choice" ? ["style=dashed"] : []),
    // What leads back does not push its target behind its source.
    ...(edge.repeats ? ["constraint=false"] : []),
  ];
  return all.length === 0 ? "" : ` [${all.join(", ")}]`;
}

/** A DOT string: quotes and backslashes escaped, line breaks as `\n`. */
function quote(text: string): string {
  return `"${text
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll(/\r?\n|\r/g, "\\n")}"`;
}
