/** What the policies of tags ask of the runs that hold them, whatever a command asks for. */
import { runName } from "../../lineage/run-name.ts";
import type { MetadataReader, RunRow, TagPolicy, UpstreamRow } from "../../metadata/metadata-store.ts";
import { readPublicKey } from "../../metadata/signing-key.ts";
import { policyFor } from "../../metadata/tag-policy.ts";
import { formatDuration } from "../../util/duration.ts";
import type { SignatureDemand } from "./check-signatures.ts";
import type { CheckSink } from "./report.ts";

/** The signatures that the policies of some tags ask for, each policy once. */
export function demandsOf(policies: readonly TagPolicy[], tags: readonly string[]): readonly SignatureDemand[] {
  const asked = new Map(
    tags
      .flatMap((tag) => policyFor(policies, tag)?.signatures ?? [])
      .map(({ pattern, keys }) => [pattern, keys] as const),
  );
  return [...asked].map(([pattern, keys]) => {
    const by = `the policy "${pattern}"`;
    return { by, keys: keys.map((key) => readPublicKey(key, by)) };
  });
}

/** The tags by which the run of an upstream was found. */
export function tagsOf({ selector }: UpstreamRow): readonly string[] {
  return selector.kind === "tags" ? selector.tags : [];
}

export interface PolicyAges {
  readonly policies: readonly TagPolicy[];
  /** Tags that the run is to be given: too old is a failure then, and no matter of taste. */
  readonly asked: readonly string[];
  readonly failsWhenOld: boolean;
  readonly now: Date;
}

/**
 * V12 by policy: a run that holds a tag, or was found by it, is no older today than the policy of the tag allows, and neither are
 * the runs that it was made from.
 */
export async function checkPolicyAge(
  metadata: MetadataReader,
  run: RunRow,
  edges: readonly UpstreamRow[],
  { policies, asked, failsWhenOld, now }: PolicyAges,
  sink: CheckSink,
): Promise<void> {
  const judge = (of: RunRow, limit: AgeLimit, path: readonly string[]): void => {
    const ageMs = now.getTime() - of.createdAt.getTime();
    const via = path.length === 0 ? "" : `, which ${runName(run)} read from as "${path.join(".")}",`;
    const evidence = `${runName(of)}${via} is ${formatDuration(Math.max(0, ageMs))} old, the limit is ${formatDuration(limit.maxAgeMs)} by the policy of "${limit.tag}"`;
    const old = failsWhenOld || asked.includes(limit.tag) ? "fail" : "warn";
    sink.add(
      "V12",
      ageMs > limit.maxAgeMs ? old : "pass",
      evidence,
      path.length === 0 ? {} : { upstream: path.join(".") },
    );
  };
  const held = [ageOf(policies, asked), ageOf(policies, run.tags)].filter((limit) => limit !== undefined);
  for (const limit of held) judge(run, limit, []);
  for (const edge of edges) {
    const producer = edge.producer === undefined ? undefined : await metadata.runById(edge.producer);
    if (producer === undefined) continue; // V15 says so.
    const foundBy = ageOf(policies, tagsOf(edge));
    for (const limit of foundBy === undefined ? held : [...held, foundBy]) judge(producer, limit, [edge.name]);
    if (foundBy === undefined) continue;
    // A model that was found by a tag is held to be fresh, and is no fresher than its data.
    for (const next of await metadata.upstreams(producer.sequence)) {
      const source = next.producer === undefined ? undefined : await metadata.runById(next.producer);
      if (source !== undefined) judge(source, foundBy, [edge.name, next.name]);
    }
  }
}

interface AgeLimit {
  readonly tag: string;
  readonly maxAgeMs: number;
}

/** The smallest age that the policies of some tags allow. */
function ageOf(policies: readonly TagPolicy[], tags: readonly string[]): AgeLimit | undefined {
  return tags
    .map((tag) => ({ tag, maxAgeMs: policyFor(policies, tag)?.maxAgeMs }))
    .filter((limit): limit is AgeLimit => limit.maxAgeMs !== undefined)
    .sort((left, right) => left.maxAgeMs - right.maxAgeMs)[0];
}
