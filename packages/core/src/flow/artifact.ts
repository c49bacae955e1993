import type * as z from "zod";
import { captureCallSite } from "../util/call-site.ts";
import { definitionOf } from "./field-facts.ts";
import type { ArtifactOptions } from "./public-types.ts";
import type { Schema } from "./schema.ts";

/**
 * Declares an artifact with a schema: what a step leaves in the field is checked before it is stored.
 *
 * @param schema a zod schema of the value; one-way transforms are refused when the flow is loaded
 * @param options how long the value is kept; default: as long as its run
 * @example
 * ```ts
 * scores = artifact(z.array(z.number()));
 * features = artifact(z.custom<Float64Array>(), { transient: true });
 * ```
 */
export function artifact<S extends Schema>(schema: S, options: ArtifactOptions = {}): z.output<S> {
  return definitionOf({
    kind: "artifact",
    schema: schema as unknown as z.ZodType,
    options,
    site: captureCallSite(artifact),
  }) as z.output<S>;
}
