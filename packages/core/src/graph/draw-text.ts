import type { Graph, GraphNode } from "./graph.ts";

/**
 * Draws a graph for terminals: one line a step in running order, what is inside a foreach moved in under it.
 *
 * @example
 * ```
 * Train
 *
 * start         foreach contenders → evaluate
 * │ evaluate    → pickBest
 * pickBest      join items of start → end
 * end
 * ```
 */
export function drawText(graph: Graph): string {
  const lines = graph.order.map((name) => {
    const node = graph.nodes[name]!;
    return { label: `${"│ ".repeat(node.scope.length)}${name}`, text: describe(graph, node) };
  });
  const width = Math.max(...lines.map(({ label }) => label.length)) + 2;
  return [graph.flow.name, "", ...lines.map(({ label, text }) => `${label.padEnd(width)}${text}`.trimEnd()), ""].join(
    "\n",
  );
}

function describe(graph: Graph, node: GraphNode): string {
  return [joinText(graph, node), targetText(node)].filter((part) => part !== "").join(" ");
}

function joinText(graph: Graph, node: GraphNode): string {
  if (!node.step.isJoin) return "";
  if (node.closes !== undefined) return `join items of ${node.closes}`;
  return `join ${node.incoming.map((index) => graph.edges[index]!.from).join(", ")}`;
}

function targetText({ step }: GraphNode): string {
  if (step.kind === "choose")
    return `choose on ${step.on}: ${(step.cases ?? []).map(({ value, target }) => `${value} → ${target}`).join(", ")}`;
  if (step.next.length === 0) return "";
  const targets = `→ ${step.next.join(", ")}`;
  return step.foreach === undefined ? targets : `foreach ${step.foreach} ${targets}`;
}
