/** Entry file of the thread that talks to buckets. It loads the library of a service when a store in one is opened. */
import { enableCompileCache, flushCompileCache } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import { payloadCheck } from "../artifact/payload-check.ts";
import { type ConditionalWrites, noteBucket, notedWrites } from "../config/bucket-folder.ts";
import type { BucketUrl } from "../config/bucket-url.ts";
import { isFlowError } from "../errors/flow-error.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { openFsBlobStore } from "../storage/fs/fs-blob-store.ts";
import { CacheFolder } from "../storage/remote/cache-folder.ts";
import { RemoteService } from "../storage/remote/remote-service.ts";
import { serveLine } from "../storage/remote/serve-line.ts";
import { readSweepMark } from "../storage/remote/sweep-mark.ts";
import { openBucket, probeBucket } from "./open-bucket.ts";
import type { RemotePlace, StorageLine, StorageThreadData } from "./storage-thread.ts";

const { compileCache } = workerData as StorageThreadData;
if (compileCache !== undefined) enableCompileCache(compileCache);

/** By what is opened; one that could not be opened is tried again with the next line. */
const services = new Map<string, Promise<RemoteService>>();

parentPort!.on("message", (line: StorageLine) => {
  const key = JSON.stringify([line.place.bucket.text, line.place.cacheFolder]);
  const service = services.get(key) ?? open(line.place);
  services.set(key, service);
  service.catch(() => services.delete(key));
  serveLine(line, service);
});

async function open({
  bucket,
  folder,
  cacheFolder,
  spoolFolder,
  temporaryFolder,
  sweepFile,
  cacheBytes,
}: RemotePlace): Promise<RemoteService> {
  const cache = new CacheFolder({ folder: cacheFolder, temporaryFolder, limitBytes: cacheBytes });
  cache.look(); // A process that ends soon after it has added something makes no room itself.
  const service = new RemoteService({
    store: await openNoted(bucket, folder),
    cache,
    spool: openFsBlobStore(spoolFolder, { temporaryFolder, isDurable: false }),
    spoolFolder,
    checkOf: payloadCheck,
    sweepMark: () => readSweepMark(sweepFile),
  });
  // This thread ends with its process, without a last word in which to keep what was compiled.
  if (compileCache !== undefined) flushCompileCache();
  service.dropForgotten().catch(() => {}); // A folder that cannot be listed is told of by whoever puts something there.
  return service;
}

/** Opens a bucket as what its service makes of conditional writes asks for; that is found out once for each folder of records. */
async function openNoted(bucket: BucketUrl, folder: string): Promise<BlobStore> {
  const probe = notedWrites(folder, bucket) ?? (await probeOnce(bucket, folder));
  return await openBucket(bucket, probe === undefined ? {} : { probe });
}

async function probeOnce(bucket: BucketUrl, folder: string): Promise<ConditionalWrites | undefined> {
  try {
    const { createOnce, compareAndSet, warning } = await probeBucket(bucket);
    noteBucket(folder, bucket, { createOnce, compareAndSet });
    if (warning !== undefined) parentPort!.postMessage(`${bucket.text}: ${warning}`);
    return { createOnce, compareAndSet };
  } catch (error) {
    // Who may only read has no use for what writes do.
    if (isFlowError(error, "FLOW_STORAGE_CREDENTIALS") || isFlowError(error, "FLOW_STORAGE_DENIED")) return undefined;
    throw error;
  }
}
