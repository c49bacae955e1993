import { ArtifactStore } from "../artifact/artifact-store.ts";
import type { TaskReader } from "../metadata/metadata-store.ts";
import { openSqliteTaskReader } from "../metadata/sqlite/task-reader.ts";
import type { SyncBlobStore } from "../storage/blob-store.ts";
import { openBlobs } from "./open-blobs.ts";
import type { StoreLocation } from "./store-location.ts";

/** What a task needs of a store: reading records, reading and writing blobs, all without an event loop. */
export interface TaskStores {
  readonly records: TaskReader;
  readonly blobs: SyncBlobStore;
  readonly artifacts: ArtifactStore;
  close(): void;
}

/**
 * Opens a store inside a worker. Synchronous, with connections of its own, and loading no query builder: a worker's start
 * is on the way of each first task.
 *
 * @param location  from `OpenStores.locate()` of the main thread, which keeps the store open meanwhile
 */
export function openTaskStores(location: StoreLocation): TaskStores {
  const records = openSqliteTaskReader(location.databaseFile);
  const blobs = openBlobs(location);
  return {
    records,
    blobs,
    artifacts: new ArtifactStore(blobs),
    close() {
      records.close();
      void blobs.close(); // Nothing that had to be awaited: what was put in a task is in its spool or its folder.
    },
  };
}
