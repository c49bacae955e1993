/** What can be wrong with the graph as a whole, whatever its splits and joins mean: ends, reach, cycles. */
import { alg, Graph as Digraph } from "@dagrejs/graphlib";
import type { Problem } from "../errors/flow-error.ts";
import type { FlowDefinition } from "../flow/definition.ts";
import type { DeclaredEdge } from "./edges.ts";
import { listNames, problemAt } from "./problem-at.ts";

export interface Shape {
  readonly problems: readonly Problem[];
  /** The one step that nothing leads to; undefined when it cannot be told. */
  readonly start?: string;
}

export function checkShape(flow: FlowDefinition, edges: readonly DeclaredEdge[]): Shape {
  const digraph = new Digraph({ directed: true });
  for (const step of flow.steps) digraph.setNode(step.name);
  for (const edge of edges) digraph.setEdge(edge.from, edge.to);
  const cycles = cycleProblems(flow, edges, digraph);
  const start = startOf(flow, edges);
  return {
    problems: [
      ...cycles,
      ...("problem" in start
        ? cycles.length > 0 && start.problem.code === "FLOW_GRAPH_NO_START"
          ? []
          : [start.problem]
        : unreachable(flow, edges, start.name)),
      ...severalEnds(flow, edges, cycles.length > 0),
    ],
    ...("name" in start ? { start: start.name } : {}),
  };
}

/** Each group of steps that wait for each other once, with a shortest way around. */
function cycleProblems(flow: FlowDefinition, edges: readonly DeclaredEdge[], digraph: Digraph): readonly Problem[] {
  return alg.findCycles(digraph).map((group) => {
    const members = flow.steps.filter((step) => group.includes(step.name));
    const cycle = shortestCycle(
      members.map((step) => step.name),
      edges,
    );
    return problemAt(
      members[0],
      "FLOW_GRAPH_CYCLE",
      `The steps wait for each other: ${[...cycle, cycle[0]].join(" → ")}`,
      `Loops are not supported yet: remove the transition ${cycle.at(-1)} → ${cycle[0]}, and repeat inside one step if you must`,
    );
  });
}

function shortestCycle(members: readonly string[], edges: readonly DeclaredEdge[]): readonly string[] {
  let best: readonly string[] = members;
  for (const origin of members) {
    const paths: (readonly string[])[] = [[origin]];
    const seen = new Set<string>();
    for (const path of paths) {
      if (path.length > best.length) break;
      const last = path.at(-1)!;
      const next = edges.filter((edge) => edge.from === last && members.includes(edge.to)).map((edge) => edge.to);
      if (next.includes(origin) && (path.length < best.length || best === members)) best = path;
      for (const name of next) {
        if (seen.has(name) || name === origin) continue;
        seen.add(name);
        paths.push([...path, name]);
      }
    }
  }
  return best;
}

function startOf(
  flow: FlowDefinition,
  edges: readonly DeclaredEdge[],
): { readonly name: string } | { readonly problem: Problem } {
  const starts = flow.steps.filter((step) => !edges.some((edge) => edge.to === step.name));
  const named = flow.steps.find((step) => step.name === "start");
  if (named !== undefined) {
    const into = edges.filter((edge) => edge.to === "start").map((edge) => edge.from);
    if (into.length === 0) return { name: "start" }; // what else has no way in is unreachable, and is reported as that
    return {
      problem: problemAt(
        named,
        "FLOW_GRAPH_START_HAS_INPUT",
        `Step "start" begins the flow, but ${listNames(into)} ${into.length === 1 ? "leads" : "lead"} to it`,
        "Rename it, or remove the transition",
      ),
    };
  }
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

function unreachable(flow: FlowDefinition, edges: readonly DeclaredEdge[], start: string): readonly Problem[] {
  const reached = new Set([start]);
  for (const name of reached) for (const edge of edges) if (edge.from === name) reached.add(edge.to);
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

function severalEnds(flow: FlowDefinition, edges: readonly DeclaredEdge[], hasCycles: boolean): readonly Problem[] {
  const ends = flow.steps.filter((step) => !edges.some((edge) => edge.from === step.name));
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
