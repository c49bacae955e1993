/** What the scheduler must know of each step, worked out once from the graph and linked by reference. */
import type { Graph, GraphEdge, GraphNode } from "../../graph/graph.ts";
import { splitsOf } from "../../graph/splits.ts";

export interface StepPlan {
  readonly name: string;
  readonly isJoin: boolean;
  /** Whether the task of this step is what some join of branches calls the task before the split. */
  readonly isSplit: boolean;
  /** For a join of branches: the step that split them. */
  readonly split?: string;
  /** How many edges lead here, without those that repeat a loop. */
  readonly incoming: number;
  /** Where they come from, in their order. */
  readonly sources: readonly string[];
  readonly outgoing: readonly EdgePlan[];
  /** For a choose: the edge that each case takes. */
  readonly cases?: ReadonlyMap<string, EdgePlan>;
  /** For a foreach: where its items go, and the join that closes it. */
  readonly child?: StepPlan;
  readonly closing?: StepPlan;
  /** Whether it is the target of a foreach. */
  readonly takesItem: boolean;
  /** The loop that begins here. */
  readonly loop?: LoopPlan;
}

export interface EdgePlan {
  readonly edge: GraphEdge;
  readonly target: StepPlan;
  /** Place among the edges into the target; -1 for one that repeats a loop. */
  readonly position: number;
  /** Loops that it leaves, innermost first. */
  readonly leaves: readonly LoopPlan[];
}

export interface LoopPlan {
  readonly header: string;
  readonly exits: readonly EdgePlan[];
}

type Draft<T> = { -readonly [K in keyof T]: T[K] };

/** The plan of every step by name. */
export function planSteps(graph: Graph): ReadonlyMap<string, StepPlan> {
  const splits = splitsOf(graph);
  const isBranchJoin = (join: string): boolean => graph.nodes[join]!.closes === undefined;
  const splitSteps = new Set([...splits].filter(([join]) => isBranchJoin(join)).map(([, split]) => split));
  const plans = new Map<string, Draft<StepPlan>>();
  for (const name of graph.order) {
    const { step, incoming } = graph.nodes[name]!;
    const split = step.isJoin && isBranchJoin(name) ? splits.get(name) : undefined;
    plans.set(name, {
      name,
      isJoin: step.isJoin,
      isSplit: splitSteps.has(name),
      ...(split === undefined ? {} : { split }),
      incoming: incoming.length,
      sources: incoming.map((index) => graph.edges[index]!.from),
      outgoing: [],
      takesItem: incoming.some((index) => graph.edges[index]!.kind === "foreach"),
    });
  }
  link(graph, plans);
  return plans;
}

function link(graph: Graph, plans: ReadonlyMap<string, Draft<StepPlan>>): void {
  const loops = new Map(graph.loops.map(({ header }) => [header, { header, exits: [] } as Draft<LoopPlan>]));
  const edges = graph.edges.map((edge, index): EdgePlan => {
    const position = graph.nodes[edge.to]!.incoming.indexOf(index);
    const leaves = edge.leaves.map((header) => loops.get(header)!);
    return { edge, target: plans.get(edge.to)!, position, leaves };
  });
  for (const { header, exits } of graph.loops) loops.get(header)!.exits = exits.map((index) => edges[index]!);
  for (const [name, plan] of plans) {
    const { step, outgoing, closes } = graph.nodes[name]!;
    plan.outgoing = outgoing.map((index) => edges[index]!);
    const loop = loops.get(name);
    if (loop !== undefined) plan.loop = loop;
    if (step.kind === "choose") plan.cases = casesOf(plan.outgoing);
    if (step.foreach !== undefined) plan.child = plan.outgoing[0]!.target;
    if (closes !== undefined) plans.get(closes)!.closing = plan;
  }
}

function casesOf(edges: readonly EdgePlan[]): ReadonlyMap<string, EdgePlan> {
  return new Map(edges.flatMap((plan) => (plan.edge.cases ?? []).map((value) => [value, plan] as const)));
}

/** The largest number of edges that lead out of one step. */
export function mostEdges(nodes: Readonly<Record<string, GraphNode>>): number {
  return Object.values(nodes).reduce((most, { outgoing }) => Math.max(most, outgoing.length), 1);
}
