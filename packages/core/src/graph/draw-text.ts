import { framesOf } from "./drawing.ts";
import type { Graph, GraphNode } from "./graph.ts";

/**
 * Draws a graph for terminals: one line a step in running order, what is inside a foreach moved in under it (`│`), what
 * is repeated marked with `↻`, as is the case that repeats it.
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
    return { label: `${marks(graph, node)}${name}`, text: describe(graph, node) };
  });
  const width = Math.max(...lines.map(({ label }) => label.length)) + 2;
  return [graph.flow.name, "", ...lines.map(({ label, text }) => `${label.padEnd(width)}${text}`.trimEnd()), ""].join(
    "\n",
  );
}

function marks(graph: Graph, node: GraphNode): string {
  return framesOf(graph, node)
    .map(({ kind }) => (kind === "loop" ? "↻ " : "│ "))
    .join("");
}

function describe(graph: Graph, node: GraphNode): string {
  return [joinText(graph, node), targetText(graph, node)].filter((part) => part !== "").join(" ");
}

function joinText(graph: Graph, node: GraphNode): string {
  if (!node.step.isJoin) return "";
  if (node.closes !== undefined) return `join items of ${node.closes}`;
  return `join ${node.incoming.map((index) => graph.edges[index]!.from).join(", ")}`;
}

function targetText(graph: Graph, { step, outgoing }: GraphNode): string {
  if (step.kind === "choose") {
    const repeated = new Set(outgoing.filter((at) => graph.edges[at]!.repeats).map((at) => graph.edges[at]!.to));
    const cases = (step.cases ?? []).map(
      ({ value, target }) => `${value} ${repeated.has(target) ? "↻" : "→"} ${target}`,
    );
    return `choose on ${step.on}: ${cases.join(", ")}`;
  }
  if (step.next.length === 0) return "";
  const targets = `→ ${step.next.join(", ")}`;
  return step.foreach === undefined ? targets : `foreach ${step.foreach} ${targets}`;
}
