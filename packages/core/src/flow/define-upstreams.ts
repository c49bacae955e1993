import { isName, isProject, tagProblem } from "../ids/names.ts";
import { locate } from "../util/call-site.ts";
import { type Duration, parseDurationMs } from "../util/duration.ts";
import { nearestName } from "../util/nearest-name.ts";
import type { Report } from "./define-fields.ts";
import type { DefineFlowOptions } from "./define-flow.ts";
import { checkKnownOptions } from "./define-params.ts";
import type { UpstreamDefinition } from "./definition.ts";
import { type FieldFact, factOf, type UpstreamFact } from "./field-facts.ts";
import { isFlowClass } from "./flow.ts";
import { flowNameOf, flowNameProblem } from "./flow-name.ts";
import { probeFlow } from "./probe-flow.ts";
import type { FlowClass } from "./public-types.ts";
import { stepFactsOf } from "./step-facts.ts";

const KNOWN = ["sameAs", "tags", "maxAge", "optional"];

/** An upstream as plain data. `names` holds the definitions that were seen before, by their fields' names. */
export function defineUpstream(
  name: string,
  fact: UpstreamFact,
  names: ReadonlyMap<FieldFact, string>,
  options: DefineFlowOptions,
  report: Report,
): UpstreamDefinition {
  const { tags, maxAge, optional } = fact.options;
  checkKnownOptions(name, fact.options, KNOWN, report);
  const flow = producerOf(name, fact, options, report);
  const upstreamNames = upstreamFactsOf(fact.flow)?.keys();
  const sameAs = sameAsOf(name, fact, names, report);
  const isDuration = typeof maxAge === "string" && parseDurationMs(maxAge) !== undefined;
  if (maxAge !== undefined && !isDuration) {
    report(
      "FLOW_DEFINITION_BAD_OPTION",
      `"maxAge" of "${name}" is ${JSON.stringify(maxAge)} instead of a length of time`,
      'Write a number and a unit: "90s", "12h", "30d"',
    );
  }
  if (optional !== undefined && typeof optional !== "boolean") {
    report("FLOW_DEFINITION_BAD_OPTION", `"optional" of "${name}" is not true or false`);
  }
  return {
    name,
    flow,
    tags: typeof tags === "function" ? [] : checkedTags(name, tags, report),
    hasLateTags: typeof tags === "function",
    ...(sameAs === undefined ? {} : { sameAs }),
    ...(isDuration ? { maxAge: maxAge as Duration } : {}),
    optional: optional === true,
    ...(upstreamNames === undefined ? {} : { upstreamNames: [...upstreamNames] }),
  };
}

/** Why a list of tags cannot be looked for, or undefined when it can. */
export function tagsProblem(tags: unknown): string | undefined {
  if (!Array.isArray(tags)) return "they are no list";
  for (const tag of tags) {
    if (typeof tag !== "string") return `${String(tag)} is no text`;
    const problem = tagProblem(tag);
    if (problem !== undefined) return `${JSON.stringify(tag)}: ${problem}`;
  }
  return undefined;
}

function checkedTags(name: string, tags: unknown, report: Report): readonly string[] {
  if (tags === undefined) return [];
  const problem = tagsProblem(tags);
  if (problem === undefined) return tags as readonly string[];
  report(
    "FLOW_DEFINITION_BAD_OPTION",
    `The tags of "${name}" cannot be looked for: ${problem}`,
    'Write tags: ["prod:v1"]',
  );
  return [];
}

function producerOf(
  name: string,
  fact: UpstreamFact,
  options: DefineFlowOptions,
  report: Report,
): UpstreamDefinition["flow"] {
  const { flow } = fact;
  if (typeof flow === "string") {
    const slash = flow.lastIndexOf("/");
    const [project, flowName] = [flow.slice(0, Math.max(slash, 0)), flow.slice(slash + 1)];
    if (!isName(flowName) || slash === 0 || (slash > 0 && !isProject(project))) {
      report(
        "FLOW_DEFINITION_BAD_UPSTREAM",
        `"${flow}" of "${name}" cannot be the name of a flow`,
        "Write the flow's class, its name, or project/Name",
      );
    }
    return { ...(slash > 0 ? { project } : {}), name: flowName };
  }
  if (!isFlowClass(flow)) {
    const what = flow === undefined ? "undefined; do the files import each other?" : "no flow class";
    report(
      "FLOW_DEFINITION_BAD_UPSTREAM",
      `The producer of "${name}" is ${what}`,
      "Give upstream() a class that extends Flow, or its name",
    );
    return { name: "" };
  }
  const { steps } = stepFactsOf(flow);
  if (flowNameProblem(flow) !== undefined || steps.length === 0) {
    report(
      "FLOW_DEFINITION_BAD_UPSTREAM",
      `The producer of "${name}" ${steps.length === 0 ? "has no steps" : "has no name"}`,
      "Name the class of a flow that can be run",
    );
  }
  const file = locate(steps.at(-1)?.site)?.file;
  const project = (file === undefined ? undefined : options.projectOf?.(file)) ?? options.project;
  return { project, name: flowNameOf(flow) };
}

/** The upstream definitions of a producer by name; undefined when its class is not at hand or cannot be built. */
function upstreamFactsOf(flow: unknown): ReadonlyMap<string, UpstreamFact> | undefined {
  if (!isFlowClass(flow)) return undefined;
  try {
    const facts = new Map<string, UpstreamFact>();
    for (const [name, field] of probeFlow(flow as FlowClass).fields) {
      if (field.kind === "definition" && field.fact.kind === "upstream") facts.set(name, field.fact);
    }
    return facts;
  } catch {
    return undefined; // the producer tells its own problems when it is loaded
  }
}

function sameAsOf(
  name: string,
  fact: UpstreamFact,
  names: ReadonlyMap<FieldFact, string>,
  report: Report,
): readonly string[] | undefined {
  const { sameAs } = fact.options;
  if (sameAs === undefined) return undefined;
  const fail = (message: string, hint: string): undefined => {
    report("FLOW_DEFINITION_BAD_UPSTREAM", `"sameAs" of "${name}" ${message}`, hint);
  };
  const target = factOf(sameAs);
  if (target?.kind === "upstream") {
    const field = names.get(target) ?? "model";
    return fail(
      "names an upstream, not one of the runs which that one read from",
      `Write sameAs: this.${field}.upstreams.NAME`,
    );
  }
  if (target?.kind !== "upstream-of")
    return fail("is no upstream of an upstream", "Write sameAs: this.model.upstreams.source");
  const first = names.get(target.of);
  if (first === undefined)
    return fail("starts from an upstream that is no field before it", "Move the field that it starts from above it");

  let producer: unknown = target.of.flow;
  for (const [index, part] of target.path.entries()) {
    const known = upstreamFactsOf(producer);
    if (known === undefined) return [first, ...target.path]; // only a name is known: looked up when the run starts
    const next = known.get(part);
    if (next === undefined) {
      const near = nearestName(part, known.keys());
      const owner = ["this", first, ...target.path.slice(0, index)].join(".");
      const list = known.size === 0 ? `${owner} has no upstreams` : `Its upstreams are ${[...known.keys()].join(", ")}`;
      return fail(
        `names "${part}", which is no upstream of ${owner}`,
        near === undefined ? list : `Did you mean "${near}"?`,
      );
    }
    producer = next.flow;
  }
  if (producerName(producer) !== producerName(fact.flow)) {
    return fail(
      `is a run of "${producerName(producer)}", but "${name}" wants one of "${producerName(fact.flow)}"`,
      "Name the upstream that is a run of the same flow",
    );
  }
  return [first, ...target.path];
}

function producerName(flow: unknown): string {
  return typeof flow === "string" ? flow.slice(flow.lastIndexOf("/") + 1) : flowNameOf(Object(flow) as object);
}
