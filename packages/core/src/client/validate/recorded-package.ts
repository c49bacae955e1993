import type { Digest } from "../../artifact/artifact.ts";
import { isFlowError } from "../../errors/flow-error.ts";
import type { FlowDefinition } from "../../flow/definition.ts";
import type { MetadataReader, MetadataStore, RunRow } from "../../metadata/metadata-store.ts";
import { readManifest } from "../../metadata/stored-columns.ts";

/** What validation needs of a stored code package. All parts may be missing: another version may have written it. */
export interface RecordedPackage {
  readonly files?: readonly { readonly name: string; readonly digest: Digest; readonly sizeBytes: number }[];
  readonly flows?: readonly { readonly definition?: FlowDefinition }[];
}

/**
 * The code package of a run as the store records it; undefined when the run names none; "missing" when it is not there, and
 * "unreadable" when its manifest is not one.
 */
export async function recordedPackage(
  metadata: MetadataReader & Partial<Pick<MetadataStore, "package">>,
  run: RunRow,
): Promise<RecordedPackage | "missing" | "unreadable" | undefined> {
  if (run.packageDigest === undefined || metadata.package === undefined) return undefined;
  const pack = await metadata.package(run.packageDigest);
  if (pack === undefined) return "missing";
  try {
    return readManifest<RecordedPackage>(pack.manifest);
  } catch (error) {
    if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) throw error;
    return "unreadable";
  }
}
