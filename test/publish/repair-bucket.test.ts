/** Repairing a store in a bucket as a whole: what damage of values and of records means for what is written into the bucket again. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type RepairReport, repairStore } from "../../packages/core/src/admin/repair/repair-store.ts";
import type { RunRow } from "../../packages/core/src/metadata/metadata-store.ts";
import { repairRecords } from "../../packages/core/src/metadata/sqlite/audit/repair-records.ts";
import { openSqliteAudit } from "../../packages/core/src/metadata/sqlite/audit/sqlite-audit.ts";
import { openWriter } from "../../packages/core/src/metadata/sqlite/connection.ts";
import { auditBucket } from "../../packages/core/src/publish/audit-bucket.ts";
import { runKey } from "../../packages/core/src/publish/layout.ts";
import { mendBucket } from "../../packages/core/src/publish/mend-bucket.ts";
import { attachStore, publishStore } from "../../packages/core/src/publish/publish-store.ts";
import type { BlobStore } from "../../packages/core/src/storage/blob-store.ts";
import { repairFolder } from "../../packages/core/src/storage/fs/repair-folder.ts";
import { openMemoryBlobStore } from "../../packages/core/src/storage/memory/memory-blob-store.ts";
import {
  artifactOf,
  blobOf,
  digestOf,
  finished,
  newRun,
  started,
  tick,
} from "../conformance/metadata-store/records.ts";
import { closeStore, databaseOf, type FolderStore, keysOf, openFolder } from "./publish-kit.ts";

let folder: string;
let store: FolderStore;
let bucket: BlobStore;
let run: RunRow;
const NAME = "Train/1";

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-repair-bucket-"));
  store = await openFolder(path.join(folder, "store"));
  bucket = openMemoryBlobStore();
  await attachStore(store.metadata, bucket);
  run = await store.metadata.createRun(newRun({}));
  const task = await store.metadata.reserveTasks(1);
  await store.metadata.commitTick(
    tick({
      run: run.sequence,
      started: [started(run, task, { attempt: 1, path: "1" as never })],
      blobs: [blobOf("text")],
      finished: [finished(task, { artifacts: [artifactOf("small", "text")] })],
    }),
  );
  const finishedAt = new Date("2026-05-04T12:00:02.000Z");
  await store.metadata.finishRun({ run: run.sequence, execution: 1, status: "succeeded", finishedAt, endTask: task });
  await publishStore(store, bucket);
});
afterEach(async () => {
  await closeStore(store);
  fs.rmSync(folder, { recursive: true, force: true });
});

/** As `flow store repair`, with the bucket in memory. */
function repair(): Promise<RepairReport> {
  return repairStore({
    ...store,
    folder: repairFolder(store.folder, { isAlive: () => undefined }),
    openAudit: () => openSqliteAudit(databaseOf(store.folder)),
    repairRecords: (repairs) => repairRecords(databaseOf(store.folder), repairs),
    bucketOf: ({ bucket: side }) => ({
      ...auditBucket(bucket, side),
      mend: (mends) => mendBucket({ bucket, metadata: store.metadata, side, putAside: remove }, mends),
    }),
  });
}

const remove = (key: string): Promise<void> => bucket.delete(key);

async function breakObject(key: string): Promise<void> {
  const bytes = Buffer.from((await bucket.get(key))!);
  bytes[bytes.length - 1]! ^= 1;
  await bucket.delete(key);
  await bucket.put(key, [bytes]);
}

function change(sql: string, ...values: readonly unknown[]): void {
  const db = openWriter(databaseOf(store.folder));
  expect(db.prepare(sql).run(...values).changes).toBe(1);
  db.close();
}

const shown = ({ left }: RepairReport) =>
  left.map(({ id, subject, remedy }) => `${id} ${subject.run} ${remedy}`).toSorted();

test("a run with a broken value and a broken manifest is written again", async () => {
  change("UPDATE blob SET stored = ? WHERE digest = ?", Buffer.from("tezt"), Buffer.from(digestOf("text"), "hex"));
  await breakObject(runKey(run.id, 1));
  const report = await repair();
  expect(report.done).toContainEqual(expect.stringContaining(`wrote ${NAME} into the bucket again`));
  expect(shown(report)).toEqual([`S03 ${NAME} rerun`]);
});

test("a run whose records are damaged is left, with the reason, and no repair is advised", async () => {
  change("UPDATE execution SET end_digest = randomblob(32) WHERE run = ?", run.sequence);
  const keys = await keysOf(bucket);
  const report = await repair();
  expect(await keysOf(bucket)).toEqual(keys);
  expect(shown(report)).toEqual([`S11 ${NAME} copy`, `S13 ${NAME} copy`]);
  expect(report.left.find(({ id }) => id === "S13")!.evidence).toContain(`the records of ${NAME} are damaged`);
  expect([report.before.remedies.repair, report.after.remedies.repair]).toEqual([0, 0]);
});

test("a pack is not put aside for a run that the records cannot write", async () => {
  const [pack] = await keysOf(bucket, "packs/");
  await breakObject(pack!);
  const db = openWriter(databaseOf(store.folder));
  db.pragma("foreign_keys = OFF");
  db.prepare("DELETE FROM blob WHERE digest = ?").run(Buffer.from(digestOf("text"), "hex"));
  db.close();
  const keys = await keysOf(bucket);
  const report = await repair();
  expect(report.done).toContainEqual(expect.stringContaining(`could not write ${NAME} into the bucket again`));
  expect(report.done).not.toContainEqual(expect.stringContaining("aside"));
  expect(await keysOf(bucket)).toEqual(keys);
});

test("all broken packs of a run are put aside once it is known that it can be written", async () => {
  const [pack] = await keysOf(bucket, "packs/");
  await breakObject(pack!);
  const earlier = `packs/${run.id}/${"ab".repeat(32)}`;
  await bucket.put(earlier, [Buffer.from("broken")]);
  const report = await repair();
  expect(report.done.filter((what) => what.startsWith("put"))).toEqual(
    [pack, earlier].map((key) => `put "${key}" of the bucket aside`),
  );
  expect([report.ok, await bucket.stat(earlier)]).toEqual([true, undefined]);
});
