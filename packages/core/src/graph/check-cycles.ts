/** What can be wrong with transitions that lead back: no choice does it, there are several ways in, there is no way out. */
import { alg, Graph as Digraph } from "@dagrejs/graphlib";
import type { Problem } from "../errors/flow-error.ts";
import type { FlowDefinition } from "../flow/definition.ts";
import type { DeclaredEdge, EdgeIndex } from "./edges.ts";
import type { FoundLoops } from "./find-loops.ts";
import { listNames, problemAt } from "./problem-at.ts";

/** The cycles that are no loops: each group of steps that lead to each other once, with a shortest way around. */
export function cycleProblems(
  flow: FlowDefinition,
  edges: readonly DeclaredEdge[],
  index: EdgeIndex,
  { loops, back, reached }: FoundLoops,
): readonly Problem[] {
  const repeats = new Set(loops.flatMap((loop) => loop.repeats));
  const isBack = new Set([...back].map((edge) => `${edges[edge]!.from} ${edges[edge]!.to}`));
  // What cannot be reached is reported as that.
  const rest = edges.filter((edge, at) => !repeats.has(at) && reached.has(edge.from));
  return groupsOf(flow, rest).map((members) => {
    const cycle = shortestCycle(members, rest);
    const turn = cycle.findIndex((step, at) => isBack.has(`${step} ${cycle[(at + 1) % cycle.length]}`));
    if (turn >= 0) return withoutChoice(flow, [...cycle.slice(turn + 1), ...cycle.slice(0, turn + 1)]);
    const inside = new Set(members);
    const entries = members.filter((step) => index.into(step).some((edge) => !inside.has(edges[edge]!.from)));
    return problemAt(
      flow.steps.find((step) => step.name === members[0]),
      "FLOW_GRAPH_LOOP_ENTRIES",
      `The loop ${[...cycle, cycle[0]].join(" → ")} can be entered in several places, at ${listNames(entries)}`,
      "Lead into a loop at one step only, the one that its @choose leads back to",
    );
  });
}

/** The cycles without any choice, for a flow of which nobody knows where it begins. */
export function plainCycleProblems(flow: FlowDefinition, edges: readonly DeclaredEdge[]): readonly Problem[] {
  const plain = edges.filter((edge) => edge.kind !== "choice");
  return groupsOf(flow, plain).map((members) => withoutChoice(flow, shortestCycle(members, plain)));
}

/** Loops that no transition leaves. */
export function endlessLoops(flow: FlowDefinition, { loops }: FoundLoops): readonly Problem[] {
  return loops
    .filter((loop) => loop.exits.length === 0)
    .map(({ header, body }) => {
      const others = flow.steps.map((step) => step.name).filter((name) => name !== header && body.has(name));
      return problemAt(
        flow.steps.find((step) => step.name === header),
        "FLOW_GRAPH_LOOP_ENDLESS",
        `The loop of ${listNames([header, ...others])} never ends: nothing leads out of it`,
        "Give its @choose a case that leads on",
      );
    });
}

function withoutChoice(flow: FlowDefinition, cycle: readonly string[]): Problem {
  const [first, last] = [cycle[0], cycle.at(-1)];
  return problemAt(
    flow.steps.find((step) => step.name === first),
    "FLOW_GRAPH_CYCLE",
    `The steps wait for each other: ${[...cycle, first].join(" → ")}`,
    `Remove the transition ${last} → ${first}, or make "${last}" a @choose: only a choice may lead back`,
  );
}

/** Groups of steps of which each leads to all others, in declared order. */
function groupsOf(flow: FlowDefinition, edges: readonly DeclaredEdge[]): readonly (readonly string[])[] {
  const digraph = new Digraph({ directed: true });
  for (const edge of edges) digraph.setEdge(edge.from, edge.to);
  return alg.findCycles(digraph).map((group) => {
    const members = new Set(group);
    return flow.steps.map((step) => step.name).filter((name) => members.has(name));
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
