import type { FlowDefinition } from "../flow/definition.ts";
import { checkGraph } from "../graph/check-graph.ts";
import type { Graph, GraphEdge } from "../graph/graph.ts";
import { childPath, nextRoundPath, outerPath, roundPath, type TaskPath } from "../ids/task-path.ts";

/** Where a task stands in its run. */
export interface TaskPlace {
  readonly step: string;
  readonly path: TaskPath;
}

/** What a finished task says of what it led to. */
export interface FinishedPlace extends TaskPlace {
  readonly fanOut?: number;
  readonly choice?: string;
}

/** Where the tasks of a flow stand, by its graph alone: for checks of what is recorded. */
export interface TaskPlaces {
  readonly first: TaskPlace;
  /** Where a finished task leads to: tasks that must be there when the run succeeded. Undefined for an unknown step. */
  after(task: FinishedPlace): readonly TaskPlace[] | undefined;
}

/**
 * The places of a flow's tasks, one after another.
 *
 * @throws FlowError FLOW_GRAPH_… when the definition has no graph
 */
export function taskPlaces(definition: FlowDefinition): TaskPlaces {
  const graph = checkGraph(definition);
  return {
    first: enter(graph, graph.start, ""),
    after: (task) => {
      const edges = graph.nodes[task.step]?.outgoing.map((index) => graph.edges[index]!);
      return edges
        ?.filter(({ cases }) => cases === undefined || (task.choice !== undefined && cases.includes(task.choice)))
        .flatMap((edge) => placesBehind(graph, edge, task));
    },
  };
}

function placesBehind(graph: Graph, edge: GraphEdge, task: FinishedPlace): readonly TaskPlace[] {
  const { to, kind, leaves, repeats, closes } = edge;
  if (kind === "foreach") {
    const count = task.fanOut ?? 0;
    if (count > 0) return Array.from({ length: count }, (_, index) => enter(graph, to, childPath(task.path, index)));
    const join = graph.order.find((name) => graph.nodes[name]!.closes === edge.from)!;
    return [{ step: join, path: task.path }];
  }
  const path = leaves.reduce(outerPath, task.path);
  if (repeats) return [{ step: to, path: nextRoundPath(path) }];
  return [closes ? { step: to, path: outerPath(path) } : enter(graph, to, path)];
}

/** A step that begins a loop begins its first round. */
function enter(graph: Graph, step: string, path: TaskPath): TaskPlace {
  const isEntered = graph.nodes[step]!.loops.at(-1) === step;
  return { step, path: isEntered ? roundPath(path, 0) : path };
}
