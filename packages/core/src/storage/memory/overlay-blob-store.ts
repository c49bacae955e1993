import type { BlobStore, ByteRange, SyncBlobStore } from "../blob-store.ts";
import { openMemoryBlobStore } from "./memory-blob-store.ts";

/**
 * A store that reads from another one and writes to memory: what is put here is seen here, and nowhere else. For running
 * code on stored values without leaving a trace.
 */
export function openOverlayBlobStore(base: SyncBlobStore): SyncBlobStore {
  const memory = openMemoryBlobStore();
  const read = (key: string, range?: ByteRange, into?: Uint8Array): Uint8Array | undefined =>
    memory.getSync(key, range) ?? base.getSync(key, range, into);
  const put = (key: string, chunks: readonly Uint8Array[]): "created" | "exists" =>
    base.getSync(key, { start: 0, end: 1 }) === undefined ? memory.putSync(key, chunks) : "exists";
  const hidden: Pick<BlobStore, "list" | "delete" | "getVersioned" | "compareAndSet"> = {
    list: (query) => base.list(query),
    delete: (key) => memory.delete(key),
    getVersioned: (key) => memory.getVersioned(key),
    compareAndSet: (key, bytes, expected) => memory.compareAndSet(key, bytes, expected),
  };
  return {
    ...hidden,
    capabilities: Object.freeze({ ...base.capabilities, persistent: false }),
    getSync: read,
    get: async (key, range, into) => read(key, range, into),
    putSync: put,
    put: async (key, chunks) => put(key, chunks),
    putStream: async (key, pieces) =>
      (await base.stat(key)) === undefined ? await memory.putStream(key, pieces) : "exists",
    replaceSync: (key, chunks) => memory.replaceSync(key, chunks),
    statSync: (key) => memory.statSync(key) ?? base.statSync(key),
    stat: async (key) => (await memory.stat(key)) ?? (await base.stat(key)),
    close: () => memory.close(),
  };
}
