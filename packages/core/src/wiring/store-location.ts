import type { BucketUrl } from "../config/bucket-url.ts";
import type { StoreChoice } from "../config/find-store.ts";
import { storeLayout } from "../storage/fs/store-folder.ts";

/** Where the parts of a store lie: plain data, so that a worker can be told and open them itself. */
export interface StoreLocation {
  readonly databaseFile: string;
  /** Where the keys of blobs start: they begin with `blobs/` themselves. */
  readonly blobFolder: string;
  /** Where blobs are written aside; on the same file system as the blob folder. */
  readonly temporaryFolder: string;
  /** Where blobs lie, if not in the folder. */
  readonly bucket?: BucketUrl;
  /** How many bytes of values of the bucket are kept in the folder, if that is set. */
  readonly cacheBytes?: number;
}

export function locateStore({ folder, bucket, cacheBytes }: Omit<StoreChoice, "from">): StoreLocation {
  const layout = storeLayout(folder);
  return {
    databaseFile: layout.database,
    blobFolder: layout.folder,
    temporaryFolder: layout.temporary,
    ...(bucket === undefined ? {} : { bucket }),
    ...(cacheBytes === undefined ? {} : { cacheBytes }),
  };
}
