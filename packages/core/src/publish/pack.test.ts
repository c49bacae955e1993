import { expect, test } from "vitest";
import type { Digest } from "../artifact/artifact.ts";
import { compress } from "../artifact/compression.ts";
import { digestOf } from "../artifact/digest.ts";
import type { RunId } from "../ids/run-id.ts";
import { openMemoryBlobStore } from "../storage/memory/memory-blob-store.ts";
import { packKey } from "./layout.ts";
import { makePack, readPack, readPackIndex, type SmallBlob } from "./pack.ts";
import { Packer } from "./packer.ts";

const RUN = "01970000-0000-7000-8000-000000000001" as RunId;

function packed(text: string): SmallBlob {
  const payload = Buffer.from(text);
  const frames = compress([payload], payload.length);
  const stored = frames === undefined ? payload : Buffer.concat(frames);
  const compression = frames === undefined ? "none" : "zstd";
  return { digest: digestOf([payload]), sizeBytes: payload.length, storedBytes: stored.length, compression, stored };
}

const values = [packed("one"), packed("x".repeat(5_000)), packed("")];

test("a pack is read as a whole, and its index says where each value stands", async () => {
  const bucket = openMemoryBlobStore();
  const pack = makePack(values);
  const key = packKey(RUN, pack.digest);
  await bucket.put(key, pack.chunks);
  expect((await bucket.stat(key))!.sizeBytes).toBe(pack.sizeBytes);
  expect(await readPack(bucket, key, pack.digest)).toEqual(
    values.map((value) => ({ ...value, stored: expect.anything() })),
  );
  const index = await readPackIndex(bucket, key);
  expect(index).toEqual(pack.entries);
  for (const [place, entry] of index.entries()) {
    const { stored, ...row } = values[place]!;
    const { offset, length, ...said } = entry;
    expect({ ...said, storedBytes: length }).toEqual(row);
    expect(Buffer.from((await bucket.get(key, { start: offset, end: offset + length }))!)).toEqual(Buffer.from(stored));
  }
});

test("every byte of a pack counts", async () => {
  const pack = makePack(values);
  const whole = Buffer.concat(pack.chunks);
  const key = packKey(RUN, pack.digest);
  for (let at = 0; at < whole.length; at += 7) {
    const bucket = openMemoryBlobStore();
    const broken = Buffer.from(whole);
    broken[at] = broken[at]! ^ 1;
    await bucket.put(key, [broken]);
    await expect(readPack(bucket, key, pack.digest)).rejects.toMatchObject({ code: "FLOW_PUBLISH_DAMAGED" });
  }
  const bucket = openMemoryBlobStore();
  await bucket.put(key, [whole.subarray(0, 10)]);
  await expect(readPackIndex(bucket, key)).rejects.toMatchObject({ code: "FLOW_PUBLISH_DAMAGED" });
  await expect(readPackIndex(bucket, `${key}0`)).rejects.toThrow("it is not there");
});

test("a value that was changed in its pack is not given out", async () => {
  const pack = makePack(values);
  const bucket = openMemoryBlobStore();
  const bytes = Buffer.concat(pack.chunks);
  bytes[pack.entries[0]!.offset] = 0x4f;
  const digest = digestOf([bytes]); // As if it had been written so.
  await bucket.put(packKey(RUN, digest), [bytes]);
  await expect(readPack(bucket, packKey(RUN, digest), digest)).rejects.toThrow(
    `the value ${values[0]!.digest} in it is not what was stored`,
  );
});

/** Timers that a test fires by hand. */
function heldTimers() {
  const open: (() => void)[] = [];
  const later = (work: () => void): (() => void) => {
    open.push(work);
    return () => void open.splice(open.indexOf(work), 1);
  };
  return { open, later };
}

test("many commits are one pack, and each value stands once", async () => {
  const bucket = openMemoryBlobStore();
  const { open, later } = heldTimers();
  const packer = new Packer({ bucket, run: RUN, isContinued: false, later });
  for (let commit = 0; commit < 500; commit++) packer.add([packed(`own ${commit}`), packed("common")]);
  expect(open).toHaveLength(1);
  open[0]!();
  const packs = await packer.seal();
  expect(packs.map((pack) => pack.values)).toEqual([501]);
  expect((await bucket.list({ prefix: "packs/" })).keys).toHaveLength(1);
});

test("a run that is continued finds what its packs hold", async () => {
  const bucket = openMemoryBlobStore();
  const first = new Packer({ bucket, run: RUN, isContinued: false });
  first.add(values);
  const packs = await first.seal();
  const second = new Packer({ bucket, run: RUN, isContinued: true });
  await second.find();
  for (const value of [...values, packed("new")]) await second.addWaiting(value);
  expect((await second.seal()).map((pack) => pack.values)).toEqual([...packs.map((pack) => pack.values), 1]);
});

test("what could not be written is written by the next try", async () => {
  const bucket = openMemoryBlobStore();
  let isDown = true;
  const { open, later } = heldTimers();
  const down = new Proxy(bucket, {
    get: (target, name) =>
      name === "put" && isDown
        ? () => Promise.reject(new Error("down"))
        : (Reflect.get(target, name) as () => unknown).bind?.(target),
  });
  const packer = new Packer({ bucket: down, run: RUN, isContinued: false, later });
  packer.add(values);
  open[0]!();
  await expect(packer.seal()).rejects.toThrow("down");
  isDown = false;
  expect((await packer.seal()).map((pack) => pack.values)).toEqual([3]);
});

test("packs have a bound", async () => {
  const bucket = openMemoryBlobStore();
  const packer = new Packer({ bucket, run: RUN, isContinued: false, later: () => () => {} });
  for (let index = 0; index < 1_400; index++) {
    const stored = Buffer.alloc(16 * 1024, index);
    stored.writeUInt32LE(index);
    const digest = digestOf([stored]) as Digest;
    await packer.addWaiting({
      digest,
      sizeBytes: stored.length,
      storedBytes: stored.length,
      compression: "none",
      stored,
    });
  }
  const packs = await packer.seal();
  expect(packs.reduce((sum, pack) => sum + pack.values, 0)).toBe(1_400);
  expect(packs.length).toBe(2);
  for (const { sizeBytes } of packs) expect(sizeBytes).toBeLessThanOrEqual(16 * 1024 * 1024);
});
