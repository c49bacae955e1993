/** What a bucket is owed when it refuses: manifests of runs that ended, and that nothing stays of runs that were deleted. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { deleteRuns } from "../../packages/core/src/admin/gc/delete-runs.ts";
import type { RunRow } from "../../packages/core/src/metadata/metadata-store.ts";
import { openWriter } from "../../packages/core/src/metadata/sqlite/connection.ts";
import { openSqliteDeletion } from "../../packages/core/src/metadata/sqlite/deletion/open-deletion.ts";
import type { BlobStore } from "../../packages/core/src/storage/blob-store.ts";
import { openMemoryBlobStore } from "../../packages/core/src/storage/memory/memory-blob-store.ts";
import { type PublishingRecords, publishingRecords } from "../../packages/core/src/wiring/publishing-records.ts";
import { artifactOf, blobOf, finished, newRun, runner, started, tick } from "../conformance/metadata-store/records.ts";
import { closeStore, databaseOf, type FolderStore, keysOf, openFolder, rebuildInto } from "./publish-kit.ts";

const at = new Date("2026-05-04T12:00:02.000Z");
const by = { actor: "ann", host: "mill", at, via: "flow test" };
let folder: string;
let store: FolderStore;
let bucket: BlobStore;
/** Calls that fail. */
let refuses: (name: string, key: string) => boolean;

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-debts-"));
  store = await openFolder(path.join(folder, "store"));
  bucket = openMemoryBlobStore();
  refuses = () => false;
});
afterEach(async () => {
  await closeStore(store);
  fs.rmSync(folder, { recursive: true, force: true });
});

function publishing(untold: unknown[] = []): PublishingRecords {
  const refusing = new Proxy(bucket, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown =>
        refuses(String(name), String(args[0])) ? Promise.reject(new Error("down")) : Reflect.apply(value, target, args);
    },
  });
  return publishingRecords(store.metadata, {
    openBucket: async () => refusing,
    onUntold: (error) => void untold.push(error),
  });
}

async function aRun(
  { metadata }: PublishingRecords,
  status: "failed" | "succeeded",
  facts: Parameters<typeof newRun>[0] = {},
): Promise<RunRow> {
  const run = await metadata.createRun(newRun(facts));
  const task = await metadata.reserveTasks(1);
  await metadata.commitTick(
    tick({
      run: run.sequence,
      started: [started(run, task, { attempt: 1, path: "1" as never })],
      blobs: [blobOf("small")],
      finished: [finished(task, { artifacts: [artifactOf("small", "small")] })],
    }),
  );
  const end = status === "succeeded" ? { endTask: task } : {};
  return await metadata.finishRun({ run: run.sequence, execution: 1, status, finishedAt: at, ...end });
}

async function writeSomething({ metadata }: PublishingRecords, pattern: string): Promise<void> {
  await metadata.setTagPolicy({ ...by, policy: { pattern, protected: true } });
}

test("the manifest of a failed run that the bucket refused is written by the next command, and not again", async () => {
  const untold: unknown[] = [];
  refuses = (name, key) => name === "put" && key.startsWith("runs/");
  const run = await aRun(publishing(untold), "failed");
  expect([untold.length, await keysOf(bucket, "runs/")]).toEqual([1, []]);
  refuses = () => false;
  await writeSomething(publishing(untold), "a");
  expect(await keysOf(bucket, "runs/")).toEqual([`runs/${run.id}/1`]);
  expect(await store.metadata.bucket.news(1)).toEqual([]);
  await writeSomething(publishing(untold), "b");
  expect([untold.length, await keysOf(bucket, "runs/")]).toEqual([1, [`runs/${run.id}/1`]]);
  await rebuildInto(bucket, path.join(folder, "out"));
  const out = await openFolder(path.join(folder, "out"));
  expect(await out.metadata.runs({})).toMatchObject([{ id: run.id, status: "failed" }]);
  await closeStore(out);
});

test("a run that ended while nobody could be told, and goes on, is no debt any more", async () => {
  const open = publishing();
  refuses = (name, key) => name === "put" && key.startsWith("runs/");
  const run = await aRun(open, "failed");
  refuses = () => false;
  await store.metadata.beginExecution({ run: run.sequence, actor: "a", at, runner, command: [] } as never);
  await writeSomething(publishing(), "a");
  expect([await keysOf(bucket, "runs/"), await store.metadata.bucket.news(1)]).toEqual([[], []]);
});

test("what lies there of a deleted run goes with the next command when the bucket refused that", async () => {
  const run = await aRun(publishing(), "succeeded");
  expect(await keysOf(bucket, `packs/${run.id}/`)).toHaveLength(1);
  const file = databaseOf(store.folder);
  const liveness = { self: runner, now: () => 0, isAlive: () => undefined };
  const deletion = openSqliteDeletion(file, { lockFile: `${file}.lock`, liveness } as never);
  const deleting = publishing();
  await deleteRuns(deletion, [run.sequence], { by }).finally(() => deletion.close());
  refuses = (name) => name === "delete";
  await deleting.settle();
  expect(await keysOf(bucket, `packs/${run.id}/`)).toHaveLength(1);
  refuses = () => false;
  await writeSomething(publishing(), "a");
  expect([await keysOf(bucket, "packs/"), await keysOf(bucket, "runs/")]).toEqual([[], []]);
});

test("an ended run that nobody can write holds up no other one", async () => {
  const untold: unknown[] = [];
  refuses = (name, key) => name === "put" && key.startsWith("packs/");
  const broken = await aRun(publishing(untold), "failed");
  refuses = () => false;
  await bucket.put(`packs/${broken.id}/${"0".repeat(64)}`, [Buffer.from("no pack")]);
  await aRun(publishing(untold), "succeeded");
  expect(untold).toMatchObject([{ message: "down" }, { code: "FLOW_PUBLISH_DAMAGED" }]);
  expect(await store.metadata.bucket.news(1)).toEqual([]);
});

test("what was recorded is read again, however long its texts are", async () => {
  const long = "p".repeat(150_000);
  const open = publishing();
  const { environment } = newRun();
  const run = await aRun(open, "succeeded", { environment: { ...environment, command: ["run", long] } });
  await open.metadata.moveTags({ ...by, run: run.sequence, add: ["a"], remove: [], reason: long });
  await rebuildInto(bucket, path.join(folder, "out"));
  const out = await openFolder(path.join(folder, "out"));
  expect((await out.metadata.runs({}))[0]?.environment.command).toEqual(["run", long]);
  expect(await out.metadata.tagEvents({})).toEqual(await store.metadata.tagEvents({}));
  await closeStore(out);
});

test("what nobody could read is written nowhere", async () => {
  const untold: unknown[] = [];
  const open = publishing(untold);
  const run = await aRun(open, "succeeded");
  const log = await keysOf(bucket, "log/");
  // What comes in by the door is short enough.
  const records = openWriter(databaseOf(store.folder));
  const long = JSON.stringify({ kind: "flow-name", project: "p", name: "n".repeat(4 * 1024 * 1024), flow: 1 });
  records.prepare("INSERT INTO bucket_news (line) VALUES (?)").run(long);
  records.close();
  await open.metadata.moveTags({ ...by, run: run.sequence, add: ["a"], remove: [] });
  expect([untold, await keysOf(bucket, "log/")]).toMatchObject([[{ code: "FLOW_INTERNAL" }], log]);
});
