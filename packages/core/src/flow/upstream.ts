import { captureCallSite } from "../util/call-site.ts";
import { definitionOf } from "./field-facts.ts";
import type { Flow } from "./flow.ts";
import type { FlowClass, Upstream, UpstreamOptions } from "./public-types.ts";

/**
 * Defines a run that this flow reads from: the newest successful one, or the one that the options or the flags
 * `--NAME-tag` and `--NAME-run` choose. It is resolved once, before the first step.
 *
 * @param flow the producer's class, or its name (`Train`, or `project/Train`) when the class is not at hand
 * @param o.tags tags looked for unless told otherwise; an arrow when they depend on parameters
 * @param o.sameAs the very run that another upstream read from: `this.model.upstreams.source`
 * @param o.maxAge a run older than this is refused
 * @param o.optional no run found gives `undefined` instead of an error
 * @example
 * ```ts
 * readonly model = upstream(Train, { tags: ["prod:v1"] });
 * readonly source = upstream(GenerateData, { sameAs: this.model.upstreams.source });
 * ```
 */
// biome-ignore lint/complexity/noBannedTypes: {} is what the type parameter is when no options are given
export function upstream<T extends Flow, const O extends UpstreamOptions<NoInfer<T>> = {}>(
  flow: FlowClass<T> | string,
  o?: O,
): O extends { readonly optional: true } ? Upstream<T> | undefined : Upstream<T> {
  return definitionOf({ kind: "upstream", flow, options: o ?? {}, site: captureCallSite(upstream) }) as never;
}
