import type { FlowIdentity } from "../flow/definition.ts";
import type { MetadataReader, NamedRun, RunRow, RunSequence } from "../metadata/metadata-store.ts";

/** How many candidates are named in a record or a warning. */
export const MAX_CANDIDATES = 20;

/** How many are counted: finding the newest of 100,000 runs must cost no more than finding the newest of ten. */
export const MAX_COUNTED = 1_000;

/** The runs that fit, newest first: the first one is the answer. */
export interface MatchedRuns {
  readonly newest: RunRow | undefined;
  /** At most `MAX_CANDIDATES`, newest first; the newest among them. */
  readonly candidates: readonly NamedRun[];
  /** At most `MAX_COUNTED`, which stands for so many or more. */
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
  const [newest] = await metadata.runs({ ...query, limit: 1 });
  if (newest === undefined) return { newest, candidates: [], count: 0 };
  const until = { ...query, before: (newest.sequence + 1) as RunSequence }; // Nothing newer, if there is by now.
  const candidates = await metadata.runNames({ ...until, limit: MAX_CANDIDATES });
  const count = candidates.length < MAX_CANDIDATES ? candidates.length : await metadata.countRuns(query, MAX_COUNTED);
  return { newest, candidates, count };
}
