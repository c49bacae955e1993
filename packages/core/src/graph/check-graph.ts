/**
 * `FlowDefinition` to checked `Graph`.
 *
 * One check per function, in files by theme: `check-steps.ts` (each step by itself), `check-shape.ts` (ends, reach,
 * cycles), `check-scopes.ts` (splits and joins). All problems are reported at once; a check that would only repeat what
 * another one has found is left out (a cycle has no scopes, a misspelt target makes other steps look unreachable). This
 * room does no I/O and knows nothing of threads, values or runs.
 */
import { isFlowError, type Problem, problemsError } from "../errors/flow-error.ts";
import type { FlowDefinition, StepDefinition } from "../flow/definition.ts";
import { checkScopes, type Scopes } from "./check-scopes.ts";
import { checkShape } from "./check-shape.ts";
import { checkSteps, unknownTargets } from "./check-steps.ts";
import { declaredEdges } from "./edges.ts";
import type { Graph, GraphNode } from "./graph.ts";
import { problemAt } from "./problem-at.ts";
import { topologicalOrder } from "./topological-order.ts";

/**
 * Checks the graph of a flow.
 *
 * @throws FlowError with every problem at once: FLOW_GRAPH_… with file, line and hint each
 */
export function checkGraph(flow: FlowDefinition): Graph {
  const { problems, scopes } = examine(flow);
  if (problems.length > 0 || scopes === undefined)
    throw problemsError(`Cannot build the graph of flow "${flow.name}"`, problems);
  return assemble(flow, scopes);
}

/** Everything that is wrong with the graph of a flow; empty when `checkGraph` would accept it. */
export function graphProblems(flow: FlowDefinition): readonly Problem[] {
  return examine(flow).problems;
}

function examine(flow: FlowDefinition): { readonly problems: readonly Problem[]; readonly scopes?: Scopes } {
  if (flow.steps.length === 0) {
    const problem: Problem = {
      code: "FLOW_GRAPH_NO_START",
      message: "The flow has no steps",
      hint: "Put @step() on the methods that are steps",
    };
    return { problems: [{ ...problem, ...(flow.location === undefined ? {} : { location: flow.location }) }] };
  }
  const problems = [...unknownTargets(flow), ...checkSteps(flow)];
  const edges = declaredEdges(flow);
  if (problems.some((problem) => problem.code === "FLOW_GRAPH_UNKNOWN_STEP")) return { problems };
  const shape = checkShape(flow, edges);
  problems.push(...shape.problems);
  const order = topologicalOrder(flow, edges);
  if (order === undefined || shape.start === undefined) return { problems };
  try {
    const scopes = checkScopes(flow, edges, order, shape.start);
    problems.push(...scopes.problems);
    return problems.length > 0 ? { problems } : { problems, scopes };
  } catch (thrown) {
    if (!isFlowError(thrown, "FLOW_GRAPH_TOO_COMPLEX")) throw thrown;
    return { problems: [...problems, problemAt(flow.steps[0], thrown.code, thrown.message, thrown.hint)] };
  }
}

function assemble(flow: FlowDefinition, scopes: Scopes): Graph {
  const order = topologicalOrder(flow, scopes.edges)!;
  const steps = new Map<string, StepDefinition>(flow.steps.map((step) => [step.name, step]));
  const incoming = indicesBy(scopes.edges, (edge) => edge.to);
  const outgoing = indicesBy(scopes.edges, (edge) => edge.from);
  const nodes = order.map((name): [string, GraphNode] => {
    const closes = scopes.closes.get(name);
    return [
      name,
      {
        step: steps.get(name)!,
        scope: scopes.scope.get(name)!,
        loops: [],
        incoming: incoming.get(name) ?? [],
        outgoing: outgoing.get(name) ?? [],
        ...(closes === undefined ? {} : { closes }),
      },
    ];
  });
  return {
    flow,
    start: order[0]!,
    end: order.at(-1)!,
    order,
    nodes: Object.fromEntries(nodes),
    edges: scopes.edges,
    loops: [],
  };
}

function indicesBy<T>(items: readonly T[], key: (item: T) => string): ReadonlyMap<string, readonly number[]> {
  const indices = new Map<string, number[]>();
  for (const [index, item] of items.entries()) {
    const list = indices.get(key(item));
    if (list === undefined) indices.set(key(item), [index]);
    else list.push(index);
  }
  return indices;
}
