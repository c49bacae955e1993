/** Sweeping values that lie behind a network, beside those who put them: nothing that a record may name is missed in the end. */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { takeGcLock } from "../../packages/core/src/metadata/sqlite/deletion/gc-lock.ts";
import type { BlobSweep, SweptValue } from "../../packages/core/src/storage/sweep.ts";
import { IN_FLIGHT, openRemoteUnderTest, REQUESTS, type RemoteUnderTest } from "../kit/remote-store.ts";

const DAY_MS = 86_400_000;
let under: RemoteUnderTest;
let sweep: BlobSweep;

beforeEach(() => {
  under = openRemoteUnderTest({ ownThread: true });
  sweep = under.sweep();
});
afterEach(() => under.dispose());

function value() {
  const bytes = randomBytes(20_000);
  const digest = createHash("sha256").update(bytes).digest("hex");
  return { bytes, key: `blobs/sha256/${digest.slice(0, 2)}/${digest}` };
}

/** A value in the bucket that was put two days ago. */
async function old() {
  const made = value();
  await under.bucket.put(made.key, [made.bytes]);
  const seconds = (Date.now() - 2 * DAY_MS) / 1_000;
  fs.utimesSync(path.join(under.folder, "bucket", made.key), seconds, seconds);
  return made;
}

const aDayAgo = () => Date.now() - DAY_MS;

test("lists values with their ages, and nothing else", async () => {
  const { key } = await old();
  await under.bucket.put("runs/1/1", [Uint8Array.of(1)]);
  await under.bucket.put("blobs/sha256/ab/other", [Uint8Array.of(1)]);
  const seen: SweptValue[] = [];
  for await (const page of sweep.pages()) seen.push(...page.values);
  expect(seen).toEqual([{ key, sizeBytes: 20_000, putAt: expect.closeTo(Date.now() - 2 * DAY_MS, -5) }]);
});

test("takes what is old, and leaves what is young or was put again", async () => {
  const [swept, again] = [await old(), await old()];
  const young = value();
  await under.store.put(young.key, [young.bytes]);
  await under.store.put(again.key, [again.bytes]);
  expect(sweep.removeOld([swept.key, again.key, young.key], aDayAgo())).toEqual(new Set([swept.key]));
  expect(await under.bucket.stat(swept.key)).toBeUndefined();
  expect(await under.bucket.stat(again.key)).toBeDefined();
  expect(await under.bucket.stat(young.key)).toBeDefined();
});

test("leaves what waits to be uploaded", async () => {
  const { key, bytes } = await old();
  under.store.putSync(key, [bytes]);
  expect(sweep.removeOld([key], aDayAgo())).toEqual(new Set());
  expect(under.store.settleSync(key, bytes.length)).toBe(true);
});

test("what was found before a sweep is looked for again after it", async () => {
  const { key, bytes } = await old();
  // A look that makes nothing young: as one that comes between the sweep's own look and its deletion.
  expect(under.store.settleSync(key, bytes.length)).toBe(true);
  expect(sweep.removeOld([key], aDayAgo())).toEqual(new Set([key]));
  expect(under.store.settleSync(key, bytes.length)).toBe(false);
  expect(await under.open().settle([{ key, sizeBytes: bytes.length }])).toEqual([false]);
});

test("what was found while a sweep went on is looked for again too", async () => {
  const { key, bytes } = await old();
  const found: boolean[] = [];
  const interrupted = under.sweep(() => found.push(under.store.settleSync(key, bytes.length)));
  expect(interrupted.removeOld([key], aDayAgo())).toEqual(new Set([key]));
  expect(found).toEqual([true]);
  expect(under.store.settleSync(key, bytes.length)).toBe(false);
});

test("a service that does not answer in time is waited for no longer, and nothing is deleted after it", async () => {
  const slow = openRemoteUnderTest({ ownThread: true, latencyMs: 700, folder: under.folder });
  const { key } = await old();
  await slow.store.stat(key); // The thread has started.
  const beganAt = performance.now();
  const limited = slow.sweep(undefined, 200);
  expect(() => limited.removeOld([key], aDayAgo())).toThrow(
    expect.objectContaining({ code: "FLOW_STORAGE_TIMEOUT", context: { limitMs: 200 } }),
  );
  expect(performance.now() - beganAt).toBeLessThan(650);
  const asked = slow.counts[REQUESTS];
  while (slow.counts[IN_FLIGHT]! > 0) await wait(20);
  await wait(50);
  expect([slow.counts[REQUESTS], await under.bucket.stat(key)]).toEqual([asked, expect.anything()]);
  expect(sweep.removeOld([key], aDayAgo())).toEqual(new Set([key]));
  await slow.kill();
});

test("a deletion leaves its process the lock of collections", async () => {
  const { key } = await old();
  const lockFile = path.join(under.folder, "swept");
  const lock = takeGcLock(lockFile, "collect garbage");
  expect(sweep.removeOld([key], aDayAgo())).toEqual(new Set([key]));
  const module = new URL("../../packages/core/src/metadata/sqlite/deletion/gc-lock.ts", import.meta.url).href;
  const program = `import { takeGcLock } from ${JSON.stringify(module)};
    try { takeGcLock(${JSON.stringify(lockFile)}, "look"); console.log("taken"); } catch (error) { console.log(error.code); }`;
  const other = () =>
    execFileSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" }).trim();
  expect(other()).toBe("FLOW_GC_RUNNING");
  lock.release();
  expect(other()).toBe("taken");
});

test("files that dead writers left in the spool are swept with it", async () => {
  const { key, bytes } = value();
  under.store.putSync(key, [bytes]);
  const file = path.join(under.folder, "spool", key);
  expect(sweep.removeUnfinished(`spool/${key}`, aDayAgo())).toBe(false);
  const seconds = (Date.now() - 2 * DAY_MS) / 1_000;
  fs.utimesSync(file, seconds, seconds);
  const left = await sweep.listUnfinished();
  expect(left.map((found) => found.key)).toEqual([`spool/${key}`]);
  expect(sweep.removeUnfinished(left[0]!.key, aDayAgo())).toBe(true);
  expect(fs.existsSync(file)).toBe(false);
});
