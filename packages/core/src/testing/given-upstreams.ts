/**
 * Upstream runs made of the values that a test gives: each is a finished run in the memory store whose end task left
 * them, so that the step reads them as it reads any upstream. An upstream that is the `sameAs` of another one is also
 * what that one has read from.
 */
import { type Problem, problemsError } from "../errors/flow-error.ts";
import type { EnvironmentRecord } from "../events/run-record.ts";
import type { UpstreamDefinition } from "../flow/definition.ts";
import { newRunId, type RunId } from "../ids/run-id.ts";
import { runName } from "../lineage/run-name.ts";
import type { NewUpstream, RunRow } from "../metadata/metadata-store.ts";
import { nearestName } from "../util/nearest-name.ts";
import type { MemoryStores } from "../wiring/open-memory-stores.ts";
import { commitGivenTasks } from "./given-values.ts";

export interface GivenUpstreams {
  readonly edges: readonly NewUpstream[];
  /** Upstreams that were not given and are not optional, by the run id that stands for them. */
  readonly missing: ReadonlyMap<RunId, string>;
}

type Values = Readonly<Record<string, unknown>>;

/** @throws FlowError FLOW_TESTING_BAD_VALUE for an upstream that the flow does not have, and what refuses a value */
export async function putUpstreams(
  stores: MemoryStores,
  definitions: readonly UpstreamDefinition[],
  given: Readonly<Record<string, Values | undefined>>,
  about: { readonly createdAt: Date; readonly environment: EnvironmentRecord },
): Promise<GivenUpstreams> {
  refuseUnknown(definitions, given);
  const producers = new Map<string, RunRow>();
  const put = async (definition: UpstreamDefinition): Promise<RunRow | undefined> => {
    const values = given[definition.name];
    if (values === undefined) return undefined;
    const known = producers.get(definition.name);
    if (known !== undefined) return known;
    const edges: NewUpstream[] = [];
    for (const other of definitions) {
      const [first, second, ...further] = other.sameAs ?? [];
      if (first !== definition.name || second === undefined || further.length > 0) continue;
      const producer = await put(other);
      if (producer !== undefined) edges.push(edgeOf({ ...other, name: second }, producer, about.createdAt));
    }
    const row = await putRun(stores, definition, values, edges, about);
    producers.set(definition.name, row);
    return row;
  };
  const edges: NewUpstream[] = [];
  const missing = new Map<RunId, string>();
  for (const definition of definitions) {
    const producer = await put(definition);
    const edge = edgeOf(definition, producer, about.createdAt);
    if (producer !== undefined || definition.optional) edges.push(edge);
    else {
      const standIn = newRunId();
      missing.set(standIn, definition.name);
      edges.push({ ...edge, producer: standIn });
    }
  }
  return { edges, missing };
}

/** A succeeded run whose end task left the values. */
async function putRun(
  stores: MemoryStores,
  definition: UpstreamDefinition,
  values: Values,
  upstreams: readonly NewUpstream[],
  { createdAt, environment }: { readonly createdAt: Date; readonly environment: EnvironmentRecord },
): Promise<RunRow> {
  const { actor, host } = environment;
  const row = await stores.metadata.createRun({
    id: newRunId(),
    flow: { project: "test", ...definition.flow },
    formerly: [],
    createdAt,
    tags: definition.tags,
    systemTags: [],
    parameters: {},
    secretParameters: [],
    values: [],
    blobs: [],
    environment,
    upstreams,
    actor,
    host,
    execution: { runner: { host, pid: 0 }, command: [], options: {} },
  });
  const label = `upstreams.${definition.name}`;
  const [endTask] = await commitGivenTasks(stores, row.sequence, [{ values, label }]);
  return await stores.metadata.finishRun({
    run: row.sequence,
    execution: 1,
    status: "succeeded",
    finishedAt: createdAt,
    endTask: endTask!,
  });
}

function edgeOf(definition: UpstreamDefinition, producer: RunRow | undefined, resolvedAt: Date): NewUpstream {
  const { name, flow } = definition;
  if (producer === undefined)
    return { name, flow, selector: { kind: "newest" }, candidateCount: 0, candidates: [], resolvedAt };
  const run = runName(producer);
  return {
    name,
    flow,
    selector: { kind: "run", run },
    producer: producer.id,
    candidateCount: 1,
    candidates: [run],
    resolvedAt,
  };
}

function refuseUnknown(
  definitions: readonly UpstreamDefinition[],
  given: Readonly<Record<string, Values | undefined>>,
): void {
  const names = definitions.map(({ name }) => name);
  const problems: Problem[] = [];
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue;
    const near = nearestName(name, names);
    const list = names.length === 0 ? "The flow has no upstreams" : `The flow has ${names.join(", ")}`;
    problems.push({
      code: "FLOW_TESTING_BAD_VALUE",
      message: `The flow has no upstream "${name}"`,
      hint: near === undefined ? list : `Did you mean "${near}"?`,
    });
  }
  if (problems.length > 0) throw problemsError("Cannot take the given upstreams", problems);
}
