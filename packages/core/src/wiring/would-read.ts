import type { Problem } from "../errors/flow-error.ts";
import { lateTagsOf } from "../flow/late-tags.ts";
import { resolveUpstreams, type UpstreamRequest } from "../lineage/resolve-upstreams.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import type { OpenStores } from "./open-stores.ts";
import { type PrepareRunRequest, prepareRun } from "./prepare-run.ts";

export interface WouldReadRequest extends PrepareRunRequest {
  /** By name of the upstream. */
  readonly upstreams: Readonly<Record<string, UpstreamRequest>>;
  readonly strict?: boolean;
}

/**
 * The runs that a run of this flow would read from, if it were started now with these words. Nothing is started or written.
 *
 * @throws FlowError for everything that would keep the run from starting
 */
export async function wouldRead(
  { metadata }: Pick<OpenStores, "metadata">,
  request: WouldReadRequest,
): Promise<{ readonly runs: readonly RunRow[]; readonly warnings: readonly Problem[] }> {
  const prepared = await prepareRun(request);
  const { upstreams, warnings } = await resolveUpstreams({
    metadata,
    definitions: prepared.definition.upstreams,
    requests: request.upstreams,
    lateTags: lateTagsOf(prepared.flowClass, prepared.fields),
    now: new Date(),
    strict: request.strict ?? false,
    project: prepared.definition.project,
  });
  const runs = new Map<string, RunRow>();
  for (const { run } of upstreams) if (run !== undefined) runs.set(run.id, run);
  return { runs: [...runs.values()], warnings };
}
