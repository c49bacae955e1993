import { isFlowError } from "../errors/flow-error.ts";
import { toldError } from "../errors/told-error.ts";
import type { FinishRun, MetadataStore, RunRow } from "../metadata/metadata-store.ts";

/**
 * Records that an execution ended because Millrace or its store failed, where that is still possible: a run that nobody
 * drives must not be shown as running for as long as its process lives. What cannot be recorded is passed over, for the
 * first error is the one to tell.
 *
 * @returns the run as it is recorded now; undefined where that was not possible
 */
export async function failRun(
  metadata: Pick<MetadataStore, "finishRun">,
  writer: Pick<FinishRun, "run" | "execution">,
  error: unknown,
): Promise<RunRow | undefined> {
  if (isFlowError(error, "FLOW_METADATA_FENCED")) return undefined; // The run is another's now.
  const end = {
    ...writer,
    status: "failed",
    finishedAt: new Date(),
    failure: { error: toldError(error) },
  } as const;
  return await metadata.finishRun(end).catch(() => undefined);
}
