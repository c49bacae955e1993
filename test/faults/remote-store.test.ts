/**
 * A store behind a network, with what goes wrong on the way and on this machine: bits that change, files that are cut, copies
 * that others take away, an I/O thread that ends. The bucket is a folder; everything before it is the real thing.
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { Digest } from "../../packages/core/src/artifact/artifact.ts";
import { ArtifactStore } from "../../packages/core/src/artifact/artifact-store.ts";
import { blobKey } from "../../packages/core/src/artifact/blob-layout.ts";
import { digestOf } from "../../packages/core/src/artifact/digest.ts";
import type { ArtifactRow, TaskSequence } from "../../packages/core/src/metadata/metadata-store.ts";
import { InputPages } from "../../packages/core/src/runner/worker/input-pages.ts";
import { ValueLoader } from "../../packages/core/src/runner/worker/value-loader.ts";
import {
  FLIPS,
  MOST_IN_FLIGHT,
  openRemoteUnderTest,
  REFUSALS,
  REQUESTS,
  type RemoteUnderTest,
} from "../kit/remote-store.ts";

let remote: RemoteUnderTest;
afterEach(() => remote.dispose());

/** A value of so many random bytes, which no compression makes smaller. */
function value(sizeBytes: number) {
  const bytes = randomBytes(sizeBytes);
  const digest = digestOf([bytes]);
  const ref = { codec: "bytes", digest, sizeBytes };
  const row = { digest, sizeBytes, storedBytes: sizeBytes, compression: "none" as const };
  return { bytes, ref, row, key: blobKey(digest, "none") };
}

function there(sizeBytes = 20_000) {
  const made = value(sizeBytes);
  remote.bucket.putSync(made.key, [made.bytes]);
  return made;
}

const cached = (key: string) => path.join(remote.folder, "cache", key);
const spooled = (key: string) => path.join(remote.folder, "spool", key);
const requests = () => Atomics.load(remote.counts, REQUESTS);
const plan = (word: number, count: number) => Atomics.store(remote.counts, word, count);

function flipOnDisk(file: string): void {
  const bytes = fs.readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  fs.writeFileSync(file, bytes);
}

describe("reading", () => {
  test("fetches a value once, and reads the copy from then on", () => {
    remote = openRemoteUnderTest();
    const { key, bytes } = there();
    expect(remote.store.getSync(key)).toEqual(new Uint8Array(bytes));
    expect(remote.store.getSync(key, { start: 5, end: 9 })).toEqual(new Uint8Array(bytes.subarray(5, 9)));
    expect(remote.open().getSync(key)).toEqual(new Uint8Array(bytes));
    expect(requests()).toBe(1);
    expect(remote.store.waits).toBe(1);
  });

  test("asks once for what several want at the same time", async () => {
    remote = openRemoteUnderTest({ latencyMs: 20 });
    const { key, bytes } = there();
    const stores = [remote.store, remote.open(), remote.open()];
    for (const read of await Promise.all(stores.map((store) => store.get(key))))
      expect(read?.length).toBe(bytes.length);
    expect(requests()).toBe(1);
  });

  test("fetches a large value by ranges that overlap, put together in their order", () => {
    remote = openRemoteUnderTest({ latencyMs: 20 });
    const { key, bytes } = there(40 * 1024 * 1024 + 123);
    expect(Buffer.compare(remote.store.getSync(key)!, bytes)).toBe(0);
    expect(requests()).toBe(1 + 1 + 5); // The first part, the size, and what is left of it.
    expect(Atomics.load(remote.counts, MOST_IN_FLIGHT)).toBe(4);
  });

  test("fetches a thousand values in one wait, many at a time", () => {
    remote = openRemoteUnderTest({ latencyMs: 5 });
    const values = Array.from({ length: 1_000 }, () => there());
    remote.store.fetchSync(values.map(({ key, bytes }) => ({ key, sizeBytes: bytes.length })));
    for (const { key, bytes } of values) expect(Buffer.compare(remote.store.getSync(key)!, bytes)).toBe(0);
    expect(remote.store.waits).toBe(1);
    expect(requests()).toBe(1_000);
    expect(Atomics.load(remote.counts, MOST_IN_FLIGHT)).toBe(32);
  });

  test.each([
    ["as it is", 20_000],
    ["by ranges", 20 * 1024 * 1024],
  ])("asks again for a value that comes with a wrong bit, %s", (_, size) => {
    remote = openRemoteUnderTest();
    const { key, bytes } = there(size);
    plan(FLIPS, 1);
    expect(Buffer.compare(remote.store.getSync(key)!, bytes)).toBe(0);
  });

  test("tells a value that is damaged in the bucket by its digest", async () => {
    remote = openRemoteUnderTest();
    const { key, ref, row } = there();
    flipOnDisk(path.join(remote.folder, "bucket", key));
    const artifacts = new ArtifactStore(remote.store);
    const damaged = { code: "FLOW_ARTIFACT_DAMAGED" };
    expect(() => artifacts.payloadSync(ref, row)).toThrow(expect.objectContaining(damaged));
    await expect(artifacts.payload(ref, row)).rejects.toMatchObject(damaged);
    expect(fs.existsSync(cached(key))).toBe(false);
  });

  test("drops a copy that is damaged on this machine, and fetches the value once more", async () => {
    remote = openRemoteUnderTest();
    const { key, ref, row, bytes } = there(5 * 1024 * 1024);
    const artifacts = new ArtifactStore(remote.store);
    const spoil = (): void => {
      artifacts.payloadSync(ref, row);
      flipOnDisk(cached(key));
    };
    spoil();
    expect(Buffer.compare(artifacts.payloadSync(ref, row), bytes)).toBe(0);
    spoil();
    expect(Buffer.compare(await artifacts.payload(ref, row), bytes)).toBe(0);
    spoil();
    const pieces: Uint8Array[] = [];
    for await (const piece of artifacts.pieces(ref, row)) pieces.push(piece);
    expect(Buffer.compare(Buffer.concat(pieces), bytes)).toBe(0);
    spoil();
    const target = new Uint8Array(bytes.length);
    artifacts.payloadIntoSync(ref, row, target);
    expect(Buffer.compare(target, bytes)).toBe(0);
    spoil();
    expect([...artifacts.examine(row)].length).toBeGreaterThan(0);
    expect(artifacts.examine(row).next().done).toBe(false);
  });

  test("of a value that is nowhere is undefined, and of one that waits for its upload gives it", () => {
    remote = openRemoteUnderTest();
    const { key, bytes } = value(20_000);
    expect(remote.store.getSync(key)).toBeUndefined();
    remote.store.putSync(key, [bytes]);
    expect(Buffer.compare(remote.open().getSync(key)!, bytes)).toBe(0);
    expect(requests()).toBe(1);
  });
});

describe("writing", () => {
  test("puts a value into the spool; settling uploads it once, and leaves a copy", async () => {
    remote = openRemoteUnderTest();
    const { key, bytes } = value(20_000);
    remote.store.putSync(key, [bytes]);
    expect(remote.bucket.statSync(key)).toBeUndefined();
    expect(await remote.store.settle([{ key, sizeBytes: 20_000 }])).toEqual([true]);
    expect(Buffer.compare(remote.bucket.getSync(key)!, bytes)).toBe(0);
    expect([fs.existsSync(spooled(key)), fs.existsSync(cached(key))]).toEqual([false, true]);
    const before = requests();
    expect(remote.store.settleSync(key, 20_000)).toBe(true);
    expect(remote.store.getSync(key)?.length).toBe(20_000);
    expect(requests()).toBe(before);
  });

  test("uploads at once, many at a time, when many are to be settled", async () => {
    remote = openRemoteUnderTest({ latencyMs: 20 });
    const values = Array.from({ length: 40 }, () => value(20_000));
    for (const { key, bytes } of values) remote.store.putSync(key, [bytes]);
    const settled = await remote.store.settle(values.map(({ key }) => ({ key, sizeBytes: 20_000 })));
    expect(settled.every((isThere) => isThere)).toBe(true);
    expect(requests()).toBe(40);
    expect(Atomics.load(remote.counts, MOST_IN_FLIGHT)).toBe(32);
  });

  test("says what was never put, and what is there with another size", async () => {
    remote = openRemoteUnderTest();
    const { key } = there();
    const never = value(20_000);
    const asked = [
      { key: never.key, sizeBytes: 20_000 },
      { key, sizeBytes: 19_999 },
      { key, sizeBytes: 20_000 },
    ];
    for (const each of asked.entries())
      expect(remote.store.settleSync(each[1].key, each[1].sizeBytes)).toBe(each[0] === 2);
  });

  test("replaces what lies in the bucket with another size", () => {
    remote = openRemoteUnderTest();
    const { key, bytes } = value(20_000);
    remote.bucket.putSync(key, [bytes.subarray(0, 100)]);
    remote.store.putSync(key, [bytes]);
    expect(remote.store.settleSync(key, 20_000)).toBe(true);
    expect(Buffer.compare(remote.bucket.getSync(key)!, bytes)).toBe(0);
  });

  test.each([20_000, 20 * 1024 * 1024])("never uploads what changed in the spool (%i bytes)", (size) => {
    remote = openRemoteUnderTest();
    const { key, bytes } = value(size);
    remote.store.putSync(key, [bytes]);
    flipOnDisk(spooled(key));
    expect(() => remote.store.settleSync(key, size)).toThrow(expect.objectContaining({ code: "FLOW_STORAGE_SPOOL" }));
    expect(remote.bucket.statSync(key)).toBeUndefined();
    // It is gone from the spool: whoever makes the value again puts it there anew.
    remote.store.putSync(key, [bytes]);
    expect(remote.store.settleSync(key, size)).toBe(true);
  });

  test("puts a value over one that a crash has cut in the spool", () => {
    remote = openRemoteUnderTest();
    const { key, bytes } = value(20_000);
    remote.store.putSync(key, [bytes]);
    fs.truncateSync(spooled(key), 0);
    remote.store.putSync(key, [bytes]);
    expect(remote.store.settleSync(key, 20_000)).toBe(true);
  });

  test("leaves a value in the spool when the bucket refuses it", async () => {
    remote = openRemoteUnderTest();
    const { key, bytes } = value(20_000);
    remote.store.putSync(key, [bytes]);
    plan(REFUSALS, 1);
    await expect(remote.store.settle([{ key, sizeBytes: 20_000 }])).rejects.toMatchObject({
      code: "FLOW_STORAGE_UNAVAILABLE",
      context: { isTransient: true },
    });
    expect(await remote.store.settle([{ key, sizeBytes: 20_000 }])).toEqual([true]);
  });
});

test("what has waited in the spool for a week is dropped", async () => {
  remote = openRemoteUnderTest();
  const [old, young] = [value(20_000), value(20_000)];
  for (const { key, bytes } of [old, young]) remote.store.putSync(key, [bytes]);
  const weekAgo = Date.now() / 1_000 - 8 * 24 * 3_600;
  fs.utimesSync(spooled(old.key), weekAgo, weekAgo);
  expect(remote.store.settleSync(young.key, 20_000)).toBe(true); // The first call opens the store.
  await expect.poll(() => fs.existsSync(spooled(old.key)), { timeout: 20_000 }).toBe(false);
});

describe("the cache", () => {
  test("stays below its limit, what was used last stays, and so does what waits for its upload", async () => {
    remote = openRemoteUnderTest({ cacheBytes: 100_000, restMs: -1 });
    const values = Array.from({ length: 20 }, () => there());
    const waiting = value(20_000);
    remote.store.putSync(waiting.key, [waiting.bytes]);
    for (const { key, bytes } of values) expect(Buffer.compare((await remote.store.get(key))!, bytes)).toBe(0);
    const left = () => values.filter(({ key }) => fs.existsSync(cached(key)));
    await expect.poll(() => left().length, { timeout: 20_000 }).toBeLessThanOrEqual(5);
    expect(fs.existsSync(cached(values.at(-1)!.key))).toBe(true);
    expect(fs.existsSync(cached(values[0]!.key))).toBe(false);
    expect(fs.existsSync(spooled(waiting.key))).toBe(true);
    // What went is fetched again.
    expect(Buffer.compare(remote.store.getSync(values[0]!.key)!, values[0]!.bytes)).toBe(0);
  });

  test("may be smaller than a value", () => {
    remote = openRemoteUnderTest({ cacheBytes: 10, restMs: -1 });
    for (let count = 0; count < 5; count++) {
      const { key, bytes } = there();
      expect(Buffer.compare(remote.store.getSync(key)!, bytes)).toBe(0);
    }
  });
});

describe("an I/O thread that has ended", () => {
  test("fails what is under way, and the next call starts another one", async () => {
    remote = openRemoteUnderTest({ ownThread: true, latencyMs: 60_000 });
    const { key } = there();
    const reading = remote.store.get(key);
    reading.catch(() => {}); // Looked at below.
    await expect.poll(requests, { timeout: 20_000 }).toBe(1);
    await remote.kill();
    await expect(reading).rejects.toMatchObject({ code: "FLOW_STORAGE_UNAVAILABLE", context: { isTransient: true } });
    const unserved = remote.open({ limitMs: 200 });
    expect(() => unserved.getSync(key)).toThrow(expect.objectContaining({ code: "FLOW_STORAGE_TIMEOUT" }));
  });

  test("is waited for as long as parts of a value come", async () => {
    remote = openRemoteUnderTest({ ownThread: true, latencyMs: 600 });
    const { key, bytes } = there(41 * 1024 * 1024);
    // A first part, the size, four parts at once, a last one: four trips, and no more than two without a part.
    const store = remote.open({ limitMs: 1_800 });
    store.statSync("another"); // The thread has started.
    const beganAt = performance.now();
    expect(Buffer.compare(store.getSync(key)!, bytes)).toBe(0);
    expect(performance.now() - beganAt).toBeGreaterThan(1_800);
  });

  test("is noticed by its silence, where nobody could tell", async () => {
    remote = openRemoteUnderTest({ ownThread: true });
    const { key, bytes } = there();
    const { key: other } = there();
    const store = remote.open({ silenceMs: 2_500 });
    expect(Buffer.compare(store.getSync(key)!, bytes)).toBe(0);
    await remote.kill(false);
    expect(() => store.getSync(other)).toThrow(expect.objectContaining({ code: "FLOW_STORAGE_UNAVAILABLE" }));
    expect(store.getSync(other)?.length).toBe(20_000);
  });
});

test("a join that reads a field of one input after the other waits for pages, not for each", () => {
  remote = openRemoteUnderTest({ latencyMs: 5 });
  const made = Array.from({ length: 2_000 }, () => there(17_000));
  const blobs = new Map(made.map(({ row }) => [row.digest, row]));
  const loader = new ValueLoader(new ArtifactStore(remote.store), (digest) => blobs.get(digest));
  const visibleArtifact = (task: number): ArtifactRow => ({ name: "large", ...made[task]!.ref });
  const inputs = made.map((_, task) => ({ task: task as TaskSequence, from: "work" }));
  const pages = new InputPages({ loader, visibleArtifact }, inputs);
  for (const [index, { bytes }] of made.entries())
    expect(Buffer.compare(loader.load(pages.row(index, "large")!, "an input") as Buffer, bytes)).toBe(0);
  expect(remote.store.waits).toBeLessThanOrEqual(8 + Math.ceil((2_000 - 255) / 256));
  expect(requests()).toBe(2_000);
  // Who reads the first one only, fetches the first one only.
  const alone = there(17_000);
  blobs.set(alone.row.digest, alone.row);
  made[0] = alone;
  new InputPages({ loader, visibleArtifact }, inputs).row(0, "large");
  expect(requests()).toBe(2_001);
});

test("a join reads on when another process has given up what was fetched for it", () => {
  remote = openRemoteUnderTest();
  const made = Array.from({ length: 200 }, () => there(17_000));
  const blobs = new Map(made.map(({ row }) => [row.digest, row]));
  const loader = new ValueLoader(new ArtifactStore(remote.store), (digest) => blobs.get(digest));
  const visibleArtifact = (task: number): ArtifactRow => ({ name: "large", ...made[task]!.ref });
  const inputs = made.map((_, task) => ({ task: task as TaskSequence, from: "work" }));
  const pages = new InputPages({ loader, visibleArtifact }, inputs);
  for (const [index, { bytes, key }] of made.entries()) {
    const row = pages.row(index, "large")!;
    if (index % 10 === 0) fs.rmSync(cached(key));
    expect(Buffer.compare(loader.load(row, "an input") as Buffer, bytes)).toBe(0);
  }
  expect(requests()).toBe(220);
});

test("a digest is what tells a value's key from others", () => {
  remote = openRemoteUnderTest();
  const digest = "0".repeat(64) as Digest;
  expect(remote.store.putSync("runs/1", [randomBytes(10)])).toBe("created");
  expect(remote.bucket.statSync("runs/1")?.sizeBytes).toBe(10); // At once: nothing else says when.
  expect(remote.store.statSync(blobKey(digest, "zstd"))).toBeUndefined();
});
