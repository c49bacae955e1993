/**
 * The runs that a resumed run reads from: those that it is pinned to, but for what is asked otherwise and what follows
 * from that (`sameAs`). A pinned run is taken whatever its age is now, and with the record of how it was found.
 */
import type { UpstreamDefinition } from "../../flow/definition.ts";
import { isAskedByHand } from "../../lineage/asked-upstream.ts";
import { type ResolvedUpstream, resolveUpstreams, type UpstreamResolution } from "../../lineage/resolve-upstreams.ts";
import type { NewUpstream, UpstreamRow } from "../../metadata/metadata-store.ts";

export interface PinnedUpstreams {
  readonly upstreams: readonly NewUpstream[];
  /** Those that were looked for, and not taken over. */
  readonly resolved: readonly ResolvedUpstream[];
  readonly warnings: Awaited<ReturnType<typeof resolveUpstreams>>["warnings"];
}

/**
 * @param pins of the run that is resumed
 * @throws FlowError as `resolveUpstreams`
 */
export async function pinnedUpstreams(
  input: UpstreamResolution,
  pins: readonly UpstreamRow[],
): Promise<PinnedUpstreams> {
  const byName = new Map(pins.map((pin) => [pin.name, pin]));
  const isKept = (definition: UpstreamDefinition): boolean =>
    byName.has(definition.name) && !followsAsked(definition, input);
  const kept = input.definitions.filter(isKept);
  const open = input.definitions.filter((definition) => !isKept(definition));
  if (open.length === 0 && Object.keys(input.requests).length === 0)
    return { upstreams: kept.map(({ name }) => newUpstream(byName.get(name)!)), resolved: [], warnings: [] };

  // Others may follow a pinned one: it is resolved by its id, and its record is put back afterwards.
  const found = kept.filter(({ name }) => byName.get(name)!.producer !== undefined);
  const requests = Object.fromEntries(found.map(({ name }) => [name, { runId: byName.get(name)!.producer! }]));
  const resolution = await resolveUpstreams({
    ...input,
    definitions: input.definitions.flatMap((definition) => {
      if (open.includes(definition)) return [definition];
      const { maxAge: _, ...ageless } = definition;
      return found.includes(definition) ? [ageless] : [];
    }),
    requests: { ...input.requests, ...requests },
  });
  const resolved = resolution.upstreams.filter(({ name }) => open.some((definition) => definition.name === name));
  return {
    upstreams: input.definitions.map(
      ({ name }) => resolved.find((one) => one.name === name) ?? newUpstream(byName.get(name)!),
    ),
    resolved,
    warnings: resolution.warnings,
  };
}

/** Whether an upstream was asked for, or follows one that was. */
function followsAsked(definition: UpstreamDefinition, input: UpstreamResolution): boolean {
  const seen = new Set<string>();
  for (let current: UpstreamDefinition | undefined = definition; current !== undefined && !seen.has(current.name); ) {
    if (isAskedByHand(input.requests[current.name])) return true;
    seen.add(current.name);
    const followed: string | undefined = current.sameAs?.[0];
    current = input.definitions.find(({ name }) => name === followed);
  }
  return false;
}

function newUpstream({ run: _, ...upstream }: UpstreamRow): NewUpstream {
  return upstream;
}
