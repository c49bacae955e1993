import { storeLayout } from "../storage/fs/store-folder.ts";

/** Where the parts of an embedded store lie: plain data, so that a worker can be told and open them itself. */
export interface StoreLocation {
  readonly databaseFile: string;
  /** Where the keys of blobs start: they begin with `blobs/` themselves. */
  readonly blobFolder: string;
  /** Where blobs are written aside; on the same file system as the blob folder. */
  readonly temporaryFolder: string;
}

export function locateStore(folder: string): StoreLocation {
  const layout = storeLayout(folder);
  return { databaseFile: layout.database, blobFolder: layout.folder, temporaryFolder: layout.temporary };
}
