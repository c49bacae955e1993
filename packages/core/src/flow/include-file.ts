import { captureCallSite } from "../util/call-site.ts";
import { definitionOf } from "./field-facts.ts";
import type { IncludedFile, IncludeFileOptions } from "./public-types.ts";

/**
 * Defines a file whose contents are read before the run starts and kept with it.
 *
 * @param o.encoding `"utf8"` gives a string; left out, the field is a `Uint8Array`
 * @param o.default path that is read unless `--NAME PATH` gives another one; without it a path must be given
 * @example
 * ```ts
 * readonly prompt = includeFile({ encoding: "utf8", default: "prompt.txt" });
 * ```
 */
// biome-ignore lint/complexity/noBannedTypes: {} is what the type parameter is when no options are given
export function includeFile<const O extends IncludeFileOptions = {}>(o?: O): IncludedFile<O> {
  return definitionOf({ kind: "file", options: o ?? {}, site: captureCallSite(includeFile) }) as IncludedFile<O>;
}
