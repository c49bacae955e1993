/** Processes that tell one bucket: of one machine with the same records, and of two that went apart while both live on. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { takeTellingLock } from "../../packages/core/src/metadata/sqlite/telling-lock.ts";
import type { BlobStore } from "../../packages/core/src/storage/blob-store.ts";
import { storeLayout } from "../../packages/core/src/storage/fs/store-folder.ts";
import { openMemoryBlobStore } from "../../packages/core/src/storage/memory/memory-blob-store.ts";
import { publishingRecords } from "../../packages/core/src/wiring/publishing-records.ts";
import { closeStore, type FolderStore, openFolder, rebuildInto } from "./publish-kit.ts";

let folder: string;
let open: FolderStore[];
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-turns-"));
  open = [];
});
afterEach(async () => {
  for (const store of open) await closeStore(store);
  fs.rmSync(folder, { recursive: true, force: true });
});

async function opened(name: string): Promise<FolderStore> {
  const store = await openFolder(path.join(folder, name));
  open.push(store);
  return store;
}

const policy = (pattern: string) =>
  ({ actor: "a", host: "h", at: new Date(), via: "t", policy: { pattern, protected: true } }) as const;

/** A service that ignores conditions, behind a back-end that looks before it writes. */
function ignorant(): BlobStore {
  const bucket = openMemoryBlobStore();
  return Object.assign(Object.create(bucket) as BlobStore, {
    capabilities: { ...bucket.capabilities, createOnce: "checked" },
    async put(key: string, chunks: readonly Uint8Array[]): Promise<"created" | "exists"> {
      if ((await bucket.stat(key)) !== undefined) return "exists";
      await turn();
      await bucket.delete(key);
      await bucket.put(key, chunks);
      return "created";
    },
    stat: (key: string) => bucket.stat(key),
    get: (key: string) => bucket.get(key),
    list: (query: Parameters<BlobStore["list"]>[0]) => bucket.list(query),
    delete: (key: string) => bucket.delete(key),
  });
}

test("where a service ignores conditions, processes of one machine tell the bucket one after the other", async () => {
  const bucket = ignorant();
  const untold: unknown[] = [];
  const processes = [await opened("store"), await opened("store"), await opened("store")].map(({ metadata }) =>
    publishingRecords(metadata, {
      openBucket: async () => bucket,
      onUntold: (error) => untold.push(error),
      lock: () => takeTellingLock(storeLayout(path.join(folder, "store")).telling),
    }),
  );
  const patterns = processes.map((_, at) => Array.from({ length: 8 }, (_, index) => `p${at}-${index}`));
  await Promise.all(
    processes.map(async ({ metadata }, at) => {
      for (const pattern of patterns[at]!) await metadata.setTagPolicy(policy(pattern));
    }),
  );
  expect(untold).toEqual([]);
  await rebuildInto(bucket, path.join(folder, "out"));
  const rebuilt = (await (await opened("out")).metadata.tagPolicies()).map(({ pattern }) => pattern);
  expect(rebuilt.toSorted()).toEqual(patterns.flat().toSorted());
});

test("a process that waits for its turn too long is told so", async () => {
  const file = path.join(folder, "tell.lock");
  const held = await takeTellingLock(file);
  await expect(takeTellingLock(file, 50)).rejects.toMatchObject({ code: "FLOW_METADATA_BUSY" });
  held.release();
  (await takeTellingLock(file, 50)).release();
});

test("a program that lives on learns of another copy of the store before its next move, and not after it", async () => {
  const bucket = openMemoryBlobStore();
  const publishing = ({ metadata }: FolderStore) =>
    publishingRecords(metadata, { openBucket: async () => bucket, onUntold: () => {} });
  await publishing(await opened("store")).metadata.setTagPolicy(policy("before"));
  await closeStore(open.pop()!);
  fs.cpSync(path.join(folder, "store"), path.join(folder, "copy"), { recursive: true });
  const store = await opened("store");
  const [here, there] = [publishing(store), publishing(await opened("copy"))];
  await here.tell(); // It has looked once.
  await there.metadata.setTagPolicy(policy("there"));
  await expect(here.metadata.setTagPolicy(policy("here"))).rejects.toMatchObject({ code: "FLOW_PUBLISH_FORKED" });
  expect((await store.metadata.tagPolicies()).map(({ pattern }) => pattern)).toEqual(["before"]);
});
