/** What can be wrong with the graph as a whole, whatever its splits and joins mean: ends, reach, cycles. */
import type { Problem } from "../errors/flow-error.ts";
import type { FlowDefinition } from "../flow/definition.ts";
import { cycleProblems, endlessLoops, plainCycleProblems } from "./check-cycles.ts";
import type { DeclaredEdge, EdgeIndex } from "./edges.ts";
import { type FoundLoop, findLoops } from "./find-loops.ts";
import { listNames, problemAt } from "./problem-at.ts";
import { topologicalOrder } from "./topological-order.ts";

export interface Shape {
  readonly problems: readonly Problem[];
  /** The one step that the flow begins with; undefined when it cannot be told. */
  readonly start?: string;
  /** Every step after those that lead to it, but for the choices that repeat a loop; undefined when that cannot be. */
  readonly order?: readonly string[];
  readonly loops: readonly FoundLoop[];
}

export function checkShape(flow: FlowDefinition, edges: readonly DeclaredEdge[], index: EdgeIndex): Shape {
  const start = startOf(flow, edges, index);
  if ("problem" in start) {
    const cycles = plainCycleProblems(flow, edges);
    // Where all steps follow each other in a circle, that there is no first one is no second mistake.
    const isSaid = cycles.length > 0 && start.problem.code === "FLOW_GRAPH_NO_START";
    const ends = severalEnds(flow, index, cycles.length > 0);
    return { problems: [...cycles, ...(isSaid ? [] : [start.problem]), ...ends], loops: [] };
  }
  const found = findLoops(flow, edges, index, start.name);
  const repeats = new Set(found.loops.flatMap((loop) => loop.repeats));
  const order = topologicalOrder(
    flow,
    edges.filter((_, at) => !repeats.has(at)),
  );
  const cycles = [
    ...(order === undefined ? cycleProblems(flow, edges, index, found) : []),
    ...endlessLoops(flow, found),
  ];
  return {
    problems: [
      ...cycles,
      ...unreachable(flow, start.name, found.reached),
      ...severalEnds(flow, index, cycles.length > 0),
    ],
    start: start.name,
    ...(order === undefined ? {} : { order }),
    loops: found.loops,
  };
}

function startOf(
  flow: FlowDefinition,
  edges: readonly DeclaredEdge[],
  index: EdgeIndex,
): { readonly name: string } | { readonly problem: Problem } {
  const named = flow.steps.find((step) => step.name === "start");
  if (named !== undefined) {
    // What leads back to it, from a step that follows it, makes a loop; what has no way in is unreachable.
    const reached = new Set(["start"]);
    for (const name of reached) for (const edge of index.outOf(name)) reached.add(edges[edge]!.to);
    const into = index.into("start").map((edge) => edges[edge]!.from);
    const before = into.filter((name) => !reached.has(name));
    if (before.length === 0) return { name: "start" };
    return {
      problem: problemAt(
        named,
        "FLOW_GRAPH_START_HAS_INPUT",
        `Step "start" begins the flow, but ${listNames(before)} ${before.length === 1 ? "leads" : "lead"} to it`,
        "Rename it, or remove the transition",
      ),
    };
  }
  const leadsElsewhere = (name: string): boolean => index.into(name).some((edge) => edges[edge]!.from !== name);
  const starts = flow.steps.filter((step) => !leadsElsewhere(step.name));
  const [first] = starts;
  if (first === undefined)
    return {
      problem: problemAt(
        flow.steps[0],
        "FLOW_GRAPH_NO_START",
        "No step begins the flow: each one follows another",
        'Add a step "start" that nothing leads to',
      ),
    };
  if (starts.length === 1) return { name: first.name };
  return {
    problem: problemAt(
      starts[1],
      "FLOW_GRAPH_SEVERAL_STARTS",
      `${listNames(starts.map((step) => step.name))} all begin the flow`,
      'Name the first step "start", and lead from it to the others',
    ),
  };
}

function unreachable(flow: FlowDefinition, start: string, reached: ReadonlySet<string>): readonly Problem[] {
  return flow.steps
    .filter((step) => !reached.has(step.name))
    .map((step) =>
      problemAt(
        step,
        "FLOW_GRAPH_UNREACHABLE",
        `Step "${step.name}" is never reached from "${start}"`,
        `Name it in "next" of a step, or remove its decorator`,
      ),
    );
}

function severalEnds(flow: FlowDefinition, index: EdgeIndex, hasCycles: boolean): readonly Problem[] {
  const ends = flow.steps.filter((step) => index.outOf(step.name).length === 0);
  if (ends.length === 1 || (ends.length === 0 && hasCycles)) return [];
  const last = ends.find((step) => step.name === "end") ?? ends.at(-1);
  return ends
    .filter((step) => step !== last)
    .map((step) =>
      problemAt(
        step,
        "FLOW_GRAPH_SEVERAL_ENDS",
        `Step "${step.name}" leads nowhere, although "${last?.name}" ends the flow`,
        `Give it a "next", such as next: "${last?.name}"`,
      ),
    );
}
