import type { Graph } from "../../graph/graph.ts";
import type { FinishedTaskColumns } from "../../metadata/replay.ts";

/** Which values and upstreams of the run the kept tasks read. */
export interface KeptReads {
  /** Steps with a kept task that read one, or of which nobody knows what it read. */
  readersOf(name: string): readonly string[];
  /** Whether all of them are known to have read it. */
  isSure(name: string): boolean;
}

export function readsOfKept(finished: FinishedTaskColumns, kept: ReadonlySet<string>): KeptReads {
  const readers = new Map<string, Set<string>>();
  const unknown = new Set<string>();
  // Tasks of a step mostly read the same list, and the store gives equal lists as one object.
  const seen = new Map<string, Set<readonly string[]>>();
  for (let index = 0; index < finished.count; index++) {
    const step = finished.steps[index]!;
    if (!kept.has(step)) continue;
    const names = finished.valueReads[index];
    if (names === undefined) {
      unknown.add(step);
      continue;
    }
    const lists = seen.get(step) ?? new Set();
    seen.set(step, lists);
    if (lists.has(names)) continue;
    lists.add(names);
    for (const name of names) readers.set(name, (readers.get(name) ?? new Set()).add(step));
  }
  return {
    readersOf: (name) => [...new Set([...(readers.get(name) ?? []), ...unknown])],
    isSure: (name) => [...unknown].every((step) => readers.get(name)?.has(step) === true),
  };
}

/** The last step, in the order of the graph, from which on all of these run again. */
export function stepBefore(graph: Graph, steps: readonly string[]): string {
  return graph.order.findLast((step) => steps.every((other) => isFrom(graph, step, other))) ?? graph.start;
}

/** Whether `step` is `other` or comes before it. */
function isFrom(graph: Graph, step: string, other: string): boolean {
  const seen = new Set([step]);
  const open = [step];
  for (let current = open.pop(); current !== undefined; current = open.pop()) {
    if (current === other) return true;
    for (const index of graph.nodes[current]!.outgoing) {
      const { to } = graph.edges[index]!;
      if (!seen.has(to)) {
        seen.add(to);
        open.push(to);
      }
    }
  }
  return false;
}
