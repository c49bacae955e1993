import { isFlowError, serializeError } from "../errors/flow-error.ts";
import type { FinishRun, MetadataStore } from "../metadata/metadata-store.ts";

/**
 * Records that an execution ended because Millrace or its store failed, where that is still possible: a run that nobody
 * drives must not be shown as running for as long as its process lives. What cannot be recorded is passed over, for the
 * first error is the one to tell.
 */
export async function failRun(
  metadata: Pick<MetadataStore, "finishRun">,
  writer: Pick<FinishRun, "run" | "execution">,
  error: unknown,
): Promise<void> {
  if (isFlowError(error, "FLOW_METADATA_FENCED")) return; // The run is another's now.
  const end = {
    ...writer,
    status: "failed",
    finishedAt: new Date(),
    failure: { error: serializeError(error) },
  } as const;
  await metadata.finishRun(end).catch(() => {});
}
