import type { Graph } from "../graph/graph.ts";
import type { StepContract } from "./protocol.ts";

/** What whoever executes a step needs to know of it besides its code. */
export function stepContract(graph: Graph, name: string): StepContract {
  const node = graph.nodes[name]!;
  const { step } = node;
  const shared = sharedFields(graph, name);
  const split = node.incoming.map((index) => graph.edges[index]!).find(({ kind }) => kind === "foreach")?.from;
  return {
    name,
    isJoin: step.isJoin,
    sources: step.isJoin ? [...new Set(node.incoming.map((index) => graph.edges[index]!.from))] : [],
    ...(split === undefined ? {} : { split }),
    ...(step.next.length > 0 ? {} : { isLast: true }),
    ...(shared.all.length === 0 ? {} : { shared }),
    ...(step.foreach === undefined ? {} : { foreach: step.foreach }),
    ...(step.on === undefined ? {} : { on: step.on, cases: (step.cases ?? []).map(({ value }) => value) }),
  };
}

function sharedFields(graph: Graph, name: string): NonNullable<StepContract["shared"]> {
  const all = Object.values(graph.nodes).flatMap(({ step }) => step.behaviour.shared ?? []);
  return { own: graph.nodes[name]!.step.behaviour.shared ?? [], all: [...new Set(all)] };
}
