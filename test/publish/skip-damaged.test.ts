/** A bucket that has lost something: what is whole of it comes back when that is asked for, and what is left out is named. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { blobKey } from "../../packages/core/src/artifact/blob-layout.ts";
import type { NewRun, RunRow } from "../../packages/core/src/metadata/metadata-store.ts";
import { logKey, runKey } from "../../packages/core/src/publish/layout.ts";
import { attachStore, publishStore } from "../../packages/core/src/publish/publish-store.ts";
import type { BlobStore } from "../../packages/core/src/storage/blob-store.ts";
import { openMemoryBlobStore } from "../../packages/core/src/storage/memory/memory-blob-store.ts";
import { rebuildRecords } from "../../packages/core/src/wiring/rebuild-records.ts";
import {
  artifactOf,
  blobOf,
  digestOf,
  finished,
  newRun,
  started,
  tick,
} from "../conformance/metadata-store/records.ts";
import {
  BY,
  bucketFaultsOf,
  closeStore,
  databaseOf,
  type FolderStore,
  findingsOf,
  keysOf,
  openFolder,
} from "./publish-kit.ts";

const at = new Date("2026-05-04T12:00:02.000Z");
const LARGE = "x".repeat(20_000);
const OTHER = "y".repeat(20_000);
let folder: string;
let store: FolderStore;
let bucket: BlobStore;

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-skip-damaged-"));
  store = await openFolder(path.join(folder, "store"));
  bucket = openMemoryBlobStore();
  await attachStore(store.metadata, bucket);
});
afterEach(async () => {
  await closeStore(store);
  fs.rmSync(folder, { recursive: true, force: true });
});

async function aRun(text: string, changes: Partial<NewRun> = {}): Promise<RunRow> {
  const { metadata, blobs } = store;
  const run = await metadata.createRun(newRun(changes));
  const task = await metadata.reserveTasks(1);
  const { stored, ...large } = blobOf(text);
  const isLarge = text.length > 16_384;
  if (isLarge) await blobs.put(blobKey(large.digest, "none"), [stored!]);
  await metadata.commitTick(
    tick({
      run: run.sequence,
      started: [started(run, task, { attempt: 1, path: "1" as never })],
      blobs: [isLarge ? large : { ...large, stored: stored! }],
      finished: [finished(task, { artifacts: [artifactOf("value", text)] })],
    }),
  );
  return await metadata.finishRun({
    run: run.sequence,
    execution: 1,
    status: "succeeded",
    finishedAt: at,
    endTask: task,
  });
}

/** Four runs: two have one large value, the third reads from the first, the fourth stands alone. */
async function four(): Promise<readonly RunRow[]> {
  const first = await aRun(LARGE, { tags: ["prod:v1"] });
  const second = await aRun(LARGE);
  const pin = {
    name: "a",
    flow: first.flow,
    selector: { kind: "tags", tags: ["prod:v1"] },
    candidateCount: 1,
    candidates: [],
  };
  const third = await aRun("small", { upstreams: [{ ...pin, producer: first.id, resolvedAt: at } as never] });
  const fourth = await aRun(OTHER, { tags: ["eu"] });
  await publishStore(store, bucket);
  return [first, second, third, fourth];
}

async function rebuild(name: string, skipDamaged: boolean) {
  fs.mkdirSync(path.join(folder, name));
  const report = await rebuildRecords(bucket, databaseOf(path.join(folder, name)), { ...BY, skipDamaged });
  const built = await openFolder(path.join(folder, name));
  const runs = await built.metadata.runs({ limit: 9 });
  await closeStore(built);
  return { report, runs: runs.map(({ number, tags }) => `${number} ${tags}`.trim()).sort() };
}

const refusal = async (skipDamaged: boolean): Promise<any> =>
  await rebuild(`refused-${skipDamaged}`, skipDamaged).then(
    () => undefined,
    (error: unknown) => error,
  );

test("a value that is gone takes all runs along that have it, and no others; who reads from them is named", async () => {
  const [first, second] = await four();
  await bucket.delete(blobKey(digestOf(LARGE), "none"));
  const refused = await refusal(false);
  expect(refused).toMatchObject({ code: "FLOW_PUBLISH_DAMAGED", hint: expect.stringContaining("--skip-damaged") });
  const { report, runs } = await rebuild("out", true);
  expect(runs).toEqual(["3", "4 eu"]);
  const why = expect.stringContaining(`the value ${digestOf(LARGE)} is not in the bucket`);
  expect(report).toMatchObject({ runs: 2, unread: [] });
  expect(report.leftOut).toEqual([
    { id: first!.id, run: "Train/1", why, usedBy: ["Train/3"] },
    { id: second!.id, run: "Train/2", why, usedBy: [] },
  ]);
  const values = path.join(folder, "out", "blobs/sha256", digestOf(OTHER).slice(0, 2));
  fs.mkdirSync(values, { recursive: true, mode: 0o700 });
  fs.writeFileSync(path.join(values, digestOf(OTHER)), OTHER, { mode: 0o600 });
  expect((await findingsOf(path.join(folder, "out"))).filter((finding) => finding.includes('"damage"'))).toEqual([]);
});

test.each([
  ["manifest that is broken", async (run: RunRow) => await breakObject(runKey(run.id, 1))],
  ["pack that is gone", async (run: RunRow) => await bucket.delete((await keysOf(bucket, `packs/${run.id}/`))[0]!)],
])("a %s leaves one run out, and its objects stay in the bucket", async (_what, harm) => {
  const runs = await four();
  await harm(runs[2]!);
  const keys = await keysOf(bucket);
  expect(await refusal(false)).toMatchObject({ code: "FLOW_PUBLISH_DAMAGED" });
  const built = await rebuild("out", true);
  expect(built.runs).toEqual(["1 prod:v1", "2", "4 eu"]);
  expect(built.report.leftOut).toMatchObject([{ run: "Train/3", usedBy: [] }]);
  // What the new records say is told with the next run, and takes nothing away.
  await closeStore(store);
  store = await openFolder(path.join(folder, "out"));
  expect(await bucketFaultsOf(store.folder, bucket)).not.toContainEqual(expect.stringContaining("damage"));
  await publishStore(store, bucket);
  expect(await keysOf(bucket)).toEqual(expect.arrayContaining([...keys]));
});

test("what is whole is built in one go, and what no run can be blamed for is refused all the same", async () => {
  await four();
  expect((await rebuild("whole", true)).report.leftOut).toEqual([]);
  await breakObject(logKey(1));
  const refused = await refusal(true);
  expect(refused).toMatchObject({ code: "FLOW_PUBLISH_DAMAGED" });
  expect(refused.hint).not.toContain("--skip-damaged");
});

async function breakObject(key: string): Promise<void> {
  const bytes = Buffer.from((await bucket.get(key))!);
  await bucket.delete(key);
  bytes[bytes.length - 1]! ^= 1;
  await bucket.put(key, [bytes]);
}
