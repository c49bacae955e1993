import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSqliteMetadata } from "../../../packages/core/src/metadata/sqlite/sqlite-metadata.ts";
import { verifyTagLog } from "../../../packages/core/src/metadata/tag-chain.ts";
import { openFsBlobStore } from "../../../packages/core/src/storage/fs/fs-blob-store.ts";
import { storeLayout } from "../../../packages/core/src/storage/fs/store-folder.ts";
import { digestOf } from "../../conformance/metadata-store/records.ts";
import { readEverything } from "../read-everything.ts";

const here = path.dirname(new URL(import.meta.url).pathname);
const expected = JSON.parse(fs.readFileSync(path.join(here, "expected.json"), "utf8"));
let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-golden-"));
  fs.cpSync(path.join(here, "store"), folder, { recursive: true });
});

afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

test.each([true, false])("a store of schema 8 is read to the last field (read-only: %s)", async (readonly) => {
  const layout = storeLayout(folder);
  const store = await openSqliteMetadata(layout.database, { readonly });
  const blobs = openFsBlobStore(layout.folder);
  expect(await readEverything(store, blobs)).toEqual(expected);
  expect(verifyTagLog((await store.tagEvents({})).toReversed())).toMatchObject({ kind: "whole", events: 10 });
  expect(await store.cacheEntries(digestOf("key"), 9)).toMatchObject([{ reads: { rows: "text:1" } }]);
  const call = { run: 2 as never, step: "fold", path: "4", call: 0, inputsDigest: digestOf("inputs") };
  expect(await store.childRun(call)).toMatchObject({ flow: { name: "Generate" }, number: 2 });
  const [deleted] = await store.deletedRunsByNumber({ project: "shop", name: "Short" }, 2);
  expect(deleted).toMatchObject({ actor: "ann", host: "north", via: "flow runs delete", reason: "größer", status: "failed" });
  expect(await store.deletedRun(deleted!.id)).toEqual(deleted);
  await store.close();
});

test("the digests over its records are those that this program computes", async () => {
  const store = await openSqliteMetadata(storeLayout(folder).database, { readonly: true });
  const runs = await store.runs({});
  const faults = await Promise.all(runs.map(async ({ sequence }) => await store.recordFaults(sequence)));
  expect(faults.flat().filter((fault) => !fault.includes("and its pages hold"))).toEqual([]);
  const digests = await Promise.all(runs.map(async ({ sequence }) => await store.recordDigests(sequence)));
  expect(digests.every(({ start }) => start !== undefined)).toBe(true);
  expect(digests.filter(({ end }) => end !== undefined).length).toBeGreaterThan(2);
  expect(digests.reduce((sum, { tasks }) => sum + tasks.size, 0)).toBeGreaterThan(5);
  await store.close();
});

test("it holds what schema 8 is for", () => {
  const all = JSON.stringify(expected);
  for (const status of ["succeeded", "failed", "caught", "skipped", "cancelled", "running"])
    expect(all).toContain(`"status":"${status}"`);
  for (const field of ["origin", "parent", "valueReads", "cancelledBy", "durationMs", "packageDigest"])
    expect(all).toContain(`"${field}":`);
  expect(expected.runs.map((run: { executions: unknown[] }) => run.executions.length)).toEqual([1, 1, 1, 2, 1]);
  expect(all).toContain('"gone":{"reason":"transient"');
  expect(all).toContain('"gone":{"reason":"ttl"');
  expect(expected.policies.map(({ pattern }: { pattern: string }) => pattern)).toEqual(["gold", "prod:*"]);
  expect(expected.tagEvents.map(({ verb }: { verb: string }) => verb)).toEqual(
    expect.arrayContaining(["add", "remove", "set-policy", "remove-policy"]),
  );
  expect(expected.webhooks).toMatchObject([{ pattern: "prod:*", secretEnv: "HOOK_SECRET", waiting: 1 }]);
  expect(all).toContain('"tagRequests":[{"tag":"prod:v1"');
  expect(all).toContain('"metrics":[{"name":"loss"');
  expect(all).toContain('"signatures":[{"keyId":"');
});
