/**
 * A run in memory of a flow class at hand: checked parameters, kept values, upstreams made of the values that a test
 * gives. What a real run refuses is refused here, with the same codes and all at once.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { readProcess } from "../config/config.ts";
import { MILLRACE_VERSION } from "../config/version.ts";
import { problemsError } from "../errors/flow-error.ts";
import type { EnvironmentRecord, RunnerIdentity } from "../events/run-record.ts";
import { defineFlow } from "../flow/define-flow.ts";
import type { FlowDefinition } from "../flow/definition.ts";
import type { Flow } from "../flow/flow.ts";
import { lateBehaviourOf } from "../flow/late-behaviour.ts";
import type { FlowClass } from "../flow/public-types.ts";
import { resolveFields } from "../flow/resolve-fields.ts";
import { withBehaviour } from "../flow/with-words.ts";
import { checkGraph } from "../graph/check-graph.ts";
import type { RunId } from "../ids/run-id.ts";
import { normalTags, tagProblems } from "../lineage/check-tags.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import type { RunContext } from "../runner/protocol.ts";
import { attemptPolicies } from "../wiring/attempt-policies.ts";
import type { MemoryStores } from "../wiring/open-memory-stores.ts";
import type { PreparedRun } from "../wiring/prepare-run.ts";
import { contextOf } from "../wiring/run-context.ts";
import { encodeRunValues, storeRunValues } from "../wiring/run-values.ts";
import { type GivenUpstreams, putUpstreams } from "./given-upstreams.ts";

export interface GivenRunOptions {
  readonly id: RunId;
  readonly params?: Readonly<Record<string, unknown>> | undefined;
  readonly upstreams?: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>> | undefined;
  readonly tags?: readonly string[] | undefined;
  /** Behaviour for steps that lack it, as `--with` gives it. */
  readonly with?: readonly string[] | undefined;
  /** Where secrets of steps come from, and parameters that name an environment variable. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly createdAt: Date;
}

/** A run that has been created and that nobody drives yet. */
export interface GivenRun {
  readonly prepared: PreparedRun;
  readonly row: RunRow;
  readonly context: RunContext;
  readonly upstreams: GivenUpstreams;
}

/** Who executes a run that nobody else can see. */
export const NOBODY: RunnerIdentity = { host: "memory", pid: 0 };

/** Projects are of no matter in a test: there is one. */
export const PROJECT = "test";

/**
 * Creates a run.
 *
 * @throws FlowError FLOW_DEFINITION_…, FLOW_GRAPH_…, FLOW_PARAMETER_…, FLOW_LINEAGE_BAD_TAG, FLOW_RUNNER_NO_SECRET,
 *   FLOW_TESTING_… with all problems of each kind at once
 */
export async function createGivenRun(
  stores: MemoryStores,
  flowClass: FlowClass<Flow>,
  options: GivenRunOptions,
): Promise<GivenRun> {
  const prepared = await prepare(flowClass, options);
  const { definition, fields } = prepared;
  const environment = environmentRecord();
  const about = { createdAt: options.createdAt, environment };
  const upstreams = await putUpstreams(stores, definition.upstreams, options.upstreams ?? {}, about);
  const row = await stores.metadata.createRun({
    id: options.id,
    flow: { project: PROJECT, name: definition.name },
    formerly: [],
    createdAt: options.createdAt,
    tags: prepared.tags,
    systemTags: [],
    parameters: Object.fromEntries(
      fields.filter(({ kind, secret }) => kind === "parameter" && !secret).map(({ name, encoded }) => [name, encoded]),
    ),
    secretParameters: fields.filter(({ secret }) => secret).map(({ name }) => name),
    ...storeRunValues(prepared.values, stores.artifacts),
    environment,
    upstreams: upstreams.edges,
    actor: environment.actor,
    host: environment.host,
    execution: { runner: NOBODY, command: [], options: {} },
  });
  return { prepared, row, context: contextOf(row, prepared), upstreams };
}

/** What is known of the run before it is created, or all that is wrong with it. */
async function prepare(flowClass: FlowClass<Flow>, options: GivenRunOptions): Promise<PreparedRun> {
  const definition = withBehaviour(defineFlow(flowClass, { project: PROJECT }), options.with ?? []);
  const graph = checkGraph(definition);
  const tags = normalTags(options.tags ?? []);
  const { cwd } = readProcess();
  // A test says what it gives: what happens to be set in a terminal is no part of it.
  const environment = options.environment ?? {};
  const readGivenFile = (file: string): Promise<Uint8Array> => readFile(path.resolve(cwd, file));
  const sources = { environment, readFile: readGivenFile };
  const { fields, problems } = await resolveFields(flowClass, { flags: {}, values: options.params ?? {}, ...sources });
  const late = problems.length > 0 ? new Map() : lateBehaviourOf(flowClass, fields);
  const { policies, problems: noSecrets } = await attemptPolicies(definition, late, sources);
  const wrong = [...problems, ...tagProblems(tags), ...noSecrets];
  if (wrong.length > 0) throw problemsError(`Cannot run ${definition.name}`, wrong);
  const values = encodeRunValues(flowClass, fields);
  return { definition, graph, flowClass, fields, values, policies, tags };
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
