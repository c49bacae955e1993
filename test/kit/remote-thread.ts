/**
 * An I/O thread over a folder that stands for a bucket: the service that the real one has, with a delay before each request and
 * with faults that the test asks for, all counted in shared memory.
 */
import { setTimeout as wait } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import { payloadCheck } from "../../packages/core/src/artifact/payload-check.ts";
import { FlowError } from "../../packages/core/src/errors/flow-error.ts";
import type { BlobStore } from "../../packages/core/src/storage/blob-store.ts";
import { openFsBlobStore } from "../../packages/core/src/storage/fs/fs-blob-store.ts";
import { CacheFolder } from "../../packages/core/src/storage/remote/cache-folder.ts";
import type { RemoteLine } from "../../packages/core/src/storage/remote/messages.ts";
import { RemoteService } from "../../packages/core/src/storage/remote/remote-service.ts";
import { serveLine } from "../../packages/core/src/storage/remote/serve-line.ts";
import { readSweepMark } from "../../packages/core/src/storage/remote/sweep-mark.ts";
import { FLIPS, IN_FLIGHT, MOST_IN_FLIGHT, REFUSALS, REQUESTS, type RemoteThreadData } from "./remote-store.ts";

/** Opened services, by the folder of their bucket: one thread serves the tests of a file. */
const services = new Map<string, RemoteService>();

parentPort!.on("message", ({ line, data }: { readonly line: RemoteLine; readonly data: RemoteThreadData }) => {
  const service = services.get(data.bucket) ?? open(data);
  services.set(data.bucket, service);
  serveLine(line, Promise.resolve(service));
});

function open({
  bucket,
  cache,
  spool,
  temporary,
  latencyMs,
  cacheBytes,
  restMs,
  mark,
  counters,
}: RemoteThreadData): RemoteService {
  const service = new RemoteService({
    store: slowStore(bucket, latencyMs, new Int32Array(counters)),
    cache: new CacheFolder({ folder: cache, temporaryFolder: temporary, limitBytes: cacheBytes, restMs }),
    spool: openFsBlobStore(spool, { temporaryFolder: temporary, isDurable: false }),
    spoolFolder: spool,
    checkOf: payloadCheck,
    sweepMark: () => readSweepMark(mark),
  });
  service.dropForgotten().catch(() => {});
  return service;
}

function slowStore(bucket: string, latencyMs: number, counts: Int32Array): BlobStore {
  const folder = openFsBlobStore(bucket, { isDurable: false });

  /** Requests take their time, and are counted. */
  async function request<T>(work: () => Promise<T>): Promise<T> {
    Atomics.add(counts, REQUESTS, 1);
    const inFlight = Atomics.add(counts, IN_FLIGHT, 1) + 1;
    if (inFlight > Atomics.load(counts, MOST_IN_FLIGHT)) Atomics.store(counts, MOST_IN_FLIGHT, inFlight);
    try {
      if (latencyMs > 0) await wait(latencyMs);
      if (takeOne(REFUSALS))
        throw new FlowError("FLOW_STORAGE_UNAVAILABLE", {
          message: "Cannot reach the bucket: it was planned to fail",
          context: { isTransient: true },
        });
      return await work();
    } finally {
      Atomics.sub(counts, IN_FLIGHT, 1);
    }
  }

  /** Whether one more of what was planned is left. */
  function takeOne(word: number): boolean {
    if (Atomics.load(counts, word) <= 0) return false;
    Atomics.sub(counts, word, 1);
    return true;
  }

  return {
    capabilities: { ...folder.capabilities, synchronous: false, remote: true },
    put: (key, chunks) => request(() => folder.put(key, chunks)),
    putStream: (key, pieces) => request(() => folder.putStream(key, pieces)),
    get: (key, range) =>
      request(async () => {
        const bytes = await folder.get(key, range);
        if (bytes !== undefined && bytes.byteLength > 0 && takeOne(FLIPS)) bytes[bytes.byteLength >> 1]! ^= 1;
        return bytes;
      }),
    stat: (key) => request(() => folder.stat(key)),
    list: (query) => request(() => folder.list(query)),
    delete: (key) => request(() => folder.delete(key)),
    getVersioned: (key) => request(() => folder.getVersioned(key)),
    compareAndSet: (key, bytes, expected) => request(() => folder.compareAndSet(key, bytes, expected)),
    close: () => folder.close(),
  };
}
