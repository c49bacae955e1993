/** Records out of a bucket, into the place where the records of a store lie. */
import { openSqliteRebuild } from "../metadata/sqlite/record-rebuild.ts";
import { type RebuildOptions, type RebuildReport, rebuildRecords as rebuild } from "../publish/rebuild-records.ts";
import type { BlobStore } from "../storage/blob-store.ts";

export type { RebuildOptions, RebuildReport };

/**
 * Builds the records of a store from its bucket.
 *
 * @param bucket below the prefix of the store
 * @param databaseFile where they are to lie; its folder is there, and it is not
 * @throws FlowError FLOW_METADATA_CONFLICT when a file is there, FLOW_PUBLISH_NO_STORE, FLOW_PUBLISH_DAMAGED with everything that is missing or
 *   not as it was written, FLOW_PUBLISH_NEWER_FORMAT, and those of the bucket and the file system; nothing is left behind then
 */
export async function rebuildRecords(
  bucket: BlobStore,
  databaseFile: string,
  options: RebuildOptions,
): Promise<RebuildReport> {
  return await rebuild(
    bucket,
    ({ store, createdAt }) => openSqliteRebuild(databaseFile, { storeId: store, createdAt }),
    options,
  );
}
