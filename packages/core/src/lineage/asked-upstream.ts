import { FlowError, type Problem } from "../errors/flow-error.ts";
import type { UpstreamDefinition } from "../flow/definition.ts";
import { normalTags } from "./check-tags.ts";

/** What the user asked for one upstream: `--NAME-tag` (repeatable), `--NAME-run`, or the id of a run from code. */
export interface UpstreamRequest {
  readonly tags?: readonly string[];
  readonly run?: string;
  readonly runId?: string;
}

/** What one upstream is looked for by. */
export type AskedUpstream =
  | { readonly kind: "run"; readonly run: string }
  | { readonly kind: "tags"; readonly tags: readonly string[] }
  | { readonly kind: "sameAs"; readonly path: readonly string[] }
  | { readonly kind: "problem"; readonly problem: Problem };

/**
 * What counts for one upstream: the request, else `sameAs`, else the declared tags, else the newest (no tags).
 *
 * @param lateTags  what the upstream's function of tags gave, when it has one
 */
export function askedFor(
  definition: UpstreamDefinition,
  request: UpstreamRequest = {},
  lateTags?: readonly string[],
): AskedUpstream {
  const named = request.runId ?? request.run;
  const hasTags = request.tags !== undefined && request.tags.length > 0;
  if (named !== undefined && hasTags) {
    return conflict("it was asked for both by tag and by run", "Ask in one of the two ways");
  }
  if (named !== undefined) return { kind: "run", run: named.trim() };
  if (hasTags) return { kind: "tags", tags: normalTags(request.tags!) };
  if (definition.sameAs !== undefined) {
    if (definition.hasLateTags || definition.tags.length > 0)
      return conflict("it declares both sameAs and tags", "Keep one of the two");
    return { kind: "sameAs", path: definition.sameAs };
  }
  if (!definition.hasLateTags) return { kind: "tags", tags: normalTags(definition.tags) };
  if (lateTags === undefined)
    throw new FlowError("FLOW_INTERNAL", {
      message: `The late tags of the upstream "${definition.name}" were not given`,
    });
  return { kind: "tags", tags: normalTags(lateTags) };
}

function conflict(message: string, hint: string): AskedUpstream {
  return { kind: "problem", problem: { code: "FLOW_LINEAGE_CONFLICT", message, hint } };
}

/** Whether a request asks for anything; an empty list of tags does not. */
export function isAskedByHand(request: UpstreamRequest | undefined): boolean {
  return (
    request !== undefined &&
    (request.run !== undefined || request.runId !== undefined || (request.tags ?? []).length > 0)
  );
}

/** The upstream that has to be resolved before this one; undefined when it does not follow another. */
export function followedUpstream(
  definition: UpstreamDefinition,
  request: UpstreamRequest | undefined,
): string | undefined {
  return isAskedByHand(request) ? undefined : definition.sameAs?.[0];
}
