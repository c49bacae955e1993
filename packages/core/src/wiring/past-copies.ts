import { ArtifactStore } from "../artifact/artifact-store.ts";
import { openFsBlobStore } from "../storage/fs/fs-blob-store.ts";
import { openDirectStore } from "../storage/remote/direct-store.ts";
import { openBucketClient } from "./open-blobs.ts";
import type { OpenStores } from "./open-stores.ts";

/**
 * The values of a store as the store itself has them: of a bucket what lies there, and not the copies on this machine. A folder has
 * no copies.
 *
 * @returns the values, and what ends the connection
 */
export function openPastCopies(stores: OpenStores): {
  readonly artifacts: ArtifactStore;
  readonly readsCopies: boolean;
  readonly close: () => Promise<void>;
} {
  const location = stores.locate();
  const client = openBucketClient(location);
  if (client === undefined) return { artifacts: stores.artifacts, readsCopies: false, close: async () => {} };
  const aside = openFsBlobStore(location.blobFolder, { temporaryFolder: location.temporaryFolder });
  const direct = openDirectStore(client, aside);
  return { artifacts: new ArtifactStore(direct), readsCopies: false, close: () => direct.close() };
}
