import { z } from "../util/zod.ts";
import { schemaOf } from "./check-declared-artifact.ts";
import { isFlowClass } from "./flow.ts";
import { issueText } from "./issue-text.ts";
import { probeFlow } from "./probe-flow.ts";
import type { FlowClass } from "./public-types.ts";

/** Issues that are named; a list of a million wrong items has as many. */
const MOST_ISSUES = 5;

/**
 * What of a value does not fit the schema that the producer's class, as its consumer has it, declares for the artifact;
 * undefined when it fits or nothing is declared. The run that left it may be older than the schema.
 */
export function consumedArtifactProblem(producer: FlowClass, name: string, value: unknown): string | undefined {
  const schema = schemaOf(producer, name);
  if (schema === undefined) return undefined;
  // As when it was stored: the output side of the schema is what a field holds.
  const result = z.safeEncode(schema, value);
  if (result.success) return undefined;
  const { issues } = result.error;
  const more = issues.length > MOST_ISSUES ? `; ${issues.length - MOST_ISSUES} more` : "";
  return `${issues.slice(0, MOST_ISSUES).map(issueText).join("; ")}${more}`;
}

const upstreams = new WeakMap<FlowClass, ReadonlyMap<string, FlowClass>>();

/** The class of an upstream of a flow; undefined where it is named by a text. */
export function upstreamClassOf(flowClass: FlowClass, upstream: string): FlowClass | undefined {
  let known = upstreams.get(flowClass);
  if (known === undefined) {
    const found = new Map<string, FlowClass>();
    for (const [name, field] of probeFlow(flowClass).fields) {
      if (field.kind !== "definition" || field.fact.kind !== "upstream" || !isFlowClass(field.fact.flow)) continue;
      found.set(name, field.fact.flow as FlowClass);
    }
    known = found;
    upstreams.set(flowClass, known);
  }
  return known.get(upstream);
}
