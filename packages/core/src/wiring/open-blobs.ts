import { dirname, join } from "node:path";
import { isValueKey } from "../artifact/payload-check.ts";
import type { SyncBlobStore } from "../storage/blob-store.ts";
import { openFsBlobStore } from "../storage/fs/fs-blob-store.ts";
import { storeLayout } from "../storage/fs/store-folder.ts";
import { CacheFolder } from "../storage/remote/cache-folder.ts";
import { openRemoteBlobStore, type RemoteBlobStore } from "../storage/remote/remote-blob-store.ts";
import { RemoteClient } from "../storage/remote/remote-client.ts";
import { readSweepMark } from "../storage/remote/sweep-mark.ts";
import { connectStorage, type RemotePlace } from "./storage-thread.ts";
import type { StoreLocation } from "./store-location.ts";

/** What is kept of the values of a bucket on this machine, unless a setting says otherwise. */
export const CACHE_BYTES = 10 * 1024 ** 3;

/**
 * The values of a store, in any thread: those of a folder, or those of a bucket with a cache and a spool in the folder. Nothing is
 * touched and nobody asked before the first call.
 *
 * @param isSoon  whether values will be written soon: then what takes a while begins at once
 */
export function openBlobs(location: StoreLocation, isSoon = false): SyncBlobStore {
  const { blobFolder, temporaryFolder, bucket } = location;
  if (bucket === undefined) return openFsBlobStore(blobFolder, { temporaryFolder });
  const cacheBytes = location.cacheBytes ?? CACHE_BYTES;
  const blobs = openRemote({ ...remoteFolders(location), bucket, cacheBytes });
  if (isSoon) blobs.warmUp();
  return blobs;
}

function openRemote(place: RemotePlace): RemoteBlobStore {
  const { cacheFolder, spoolFolder, temporaryFolder, sweepFile, cacheBytes } = place;
  return openRemoteBlobStore({
    client: clientOf(place),
    cache: new CacheFolder({ folder: cacheFolder, temporaryFolder, limitBytes: cacheBytes }),
    spool: openFsBlobStore(spoolFolder, { temporaryFolder, isDurable: false }),
    isContent: isValueKey,
    name: nameOf(place),
    sweepMark: () => readSweepMark(sweepFile),
  });
}

/**
 * The thread that talks to the bucket of a store, past the copies on this machine: for what looks after the bucket itself. Undefined
 * for a store in a folder.
 */
export function openBucketClient(location: StoreLocation): RemoteClient | undefined {
  const { bucket } = location;
  if (bucket === undefined) return undefined;
  return clientOf({ ...remoteFolders(location), bucket, cacheBytes: location.cacheBytes ?? CACHE_BYTES });
}

function clientOf(place: RemotePlace): RemoteClient {
  return new RemoteClient({ name: nameOf(place), connect: (line) => connectStorage({ ...line, place }) });
}

function nameOf({ bucket }: RemotePlace): string {
  return `the store in ${bucket.text}`;
}

/** Where a store in a bucket keeps copies of values, and values that are not uploaded yet. */
export function remoteFolders({
  databaseFile,
  temporaryFolder,
}: StoreLocation): Omit<RemotePlace, "bucket" | "cacheBytes"> {
  const folder = dirname(databaseFile);
  return {
    folder,
    cacheFolder: join(folder, "cache"),
    spoolFolder: join(folder, "spool"),
    temporaryFolder,
    sweepFile: storeLayout(folder).lock,
  };
}
