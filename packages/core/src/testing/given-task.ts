/**
 * The task that a step under test runs as: what the test gives is put into the memory store as what the tasks before it
 * left, and the task refers to that.
 */
import { FlowError } from "../errors/flow-error.ts";
import type { Graph, GraphNode } from "../graph/graph.ts";
import { childPath } from "../ids/task-path.ts";
import type { TaskSequence } from "../metadata/metadata-store.ts";
import type { Batch } from "../runner/protocol.ts";
import type { JoinInput } from "../runner/scheduler/scope-instance.ts";
import { stepContract } from "../runner/step-contract.ts";
import { nearestName } from "../util/nearest-name.ts";
import type { MemoryStores } from "../wiring/open-memory-stores.ts";
import { fixedNames, type GivenRun } from "./given-run.ts";
import { commitGivenTasks, type GivenTask } from "./given-values.ts";

type Values = Readonly<Record<string, unknown>>;
export type GivenTaskRow = Batch["tasks"][number];

/** The options of `runStep` for any step of any flow: what is checked by the compiler elsewhere is checked here. */
export interface AnyStepOptions {
  readonly inputs?: Values | readonly Values[] | Readonly<Record<string, Values | readonly Values[]>>;
  readonly before?: Values;
  readonly item?: unknown;
  readonly index?: number;
  readonly params?: Values;
  readonly upstreams?: Readonly<Record<string, Values>>;
  readonly tags?: readonly string[];
  readonly attempt?: number;
  readonly signal?: AbortSignal;
  readonly seed?: number;
  readonly output?: "captured" | "passed";
}

/**
 * Puts what the step begins with into the stores, and gives the task that begins with it.
 *
 * @throws FlowError FLOW_TESTING_NO_STEP, FLOW_TESTING_BAD_VALUE, FLOW_TESTING_BAD_INPUTS, and what refuses a value
 */
export async function putTask(
  stores: MemoryStores,
  run: GivenRun,
  step: string,
  given: AnyStepOptions,
): Promise<GivenTaskRow> {
  const node = run.prepared.graph.nodes[step];
  if (node === undefined) throw noStep(run.prepared.graph, step);
  const about = { step, attempt: given.attempt ?? 1 };
  return node.step.isJoin
    ? { ...about, ...(await putJoin(stores, run, node, given)) }
    : { ...about, ...(await putPlain(stores, run, node, given)) };
}

type Begin = Omit<GivenTaskRow, "step" | "attempt">;

async function putJoin(stores: MemoryStores, run: GivenRun, node: GraphNode, given: AnyStepOptions): Promise<Begin> {
  refuse(node, given, ["item", "index"], "it is a join, which takes inputs");
  const joined = joinedTasks(run.prepared.graph, node, given);
  const before: GivenTask = { values: given.before ?? {}, label: "before" };
  const [split, ...tasks] = await put(stores, run, [before, ...joined.map(({ task }) => task)]);
  const inputs = joined.map(({ from }, index): JoinInput => ({ from, task: tasks[index]! }));
  const path = node.scope.map(() => "0").join(".");
  return { sequence: await stores.metadata.reserveTasks(1), path, inputs, before: split! };
}

async function putPlain(stores: MemoryStores, run: GivenRun, node: GraphNode, given: AnyStepOptions): Promise<Begin> {
  refuse(node, given, ["before"], "it is no join");
  const { name } = node.step;
  const { inputs } = given as { readonly inputs?: unknown };
  if (inputs !== undefined && (typeof inputs !== "object" || inputs === null || Array.isArray(inputs))) {
    throw new FlowError("FLOW_TESTING_BAD_INPUTS", {
      message: `Cannot give ${Array.isArray(inputs) ? "a list of inputs" : "such inputs"} to "${name}": it is no join, and takes the artifacts of the one step before it`,
      hint: "Give them by name: inputs: { artifact: value }",
      context: { step: name },
    });
  }
  const edges = node.incoming.map((index) => run.prepared.graph.edges[index]!);
  const takesItem = edges.some(({ kind }) => kind === "foreach");
  if (!takesItem) refuse(node, given, ["item", "index"], "no foreach leads to it");
  if (takesItem && !("item" in given) && edges.every(({ kind }) => kind === "foreach")) {
    throw new FlowError("FLOW_TESTING_BAD_INPUTS", {
      message: `Cannot run "${name}": it is the step of a foreach, and no item is given`,
      hint: "Give item: …",
      context: { step: name },
    });
  }
  const index = given.index ?? 0;
  const item = takesItem && "item" in given ? { item: { value: given.item, index } } : {};
  const [before] = await put(stores, run, [{ values: (given.inputs ?? {}) as Values, label: "inputs", ...item }]);
  const outer = node.scope
    .map(() => "0")
    .slice(0, takesItem ? -1 : undefined)
    .join(".");
  const path = takesItem ? childPath(outer, index) : outer;
  return {
    sequence: await stores.metadata.reserveTasks(1),
    path,
    inherits: before!,
    ...("item" in item ? { item: { split: before!, index } } : {}),
  };
}

function put(stores: MemoryStores, run: GivenRun, tasks: readonly GivenTask[]): Promise<readonly TaskSequence[]> {
  return commitGivenTasks(stores, run.row.sequence, tasks, { fixed: fixedNames(run.prepared.definition) });
}

/** Stands for the step of an input where a list does not tell it. */
const UNTOLD = "(untold)";

/** What a join joins, in order, each with the step that it comes from. */
function joinedTasks(
  graph: Graph,
  node: GraphNode,
  { inputs = {} }: AnyStepOptions,
): readonly { readonly from: string; readonly task: GivenTask }[] {
  const { sources, name } = stepContract(graph, node.step.name);
  if (Array.isArray(inputs)) {
    const list = inputs as readonly Values[];
    // Branches are told by their order. Behind a foreach the order is that of the items, and where several ways lead from
    // an item to the join, nothing says which of them an input took.
    const isOfItems = node.closes !== undefined;
    if (!isOfItems && list.length !== sources.length) throw wrongCount(name, sources, list.length);
    return list.map((values, index) => ({
      from: isOfItems && sources.length > 1 ? UNTOLD : (sources[isOfItems ? 0 : index] ?? UNTOLD),
      task: { values, label: `inputs[${index}]` },
    }));
  }
  const byStep = inputs as Readonly<Record<string, Values | readonly Values[] | undefined>>;
  const unknown = Object.keys(byStep).filter((step) => !sources.includes(step));
  if (unknown.length > 0) throw unknownInputs(name, sources, unknown);
  return sources.flatMap((from) => {
    const values = byStep[from];
    if (values === undefined) return [];
    if (!Array.isArray(values)) return [{ from, task: { values: values as Values, label: `inputs.${from}` } }];
    const list = values as readonly Values[];
    return list.map((each, index) => ({ from, task: { values: each, label: `inputs.${from}[${index}]` } }));
  });
}

function refuse(node: GraphNode, given: AnyStepOptions, options: readonly (keyof AnyStepOptions)[], why: string): void {
  const option = options.find((name) => name in given);
  if (option === undefined) return;
  throw new FlowError("FLOW_TESTING_BAD_INPUTS", {
    message: `Cannot give ${option} to "${node.step.name}": ${why}`,
    hint: `Leave ${option} out`,
    context: { step: node.step.name, option },
  });
}

function noStep(graph: Graph, step: string): FlowError {
  const near = nearestName(step, graph.order);
  return new FlowError("FLOW_TESTING_NO_STEP", {
    message: `Cannot run "${step}": ${graph.flow.name} has no such step`,
    hint: near === undefined ? `It has ${graph.order.join(", ")}` : `Did you mean "${near}"?`,
    context: { flow: graph.flow.name, step },
  });
}

function wrongCount(step: string, sources: readonly string[], count: number): FlowError {
  return new FlowError("FLOW_TESTING_BAD_INPUTS", {
    message: `Cannot tell where the ${count} inputs of "${step}" come from: it joins ${sources.join(", ")}`,
    hint: `Give them by step name: inputs: { ${sources.map((source) => `${source}: { … }`).join(", ")} }`,
    context: { step, sources },
  });
}

function unknownInputs(step: string, sources: readonly string[], unknown: readonly string[]): FlowError {
  const near = nearestName(unknown[0]!, sources);
  return new FlowError("FLOW_TESTING_BAD_INPUTS", {
    message: `Cannot give ${unknown.map((name) => `inputs.${name}`).join(", ")} to "${step}": no such step leads to it`,
    hint: near === undefined ? `It joins ${sources.join(", ")}` : `Did you mean "${near}"?`,
    context: { step, sources },
  });
}
