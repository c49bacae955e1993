import type * as z from "zod";
import { captureCallSite } from "./call-site.ts";
import { definitionOf } from "./field-facts.ts";

/**
 * Declares an artifact with a schema: what a step leaves in the field is checked before it is stored.
 *
 * @param schema a zod schema of the value; one-way transforms are refused when the flow is loaded
 * @example
 * ```ts
 * scores = artifact(z.array(z.number()));
 * ```
 */
export function artifact<S extends z.ZodType>(schema: S): z.output<S> {
  return definitionOf({ kind: "artifact", schema, site: captureCallSite(artifact) }) as z.output<S>;
}
