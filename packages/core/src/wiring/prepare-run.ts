/**
 * All that can be refused about a run before anything is written of it: its graph, its behaviour, its parameters, its
 * tags, its secrets. The same for a new run and for one that goes on.
 */
import path from "node:path";
import type { Digest } from "../artifact/artifact.ts";
import type { Environment } from "../config/config.ts";
import { problemsError } from "../errors/flow-error.ts";
import type { FlowDefinition } from "../flow/definition.ts";
import type { Flow } from "../flow/flow.ts";
import { lateBehaviourOf } from "../flow/late-behaviour.ts";
import type { FlowClass } from "../flow/public-types.ts";
import { type FieldSources, type ResolvedField, resolveFields } from "../flow/resolve-fields.ts";
import { caughtFieldProblems, withBehaviour } from "../flow/with-words.ts";
import { checkGraph } from "../graph/check-graph.ts";
import type { Graph } from "../graph/graph.ts";
import { normalTags, tagProblems } from "../lineage/check-tags.ts";
import { installedPackages } from "../package/digests/installed-packages.ts";
import { displayPath } from "../package/display-path.ts";
import type { FlowPackage, PackagedFlow } from "../package/flow-package.ts";
import { loadPackage } from "../package/load-package.ts";
import type { AttemptPolicy } from "../runner/attempt-policy.ts";
import { shellWord } from "../util/shell-word.ts";
import { attemptPolicies } from "./attempt-policies.ts";
import { type EncodedRunValue, encodeRunValues } from "./run-values.ts";

export interface PrepareRunRequest {
  readonly package: FlowPackage;
  readonly flow: PackagedFlow;
  /** Flags of parameters, configs and files, as given. */
  readonly fields: Pick<FieldSources, "flags" | "paramsFile" | "values" | "settled">;
  readonly tags: readonly string[];
  /** Why the run is to have its tags, for policies that ask. */
  readonly tagReason?: string;
  /** Behaviour for all steps that lack it: `retry=3`. */
  readonly with?: readonly string[];
  /** "on": every step is cached; "off": none is, whatever it asks for. */
  readonly cache?: "on" | "off";
  readonly environment: Environment;
  readonly readFile: (path: string) => Promise<Uint8Array>;
}

export interface PreparedRun {
  readonly definition: FlowDefinition;
  readonly graph: Graph;
  readonly flowClass: FlowClass<Flow>;
  readonly fields: readonly ResolvedField[];
  readonly values: readonly EncodedRunValue[];
  readonly policies: ReadonlyMap<string, AttemptPolicy>;
  readonly tags: readonly string[];
}

/**
 * @throws FlowError with everything that is wrong: graph, behaviour, parameters, tags, secrets
 */
export async function prepareRun(request: PrepareRunRequest): Promise<PreparedRun> {
  const { flow, environment, readFile } = request;
  const definition = withBehaviour(cached(flow.definition, request.cache), request.with ?? []);
  const graph = checkGraph(definition);
  const tags = normalTags(request.tags);
  const flowClass = (await loadPackage(request.package))[flow.exportName] as FlowClass<Flow>;
  const fields = await resolveFields(flowClass, { ...request.fields, environment, readFile });
  const late = fields.problems.length > 0 ? new Map() : lateBehaviourOf(flowClass, fields.fields);
  const { policies, problems: missing } = await attemptPolicies(
    definition,
    late,
    { environment, readFile },
    otherPackages(request.package, definition),
  );
  const caught = caughtFieldProblems(flowClass, definition, request.with ?? []);
  const problems = [...fields.problems, ...tagProblems(tags), ...caught, ...missing];
  if (problems.length > 0) {
    const file = displayPath(path.join(request.package.root, request.package.manifest.entry));
    const hint = `Type flow run ${shellWord(file)} --help to see what each parameter takes`;
    throw problemsError(`Cannot run ${definition.name}`, problems, fields.problems.length > 0 ? { hint } : {});
  }
  const values = encodeRunValues(flowClass, fields.fields);
  return { definition, graph, flowClass, fields: fields.fields, values, policies, tags };
}

/**
 * The digests of steps hold for the packages that were installed when they were taken. With others (updated since, or on
 * another machine) the step cache keeps to tasks that ran with the same others.
 */
function otherPackages(pack: FlowPackage, { steps }: FlowDefinition): Digest | undefined {
  if (!steps.some(({ behaviour }) => behaviour.cache === true)) return undefined;
  const now = installedPackages(pack);
  return now === pack.installed ? undefined : now;
}

function cached(definition: FlowDefinition, cache: "on" | "off" | undefined): FlowDefinition {
  if (cache === undefined) return definition;
  const steps = definition.steps.map((step) => ({
    ...step,
    behaviour: { ...step.behaviour, cache: cache === "on" },
  }));
  return { ...definition, steps };
}
