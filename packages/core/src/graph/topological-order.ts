import type { FlowDefinition } from "../flow/definition.ts";
import type { DeclaredEdge } from "./edges.ts";

/**
 * Every step after all steps that lead to it; of those that could come next, the one declared first. Undefined when
 * there is a cycle.
 *
 * graphlib's topsort gives some order of a depth-first search; here the order is shown to people, so it must be theirs.
 */
export function topologicalOrder(flow: FlowDefinition, edges: readonly DeclaredEdge[]): readonly string[] | undefined {
  const place = new Map(flow.steps.map((step, index) => [step.name, index]));
  const waitsFor = new Array<number>(flow.steps.length).fill(0);
  const targets = flow.steps.map((): number[] => []);
  for (const edge of edges) {
    waitsFor[place.get(edge.to)!]!++;
    targets[place.get(edge.from)!]!.push(place.get(edge.to)!);
  }
  const ready = new SmallestFirst();
  for (const [index, count] of waitsFor.entries()) if (count === 0) ready.add(index);
  const order: string[] = [];
  for (let next = ready.take(); next !== undefined; next = ready.take()) {
    order.push(flow.steps[next]!.name);
    for (const target of targets[next]!) if (--waitsFor[target]! === 0) ready.add(target);
  }
  return order.length === flow.steps.length ? order : undefined;
}

/** Numbers of which the smallest comes out first: a binary heap, since hundreds of branches may be open at once. */
class SmallestFirst {
  readonly #heap: number[] = [];

  add(value: number): void {
    const heap = this.#heap;
    let at = heap.push(value) - 1;
    while (at > 0 && heap[(at - 1) >> 1]! > value) {
      heap[at] = heap[(at - 1) >> 1]!;
      at = (at - 1) >> 1;
    }
    heap[at] = value;
  }

  take(): number | undefined {
    const heap = this.#heap;
    const smallest = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return smallest;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= last) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return smallest;
  }
}
