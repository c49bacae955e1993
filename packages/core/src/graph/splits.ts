import type { Graph } from "./graph.ts";

/**
 * For each join, the split that it ends: the foreach that it closes, or else the nearest step through which every way
 * into the join leads. Joins that have none (the first step of a flow) are left out.
 *
 * @see immediate dominators, which are a walk in topological order when there are no cycles
 */
export function splitsOf(graph: Graph): ReadonlyMap<string, string> {
  const dominator = new Map<string, string>();
  const depth = new Map<string, number>();
  const splits = new Map<string, string>();
  const nearestCommon = (left: string, right: string): string => {
    while (left !== right) {
      if (depth.get(left)! >= depth.get(right)!) left = dominator.get(left)!;
      else right = dominator.get(right)!;
    }
    return left;
  };
  for (const name of graph.order) {
    const node = graph.nodes[name]!;
    const sources = node.incoming.map((index) => graph.edges[index]!.from);
    // Behind the join of a foreach one is where the foreach itself stood: what is inside of it is left behind.
    const above = node.closes ?? (sources.length === 0 ? undefined : sources.reduce(nearestCommon));
    depth.set(name, above === undefined ? 0 : depth.get(above)! + 1);
    if (above === undefined) continue;
    dominator.set(name, above);
    if (node.step.isJoin) splits.set(name, above);
  }
  return splits;
}
