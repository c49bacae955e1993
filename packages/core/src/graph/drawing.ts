/** What all drawings of a graph have in common: shapes, labels, and what stands in which box. */
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

/** What is open at a step: the body of a foreach, or a loop; outermost first. */
export interface Frame {
  readonly kind: "foreach" | "loop";
  /** The foreach step, or the header of the loop. */
  readonly step: string;
}

/** A step, or a box with what is inside of a foreach or a loop, in running order. */
export type DrawingItem =
  | { readonly kind: "step"; readonly node: GraphNode }
  | { readonly kind: "box"; readonly frame: Frame; readonly label: string; readonly items: readonly DrawingItem[] };

/** The steps of a graph in their boxes. The box of a foreach comes behind its step, that of a loop holds its header. */
export function layOut(graph: Graph): readonly DrawingItem[] {
  const top: DrawingItem[] = [];
  const boxes = new Map([["", top]]);
  const open = (frames: readonly Frame[], label: string): void => {
    const frame = frames.at(-1)!;
    const items: DrawingItem[] = [];
    boxes.set(keyOf(frames), items);
    boxes.get(keyOf(frames.slice(0, -1)))!.push({ kind: "box", frame, label, items });
  };
  for (const name of graph.order) {
    const node = graph.nodes[name]!;
    const frames = framesOf(graph, node);
    if (!boxes.has(keyOf(frames))) open(frames, `loop ${name}`);
    boxes.get(keyOf(frames))!.push({ kind: "step", node });
    if (node.step.foreach !== undefined)
      open([...frames, { kind: "foreach", step: name }], `foreach ${node.step.foreach}`);
  }
  return top;
}

/** What is open at a step, a foreach and the loops inside of it in their order. */
export function framesOf(graph: Graph, node: GraphNode): readonly Frame[] {
  const loops = graph.loops.filter(({ header }) => node.loops.includes(header));
  const depths = [...node.scope, undefined].map((foreach, depth): readonly Frame[] => [
    ...loops
      .filter(({ scope }) => scope.length === depth)
      .map(({ header }) => ({ kind: "loop" as const, step: header })),
    ...(foreach === undefined ? [] : [{ kind: "foreach" as const, step: foreach }]),
  ]);
  return depths.flat();
}

function keyOf(frames: readonly Frame[]): string {
  return frames.map(({ kind, step }) => `${kind} ${step}`).join("/");
}
