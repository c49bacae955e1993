/**
 * A run in memory of a flow class at hand: checked parameters, kept values, upstreams made of the values that a test
 * gives. What a real run refuses is refused here, with the same codes and all at once.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { NewBlob } from "../artifact/artifact.ts";
import { encodeValue } from "../artifact/value-codec.ts";
import { readProcess } from "../config/config.ts";
import { MILLRACE_VERSION } from "../config/version.ts";
import { isFlowError, type Problem, problemsError } from "../errors/flow-error.ts";
import type { EnvironmentRecord } from "../events/run-record.ts";
import { constantsOf } from "../flow/bind-flow.ts";
import { defineFlow } from "../flow/define-flow.ts";
import type { FlowDefinition } from "../flow/definition.ts";
import type { Flow } from "../flow/flow.ts";
import type { FlowClass } from "../flow/public-types.ts";
import { type ResolvedField, resolveFields } from "../flow/resolve-fields.ts";
import { checkGraph } from "../graph/check-graph.ts";
import type { Graph } from "../graph/graph.ts";
import type { RunId } from "../ids/run-id.ts";
import { normalTags, tagProblems } from "../lineage/check-tags.ts";
import { runName } from "../lineage/run-name.ts";
import type { NewRunValue, RunRow } from "../metadata/metadata-store.ts";
import type { RunContext } from "../runner/protocol.ts";
import type { MemoryStores } from "../wiring/open-memory-stores.ts";
import { type GivenUpstreams, putUpstreams } from "./given-upstreams.ts";

export interface GivenRunOptions {
  readonly id: RunId;
  readonly params?: Readonly<Record<string, unknown>> | undefined;
  readonly upstreams?: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>> | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly createdAt: Date;
}

/** A run that has been created and that nobody drives yet. */
export interface GivenRun {
  readonly definition: FlowDefinition;
  readonly graph: Graph;
  readonly fields: readonly ResolvedField[];
  readonly row: RunRow;
  readonly context: RunContext;
  readonly upstreams: GivenUpstreams;
}

/** Projects are of no matter in a test: there is one. */
export const PROJECT = "test";

/**
 * Creates a run.
 *
 * @throws FlowError FLOW_DEFINITION_…, FLOW_GRAPH_…, FLOW_PARAMETER_…, FLOW_LINEAGE_BAD_TAG, FLOW_TESTING_… with all
 *   problems of each kind at once
 */
export async function createGivenRun(
  stores: MemoryStores,
  flowClass: FlowClass<Flow>,
  options: GivenRunOptions,
): Promise<GivenRun> {
  const definition = defineFlow(flowClass, { project: PROJECT });
  const graph = checkGraph(definition);
  const tags = normalTags(options.tags ?? []);
  const { cwd } = readProcess();
  const { fields, problems } = await resolveFields(flowClass, {
    flags: {},
    environment: {}, // A test says what it gives: what happens to be set in a terminal is no part of it.
    values: options.params ?? {},
    readFile: (file) => readFile(path.resolve(cwd, file)),
  });
  const wrong = [...problems, ...tagProblems(tags)];
  if (wrong.length > 0) throw problemsError(`Cannot run ${definition.name}`, wrong);
  const { values, blobs } = keepValues(stores, flowClass, fields);
  const environment = environmentRecord();
  const upstreams = await putUpstreams(stores, definition.upstreams, options.upstreams ?? {}, {
    createdAt: options.createdAt,
    environment,
  });
  const row = await stores.metadata.createRun({
    id: options.id,
    flow: { project: PROJECT, name: definition.name },
    formerly: [],
    createdAt: options.createdAt,
    tags,
    systemTags: [],
    parameters: Object.fromEntries(
      fields.filter(({ kind, secret }) => kind === "parameter" && !secret).map(({ name, encoded }) => [name, encoded]),
    ),
    secretParameters: fields.filter(({ secret }) => secret).map(({ name }) => name),
    values,
    blobs,
    environment,
    upstreams: upstreams.edges,
    actor: environment.actor,
    host: environment.host,
  });
  const context: RunContext = {
    id: row.id,
    sequence: row.sequence,
    name: runName(row),
    flow: row.flow.name,
    project: row.flow.project,
    tags: row.tags,
    createdAt: row.createdAt,
    secrets: Object.fromEntries(fields.filter(({ secret }) => secret).map(({ name, value }) => [name, value])),
  };
  return { definition, graph, fields, row, context, upstreams };
}

/** Names that steps do not set, with what they are. */
export function fixedNames(definition: FlowDefinition): ReadonlyMap<string, string> {
  return new Map([
    ...definition.params.map(({ name }) => [name, "a parameter"] as const),
    ...[...definition.configs, ...definition.files].map(({ name }) => [name, "a parameter"] as const),
    ...definition.constants.map((name) => [name, "a constant"] as const),
    ...definition.upstreams.map(({ name }) => [name, "an upstream"] as const),
  ]);
}

/** Nothing of this machine: the run is not kept, and a test must not depend on where it runs. */
function environmentRecord(): EnvironmentRecord {
  const of = { os: process.platform, arch: process.arch, host: "memory", actor: "test", cwd: "", command: [] };
  return { millrace: MILLRACE_VERSION, node: process.version, ...of };
}

/** Parameters, configs, files and constants as values of the run; secrets are never among them. */
function keepValues(
  stores: MemoryStores,
  flowClass: FlowClass<Flow>,
  fields: readonly ResolvedField[],
): { readonly values: readonly NewRunValue[]; readonly blobs: readonly NewBlob[] } {
  const problems: Problem[] = [];
  const blobs = new Map<string, NewBlob>();
  const values: NewRunValue[] = [];
  const keep = (name: string, kind: NewRunValue["kind"], value: unknown): void => {
    try {
      const encoded = encodeValue(value, { path: `this.${name}` });
      if (!blobs.has(encoded.digest)) blobs.set(encoded.digest, stores.artifacts.storeSync(encoded));
      values.push({ name, kind, codec: encoded.codec, digest: encoded.digest, sizeBytes: encoded.sizeBytes });
    } catch (error) {
      if (!isFlowError(error)) throw error;
      const { code, message, hint } = error;
      problems.push({ code, message, ...(hint === undefined ? {} : { hint }) });
    }
  };
  for (const field of fields) if (!field.secret) keep(field.name, field.kind, field.value);
  for (const [name, value] of Object.entries(constantsOf(flowClass))) keep(name, "constant", value);
  if (problems.length > 0) throw problemsError("Cannot keep the values of the run", problems);
  return { values, blobs: [...blobs.values()] };
}
