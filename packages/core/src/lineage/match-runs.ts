import type { FlowIdentity } from "../flow/definition.ts";
import type { MetadataReader, RunRow, RunSequence } from "../metadata/metadata-store.ts";

/** How many candidates are named in a record or a warning. */
export const MAX_CANDIDATES = 20;

/** The runs that fit, newest first: the first one is the answer. */
export interface MatchedRuns {
  readonly newest: RunRow | undefined;
  /** At most `MAX_CANDIDATES`, newest first; the newest among them. */
  readonly candidates: readonly RunRow[];
  readonly count: number;
}

/**
 * The one rule by which tags find a run: successful runs of that flow, holding all the tags, newest by creation sequence.
 * Upstreams, the client and validation all ask here, so that they cannot disagree.
 *
 * @param before  only runs that were created before this one
 */
export async function matchRuns(
  metadata: MetadataReader,
  flow: FlowIdentity,
  tags: readonly string[],
  before?: RunSequence,
): Promise<MatchedRuns> {
  const query = { flow, tags, status: "succeeded", ...(before === undefined ? {} : { before }) } as const;
  const candidates = await metadata.runs({ ...query, limit: MAX_CANDIDATES });
  const count = candidates.length < MAX_CANDIDATES ? candidates.length : await metadata.countRuns(query);
  return { newest: candidates[0], candidates, count };
}
