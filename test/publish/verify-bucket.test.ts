/** A bucket held against the records of its store: what verify finds there besides values, and what repair writes again. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { blobKey } from "../../packages/core/src/artifact/blob-layout.ts";
import type { BucketFault, BucketMend } from "../../packages/core/src/metadata/bucket-audit.ts";
import type { RunRow } from "../../packages/core/src/metadata/metadata-store.ts";
import { openSqliteAudit } from "../../packages/core/src/metadata/sqlite/audit/sqlite-audit.ts";
import { openWriter } from "../../packages/core/src/metadata/sqlite/connection.ts";
import { takeTellingLock } from "../../packages/core/src/metadata/sqlite/telling-lock.ts";
import { auditBucket } from "../../packages/core/src/publish/audit-bucket.ts";
import { IDENTITY_KEY, logKey, runKey } from "../../packages/core/src/publish/layout.ts";
import { type BucketToMend, mendBucket } from "../../packages/core/src/publish/mend-bucket.ts";
import { attachStore, publishStore } from "../../packages/core/src/publish/publish-store.ts";
import type { BlobStore } from "../../packages/core/src/storage/blob-store.ts";
import { storeLayout } from "../../packages/core/src/storage/fs/store-folder.ts";
import { openMemoryBlobStore } from "../../packages/core/src/storage/memory/memory-blob-store.ts";
import { publishingRecords } from "../../packages/core/src/wiring/publishing-records.ts";
import { artifactOf, blobOf, finished, newRun, started, tick } from "../conformance/metadata-store/records.ts";
import {
  bucketFaultsOf,
  closeStore,
  databaseOf,
  exportsOf,
  type FolderStore,
  keysOf,
  openFolder,
  rebuildInto,
} from "./publish-kit.ts";

const at = new Date("2026-05-04T12:00:02.000Z");
let folder: string;
let store: FolderStore;
let bucket: BlobStore;
let first: RunRow;

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-verify-bucket-"));
  store = await openFolder(path.join(folder, "store"));
  bucket = openMemoryBlobStore();
  await attachStore(store.metadata, bucket);
  first = await aRun("first", ["prod:v1"]);
  await aRun("second");
  await publishStore(store, bucket);
});
afterEach(async () => {
  await closeStore(store);
  fs.rmSync(folder, { recursive: true, force: true });
});

async function aRun(text: string, tags: readonly string[] = [], on = store.metadata): Promise<RunRow> {
  const run = await on.createRun(newRun({ tags }));
  const task = await on.reserveTasks(1);
  await on.commitTick(
    tick({
      run: run.sequence,
      started: [started(run, task, { attempt: 1, path: "1" as never })],
      blobs: [blobOf(text)],
      finished: [finished(task, { artifacts: [artifactOf("small", text)] })],
    }),
  );
  return await on.finishRun({ run: run.sequence, execution: 1, status: "succeeded", finishedAt: at, endTask: task });
}

async function faultsOf(isRead = false, from: BlobStore = bucket): Promise<readonly BucketFault[]> {
  const audit = openSqliteAudit(databaseOf(store.folder));
  const found: BucketFault[] = [];
  for await (const fault of auditBucket(from, audit.bucket).faults({ isRead: () => isRead })) found.push(fault);
  await audit.close();
  return found;
}

/** Faults as `S13 damage repair packs/…`, with `‹run›` for the first run. */
const shown = (faults: readonly BucketFault[]) =>
  faults.map(({ check, kind, remedy, subject }) =>
    [check, kind, remedy, subject.file?.replace(first.id, "‹run›").replace(/[0-9a-f]{64}/, "‹digest›")]
      .filter((word) => word !== undefined)
      .join(" "),
  );

const aside = new Map<string, Uint8Array>();
/** Happens while an object is put aside. */
let meanwhile: (() => Promise<void>) | undefined;
async function mend(mends: readonly BucketMend[], lock?: BucketToMend["lock"]): Promise<readonly string[]> {
  const audit = openSqliteAudit(databaseOf(store.folder));
  aside.clear();
  const putAside = async (key: string): Promise<void> => {
    const bytes = await bucket.get(key);
    if (bytes === undefined) return;
    await meanwhile?.();
    aside.set(key, bytes);
    await bucket.delete(key);
  };
  const to = {
    bucket,
    metadata: store.metadata,
    side: audit.bucket,
    putAside,
    ...(lock === undefined ? {} : { lock }),
  };
  const done = await mendBucket(to, mends);
  await audit.close();
  return done;
}

/** Finds what is expected, mends it, finds nothing any more, and builds the same records from the bucket. */
async function findAndMend(expected: readonly string[], isRead = false): Promise<readonly string[]> {
  const faults = await faultsOf(isRead);
  expect(shown(faults)).toEqual(expected);
  const done = await mend(faults.flatMap(({ mend }) => mend ?? []));
  expect(shown(await faultsOf(true))).toEqual([]);
  await rebuildInto(bucket, path.join(folder, "rebuilt"));
  const rebuilt = await openFolder(path.join(folder, "rebuilt"));
  expect(await exportsOf(rebuilt)).toEqual(await exportsOf(store));
  expect(await bucketFaultsOf(rebuilt.folder, bucket)).toEqual([]);
  await closeStore(rebuilt);
  return done;
}

async function change(key: string, make: (bytes: Buffer) => Uint8Array): Promise<void> {
  const bytes = Buffer.from((await bucket.get(key))!);
  await bucket.delete(key);
  await bucket.put(key, [make(bytes)]);
}

const flip = (at: number) => (bytes: Buffer) => {
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  return bytes;
};
const only = async (prefix: string): Promise<string> => (await keysOf(bucket, prefix))[0]!;

test("a bucket that was told everything has nothing to be said of it", async () => {
  expect(shown(await faultsOf(true))).toEqual([]);
});

test.each([
  ["one changed byte in", (bytes: Buffer) => flip(bytes.length >> 1)(bytes)],
  ["three bytes less of", (bytes: Buffer) => bytes.subarray(0, -3)],
  ["nothing but the name of", () => Buffer.alloc(0)],
  ["the loss of", undefined],
])("%s any object is found and mended", async (_what, harm) => {
  for (const key of await keysOf(bucket)) {
    if ((await bucket.get(key)) === undefined) continue; // Put aside with another one.
    if (harm === undefined) await bucket.delete(key);
    else await change(key, harm);
    const faults = await faultsOf(true);
    const found = faults.filter(({ kind }) => kind === "damage").map(({ subject }) => subject.file);
    expect([key, found.length > 0]).toEqual([key, true]);
    await mend(faults.flatMap(({ mend }) => mend ?? []));
    expect([key, shown(await faultsOf(true))]).toEqual([key, []]);
  }
});

describe("a run that ended", () => {
  test("whose manifest was deleted is damage, and is written again", async () => {
    const key = runKey(first.id, 1);
    await bucket.delete(key);
    await findAndMend(["S13 damage repair runs/‹run›/1"]);
    expect(await bucket.stat(key)).toBeDefined();
  });

  test("whose manifest cannot be read is written beside it", async () => {
    await change(runKey(first.id, 1), flip(-1));
    await findAndMend(["S13 damage repair runs/‹run›/1"]);
    expect(await keysOf(bucket, `runs/${first.id}/`)).toEqual([runKey(first.id, 1), runKey(first.id, 1, 1)]);
  });

  test("whose manifest is of another one is written beside it", async () => {
    const second = (await store.metadata.runs({ limit: 2 }))[0]!;
    const other = (await bucket.get(runKey(second.id, 1)))!;
    await change(runKey(first.id, 1), () => other);
    const done = await findAndMend(["S13 damage repair runs/‹run›/1"]);
    expect(done).toEqual([expect.stringContaining(`"${runKey(first.id, 1, 1)}"`)]);
  });

  test("whose manifest says something else than the records is damage", async () => {
    const db = openWriter(databaseOf(store.folder));
    db.prepare("UPDATE execution SET end_digest = randomblob(32) WHERE run = ?").run(first.sequence);
    db.close();
    const faults = await faultsOf();
    expect(shown(faults)).toEqual(["S13 damage repair runs/‹run›/1"]);
    expect(faults[0]!.evidence).toContain("does not say what the records say");
  });

  test("whose pack is gone gets another one, from the values in the records", async () => {
    await bucket.delete(await only(`packs/${first.id}/`));
    await findAndMend(["S13 damage repair packs/‹run›/‹digest›"]);
  });

  test("whose pack was cut short is found by its size, and it is put aside", async () => {
    const key = await only(`packs/${first.id}/`);
    await change(key, (bytes) => bytes.subarray(0, -3));
    await findAndMend(["S13 damage repair packs/‹run›/‹digest›"]);
    expect([...aside.keys()]).toEqual([key]);
  });

  test("whose pack has a wrong byte is found when it is read", async () => {
    await change(await only(`packs/${first.id}/`), flip(20));
    expect(shown(await faultsOf(false))).toEqual([]);
    await findAndMend(["S13 damage repair packs/‹run›/‹digest›"], true);
  });

  test("and waits to be told is a note, and so is what the log does not say yet", async () => {
    const run = await aRun("third");
    expect(shown(await faultsOf())).toEqual(["S12 note log/", "S13 note runs/"]);
    await publishStore(store, bucket);
    expect(shown(await faultsOf())).toEqual([]);
    expect(await bucket.stat(runKey(run.id, 1))).toBeDefined();
  });

  test("of which the bucket has a later execution is told of as what another copy wrote", async () => {
    await bucket.put(runKey(first.id, 2), [Buffer.from("later")]);
    expect(shown(await faultsOf())).toEqual(["S13 damage copy runs/‹run›/2"]);
  });
});

describe("millrace.json", () => {
  test("that was deleted or cannot be read is written again", async () => {
    await bucket.delete(IDENTITY_KEY);
    await findAndMend(["S12 damage repair millrace.json"]);
    await change(IDENTITY_KEY, () => Buffer.from("{"));
    fs.rmSync(path.join(folder, "rebuilt"), { recursive: true });
    await findAndMend(["S12 damage repair millrace.json"]);
    expect([...aside.keys()]).toEqual([IDENTITY_KEY]);
  });

  test("that names another store is not replaced, and nothing else of the bucket is judged", async () => {
    await change(IDENTITY_KEY, (bytes) =>
      Buffer.from(bytes.toString().replace(/"store":"[^"]+"/, '"store":"01890000-0000-7000-8000-000000000000"')),
    );
    await bucket.delete(logKey(1));
    expect(shown(await faultsOf())).toEqual(["S12 damage copy millrace.json"]);
  });
});

describe("the log", () => {
  /** Three objects: the runs of before, a tag, and another one that was taken off again. */
  async function longer(): Promise<void> {
    for (const tag of ["one", "two"]) {
      await aRun(tag, [tag]);
      await publishStore(store, bucket);
    }
    expect(await keysOf(bucket, "log/")).toHaveLength(3);
  }

  test.each([1, 2, 3])("without object %i is written again from there, with all that it said", async (number) => {
    await longer();
    await bucket.delete(logKey(number));
    const expected = number === 3 ? "log/" : logKey(number);
    await findAndMend([`S12 damage repair ${expected}`]);
    expect([...aside.keys()].sort()).toEqual([1, 2, 3].filter((other) => other > number).map(logKey));
    // The store goes on telling.
    await aRun("after");
    await publishStore(store, bucket);
    expect(shown(await faultsOf(true))).toEqual([]);
  });

  test("that a process goes on telling while it is mended is whole afterwards, with what that process said", async () => {
    await longer();
    await bucket.delete(logKey(2));
    const teller = publishingRecords(store.metadata, {
      openBucket: async () => bucket,
      onUntold: (error) => expect.unreachable(String(error)),
    });
    let told = 0;
    meanwhile = async () => {
      if (told++ === 0) await aRun("late", ["late"], teller.metadata);
    };
    await findAndMend([`S12 damage repair ${logKey(2)}`]);
    meanwhile = undefined;
    expect(told).toBeGreaterThan(1); // Object 3, and what was added behind it.
    await aRun("after");
    await publishStore(store, bucket);
    expect(shown(await faultsOf(true))).toEqual([]);
  });

  test("is not touched while a process has its turn to tell it", async () => {
    await longer();
    await bucket.delete(logKey(2));
    const keys = await keysOf(bucket);
    const file = storeLayout(store.folder).telling;
    const held = await takeTellingLock(file);
    const lock = () => takeTellingLock(file, 50);
    await expect(mend([{ kind: "log" }], lock)).rejects.toMatchObject({ code: "FLOW_METADATA_BUSY" });
    expect(await keysOf(bucket)).toEqual(keys);
    held.release();
    await mend([{ kind: "log" }], lock);
    expect(shown(await faultsOf(true))).toEqual([]);
    (await lock()).release(); // The mend has given it back.
  });

  test("with an object that cannot be read is written again from there", async () => {
    await longer();
    await change(logKey(2), flip(40));
    await findAndMend([`S12 damage repair ${logKey(2)}`]);
    expect([...aside.keys()].sort()).toEqual([logKey(2), logKey(3)]);
  });

  test("that a repair has written and not recorded is recorded by the next one", async () => {
    await longer();
    await bucket.delete(logKey(2));
    const records = store.metadata.bucket;
    const advance = records.advance;
    Object.assign(records, { advance: async () => false });
    await mend([{ kind: "log" }]);
    Object.assign(records, { advance });
    await findAndMend([expect.stringMatching(/^S12 damage repair log\//) as never]);
    expect(aside.size).toBe(0);
  });

  test("that another copy of the store went on with is left as it is", async () => {
    await closeStore(store);
    fs.cpSync(store.folder, path.join(folder, "copy"), { recursive: true });
    store = await openFolder(store.folder);
    const copy = await openFolder(path.join(folder, "copy"));
    const late = publishingRecords(copy.metadata, { openBucket: async () => bucket, onUntold: () => {} });
    await aRun("there", [], late.metadata);
    await closeStore(copy);
    await bucket.delete(logKey(1));
    const faults = await faultsOf();
    expect(shown(faults)[0]).toBe(`S12 damage copy ${logKey(2)}`);
    const keys = await keysOf(bucket);
    expect(await mend([{ kind: "log" }])).toEqual([]);
    expect(await keysOf(bucket)).toEqual(keys);
  });
});

/** A bucket of which the way makes one byte wrong, the first time that a key is read. */
function onBadWay(): BlobStore & { readonly flipped: Set<string> } {
  const flipped = new Set<string>();
  return new Proxy(bucket, {
    get(target, name) {
      if (name === "flipped") return flipped;
      if (name !== "get") return Reflect.get(target, name).bind(target);
      return async (key: string, range?: never) => {
        const bytes = await target.get(key, range);
        if (bytes === undefined || bytes.length < 20 || flipped.has(key)) return bytes;
        flipped.add(key);
        return flip(20)(Buffer.from(bytes));
      };
    },
  }) as BlobStore & { readonly flipped: Set<string> };
}

test("a byte that came wrong once is no damage: not to verify, nor to a rebuild, nor to who writes", async () => {
  const bad = onBadWay();
  expect(shown(await faultsOf(true, bad))).toEqual([]);
  for (const prefix of ["log/", "millrace.json", "packs/", "runs/"])
    expect([...bad.flipped].filter((key) => key.startsWith(prefix))).not.toEqual([]);
  await rebuildInto(onBadWay(), path.join(folder, "rebuilt"));
  await attachStore(store.metadata, onBadWay());
  await publishStore(store, onBadWay());
  expect(await keysOf(bucket, "runs/")).toHaveLength(2);
});

test("what is none of the store's is a note, also of runs that the records do not have", async () => {
  const stranger = "01890000-0000-7000-8000-000000000000";
  await bucket.put("readme.txt", [Buffer.from("hello")]);
  await bucket.put(runKey(stranger as never, 1), [Buffer.from("hello")]);
  await bucket.put(blobKey("ab".repeat(32) as never, "none"), [Buffer.from("hello")]);
  expect(shown(await faultsOf(true))).toEqual([`S10 note runs/${stranger}/1`, "S10 note readme.txt"]);
});
