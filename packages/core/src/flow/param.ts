import type * as z from "zod";
import { captureCallSite } from "../util/call-site.ts";
import { definitionOf } from "./field-facts.ts";
import type { ParamOptions } from "./public-types.ts";
import type { Schema } from "./schema.ts";

/**
 * Defines a parameter: a read-only field whose value is given when the run starts.
 *
 * Type, check, help, default, choices and flag come from the schema. Precedence: flag, `--params` file, environment,
 * default. The value is stored as encoded input (`z.encode`), so one-way transforms are refused when the flow is loaded.
 *
 * @param schema a zod schema; `z.coerce` and `z.stringbool` are welcome
 * @param o.default an arrow for a default that depends on other parameters or configs
 * @example
 * ```ts
 * readonly folds = param(z.coerce.number().int().min(2).default(5).describe("How many folds"), { short: "k" });
 * ```
 */
export function param<S extends Schema>(schema: S, o?: ParamOptions<NoInfer<z.output<S>>>): z.output<S> {
  return definitionOf({
    kind: "param",
    schema: schema as unknown as z.ZodType,
    options: o ?? {},
    site: captureCallSite(param),
  }) as z.output<S>;
}
