import { isProcessAlive, readProcessIdentity } from "../config/process-identity.ts";
import { FlowError } from "../errors/flow-error.ts";
import type { DeletionStore } from "../metadata/deletion-store.ts";
import { openSqliteDeletion } from "../metadata/sqlite/deletion/open-deletion.ts";
import { openFsSweep } from "../storage/fs/fs-sweep.ts";
import { storeLayout } from "../storage/fs/store-folder.ts";
import { openRemoteSweep } from "../storage/remote/remote-sweep.ts";
import type { BlobSweep } from "../storage/sweep.ts";
import { openBucketClient, remoteFolders } from "./open-blobs.ts";
import type { OpenStores } from "./open-stores.ts";

/** What deletes needs of a store. */
export interface DeletionStores {
  readonly records: DeletionStore;
  readonly sweep: BlobSweep;
  /** Called before values are taken away: a bucket must know of deleted runs before it lacks their values. */
  readonly beforeSweep?: () => Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a store for deleting. It stays open for reading beside it: that has checked what it is and brought it up to date.
 *
 * @param options.now milliseconds since 1970; default the clock
 * @throws FlowError FLOW_METADATA_READ_ONLY, FLOW_METADATA_UNAVAILABLE
 */
export function openDeletion(stores: OpenStores, options: { readonly now?: () => number } = {}): DeletionStores {
  const location = stores.locate();
  const { databaseFile, blobFolder, temporaryFolder } = location;
  if (stores.isReadonly) {
    throw new FlowError("FLOW_METADATA_READ_ONLY", {
      message: `Cannot delete in the store "${stores.place}": this user may not write to it`,
      hint: "Give this user write access to the folder, or choose another store with --store",
      context: { path: stores.folder },
    });
  }
  const liveness = { self: readProcessIdentity(), now: options.now ?? Date.now, isAlive: isProcessAlive };
  const records = openSqliteDeletion(databaseFile, { lockFile: storeLayout(stores.folder).lock, liveness });
  const client = openBucketClient(location);
  if (client === undefined)
    return { records, sweep: openFsSweep(blobFolder, temporaryFolder), close: () => records.close() };
  const { spoolFolder, sweepFile: markFile } = remoteFolders(location);
  return {
    records,
    sweep: openRemoteSweep({ client, spoolFolder, temporaryFolder, markFile }),
    ...(stores.tellBucket === undefined ? {} : { beforeSweep: stores.tellBucket }),
    async close() {
      client.close();
      await records.close();
    },
  };
}
