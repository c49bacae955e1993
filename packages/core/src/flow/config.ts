import type * as z from "zod";
import { captureCallSite } from "../util/call-site.ts";
import { definitionOf } from "./field-facts.ts";
import type { ConfigOptions } from "./public-types.ts";
import type { Schema } from "./schema.ts";

/**
 * Defines a config: a JSON file that is read and checked before the parameters are, and kept with the run.
 *
 * @param schema a zod schema of the parsed file; the field has its output type
 * @param o.default path that is read unless `--NAME PATH` gives another one; without it a path must be given
 * @example
 * ```ts
 * readonly conf = config(z.object({ folds: z.number() }), { default: "config.json" });
 * readonly folds = param(z.coerce.number(), { default: () => this.conf.folds });
 * ```
 */
export function config<S extends Schema>(schema: S, o?: ConfigOptions): z.output<S> {
  return definitionOf({
    kind: "config",
    schema: schema as unknown as z.ZodType,
    options: o ?? {},
    site: captureCallSite(config),
  }) as z.output<S>;
}
