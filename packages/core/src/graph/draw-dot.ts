import { edgeLabel, shapeOf } from "./drawing.ts";
import type { Graph, GraphEdge } from "./graph.ts";

/** Draws a graph in the DOT language of Graphviz; what is inside a foreach stands in a box. */
export function drawDot(graph: Graph): string {
  return [
    `digraph ${quote(graph.flow.name)} {`,
    "  rankdir=LR;",
    '  node [fontname="sans-serif"];',
    '  edge [fontname="sans-serif"];',
    ...scopeLines(graph, [], "  "),
    ...graph.edges.map((edge) => `  ${quote(edge.from)} -> ${quote(edge.to)}${attributes(edge)};`),
    "}",
    "",
  ].join("\n");
}

const SHAPES = { end: "oval", join: "trapezium", choose: "diamond", step: "box" } as const;

function scopeLines(graph: Graph, scope: readonly string[], indent: string): readonly string[] {
  const lines: string[] = [];
  for (const name of graph.order) {
    const node = graph.nodes[name]!;
    if (node.scope.join("/") === scope.join("/")) {
      lines.push(`${indent}${quote(name)} [shape=${SHAPES[shapeOf(graph, node)]}];`);
      const inner = [...scope, name];
      if (node.step.foreach === undefined) continue;
      const label = `foreach ${node.step.foreach}`;
      lines.push(
        `${indent}subgraph ${quote(`cluster_${inner.join("/")}`)} {`,
        `${indent}  label=${quote(label)};`,
        ...scopeLines(graph, inner, `${indent}  `),
        `${indent}}`,
      );
    }
  }
  return lines;
}

function attributes(edge: GraphEdge): string {
  const label = edgeLabel(edge);
  const style = edge.kind === "choice" ? ["style=dashed"] : [];
  const all = [...(label === "" ? [] : [`label=${quote(label)}`]), ...style];
  return all.length === 0 ? "" : ` [${all.join(", ")}]`;
}

/** A DOT string: quotes and backslashes escaped, line breaks as `\n`. */
function quote(text: string): string {
  return `"${text
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll(/\r?\n|\r/g, "\\n")}"`;
}
