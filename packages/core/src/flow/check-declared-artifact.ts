import { FlowError } from "../errors/flow-error.ts";
import { z } from "../util/zod.ts";
import { defineArtifact } from "./define-artifacts.ts";
import type { ArtifactTerm } from "./definition.ts";
import { issueText } from "./issue-text.ts";
import { probeFlow } from "./probe-flow.ts";
import type { FlowClass } from "./public-types.ts";

const declared = new WeakMap<FlowClass, ReadonlyMap<string, Declared>>();

/**
 * Checks the value that a step left in a field declared with `artifact(schema)`.
 *
 * The value is stored as it is; the schema only says whether it fits. A field that is not declared is not checked.
 *
 * @throws FlowError FLOW_FLOW_ARTIFACT_MISMATCH with all issues
 */
export function checkDeclaredArtifact(flowClass: FlowClass, name: string, value: unknown): void {
  const schema = declaredOf(flowClass).get(name)?.schema;
  if (schema === undefined) return;
  // Encoding checks the output side of the schema, which is what a field holds; parsing would check its input side.
  const result = z.safeEncode(schema, value);
  if (result.success) return;
  throw new FlowError("FLOW_FLOW_ARTIFACT_MISMATCH", {
    message: `Cannot keep "${name}": ${result.error.issues.map(issueText).join("; ")}`,
    hint: "Correct the value or the schema of the field",
    context: { field: name },
  });
}

/** How long the value of a field is kept; undefined when as long as its run. */
export function termOf(flowClass: FlowClass, name: string): ArtifactTerm | undefined {
  return declaredOf(flowClass).get(name)?.term;
}

/** The schema of a field declared with `artifact(schema)`. */
export function schemaOf(flowClass: FlowClass, name: string): z.ZodType | undefined {
  return declaredOf(flowClass).get(name)?.schema;
}

interface Declared {
  readonly schema: z.ZodType;
  readonly term?: ArtifactTerm;
}

function declaredOf(flowClass: FlowClass): ReadonlyMap<string, Declared> {
  const known = declared.get(flowClass);
  if (known !== undefined) return known;
  const found = new Map<string, Declared>();
  for (const [name, field] of probeFlow(flowClass).fields) {
    if (field.kind !== "definition" || field.fact.kind !== "artifact") continue;
    const { schema } = field.fact;
    const { transient, ttlMs } = defineArtifact(name, field.fact, () => {}); // Wrong options were refused at the start.
    const hasTerm = transient !== undefined || ttlMs !== undefined;
    const term = { isTransient: transient === true, ...(ttlMs === undefined ? {} : { ttlMs }) };
    found.set(name, hasTerm ? { schema, term } : { schema });
  }
  declared.set(flowClass, found);
  return found;
}
