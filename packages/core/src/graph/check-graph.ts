/**
 * `FlowDefinition` to checked `Graph`.
 *
 * One check per function, in files by theme: `check-steps.ts` (each step by itself), `check-shape.ts` (ends, reach),
 * `check-cycles.ts` (what leads back), `check-scopes.ts` (splits and joins), `check-loops.ts` (rounds). All problems are reported at once; a check that would only repeat what
 * another one has found is left out (a cycle has no scopes, a misspelt target makes other steps look unreachable). This
 * room does no I/O and knows nothing of threads, values or runs.
 */
import { isFlowError, type Problem, problemsError } from "../errors/flow-error.ts";
import type { FlowDefinition, StepDefinition } from "../flow/definition.ts";
import { checkScopes, type Scopes } from "./check-scopes.ts";
import { checkShape } from "./check-shape.ts";
import { checkSteps, unknownTargets } from "./check-steps.ts";
import { declaredEdges, EdgeIndex } from "./edges.ts";
import type { Graph, GraphNode } from "./graph.ts";
import { problemAt } from "./problem-at.ts";
import type { Outline } from "./scope-pass.ts";

/**
 * Checks the graph of a flow.
 *
 * @throws FlowError with every problem at once: FLOW_GRAPH_… with file, line and hint each
 */
export function checkGraph(flow: FlowDefinition): Graph {
  const { problems, outline, scopes } = examine(flow);
  if (problems.length > 0 || outline === undefined || scopes === undefined)
    throw problemsError(`Cannot build the graph of flow "${flow.name}"`, problems);
  return assemble(outline, scopes);
}

/** Everything that is wrong with the graph of a flow; empty when `checkGraph` would accept it. */
export function graphProblems(flow: FlowDefinition): readonly Problem[] {
  return examine(flow).problems;
}

interface Examined {
  readonly problems: readonly Problem[];
  readonly outline?: Outline;
  readonly scopes?: Scopes;
}

function examine(flow: FlowDefinition): Examined {
  if (flow.steps.length === 0) {
    const problem: Problem = {
      code: "FLOW_GRAPH_NO_START",
      message: "The flow has no steps",
      hint: "Put @step() on the methods that are steps",
    };
    return { problems: [{ ...problem, ...(flow.location === undefined ? {} : { location: flow.location }) }] };
  }
  const problems = [...unknownTargets(flow), ...checkSteps(flow)];
  if (problems.some((problem) => problem.code === "FLOW_GRAPH_UNKNOWN_STEP")) return { problems };
  const edges = declaredEdges(flow);
  const index = new EdgeIndex(edges);
  const { problems: inShape, start, order, loops } = checkShape(flow, edges, index);
  problems.push(...inShape);
  if (order === undefined || start === undefined) return { problems };
  const outline: Outline = { flow, edges, index, start, order, loops };
  try {
    const scopes = checkScopes(outline);
    problems.push(...scopes.problems);
    return problems.length > 0 ? { problems } : { problems, outline, scopes };
  } catch (thrown) {
    if (!isFlowError(thrown, "FLOW_GRAPH_TOO_COMPLEX")) throw thrown;
    return { problems: [...problems, problemAt(flow.steps[0], thrown.code, thrown.message, thrown.hint)] };
  }
}

function assemble({ flow, index, start, order, loops }: Outline, { edges, scope, closes, loopsOf }: Scopes): Graph {
  const steps = new Map<string, StepDefinition>(flow.steps.map((step) => [step.name, step]));
  const nodes = order.map((name): [string, GraphNode] => {
    const foreach = closes.get(name);
    return [
      name,
      {
        step: steps.get(name)!,
        scope: scope.get(name)!,
        loops: loopsOf.get(name)!,
        incoming: index.into(name).filter((at) => !edges[at]!.repeats),
        outgoing: index.outOf(name),
        ...(foreach === undefined ? {} : { closes: foreach }),
      },
    ];
  });
  return {
    flow,
    start,
    end: order.find((name) => index.outOf(name).length === 0)!,
    order,
    nodes: Object.fromEntries(nodes),
    edges,
    loops: loops.map(({ header, body, repeats, exits }) => ({
      header,
      scope: scope.get(header)!,
      body: order.filter((name) => body.has(name)),
      repeats,
      exits,
    })),
  };
}
