import * as z from "zod";
import { FlowError } from "../errors/flow-error.ts";
import { issueText } from "./issue-text.ts";
import { probeFlow } from "./probe-flow.ts";
import type { FlowClass } from "./public-types.ts";

const schemas = new WeakMap<FlowClass, ReadonlyMap<string, z.ZodType>>();

/**
 * Checks the value that a step left in a field declared with `artifact(schema)`.
 *
 * The value is stored as it is; the schema only says whether it fits. A field that is not declared is not checked.
 *
 * @throws FlowError FLOW_FLOW_ARTIFACT_MISMATCH with all issues
 */
export function checkDeclaredArtifact(flowClass: FlowClass, name: string, value: unknown): void {
  const schema = schemasOf(flowClass).get(name);
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

function schemasOf(flowClass: FlowClass): ReadonlyMap<string, z.ZodType> {
  const known = schemas.get(flowClass);
  if (known !== undefined) return known;
  const found = new Map<string, z.ZodType>();
  for (const [name, field] of probeFlow(flowClass).fields) {
    if (field.kind === "definition" && field.fact.kind === "artifact") found.set(name, field.fact.schema);
  }
  schemas.set(flowClass, found);
  return found;
}
