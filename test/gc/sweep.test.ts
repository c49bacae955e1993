/** Values and files that nothing names: marked, then deleted, and never under the hands of somebody who writes. */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deleteRuns } from "../../packages/core/src/admin/gc/delete-runs.ts";
import type { NewBlob } from "../../packages/core/src/artifact/artifact.ts";
import { blobKey } from "../../packages/core/src/artifact/blob-layout.ts";
import { compress } from "../../packages/core/src/artifact/compression.ts";
import { encodeValue } from "../../packages/core/src/artifact/value-codec.ts";
import type { RunRow } from "../../packages/core/src/metadata/metadata-store.ts";
import { repairStore } from "../../packages/core/src/wiring/store-admin.ts";
import { importedRun, task } from "../conformance/metadata-store/import-runs.ts";
import {
  artifactOf,
  blobOf,
  digestOf,
  finished,
  newRun,
  started,
  tick,
} from "../conformance/metadata-store/records.ts";
import { BY, DAY, type GcStore, gcStore, large, small } from "./kit.ts";

let store: GcStore;
beforeEach(async () => {
  store = await gcStore();
});
afterEach(async () => {
  expect(store.damage()).toEqual([]);
  await store[Symbol.asyncDispose]();
});

const remove = (...runs: RunRow[]) =>
  deleteRuns(
    store.records,
    runs.map(({ sequence }) => sequence),
    { by: { ...BY, at: new Date() } },
  );
const counts = (report: Awaited<ReturnType<GcStore["gc"]>>) =>
  [report.marked, report.values, report.files].map(({ count }) => count);

describe("what nothing names", () => {
  test("is marked first, and deleted by a later collection after the grace, from the database and the folder", async () => {
    const kept = large("kept");
    const gone = await store.run({ a: large("gone"), b: small("gone"), c: kept, d: small("kept") });
    const stays = await store.run({ c: kept, d: small("kept") });
    await remove(gone);
    expect(store.files()).toBe(2);
    expect(counts(await store.gc())).toEqual([2, 0, 0]);
    store.here.time += DAY / 2;
    expect(counts(await store.gc())).toEqual([0, 0, 0]);
    store.here.time += DAY;
    const dry = await store.gc({ dryRun: true });
    const before = [store.files(), store.count("blob"), store.count("garbage")];
    expect(before).toEqual([2, 4, 2]);
    const wet = await store.gc();
    expect(counts(wet)).toEqual([0, 2, 1]);
    expect({ ...wet, isDryRun: true, freeBytes: 0 }).toEqual({ ...dry, freeBytes: 0 });
    expect([store.files(), store.count("blob"), store.count("garbage")]).toEqual([1, 2, 0]);
    expect(await store.valuesOf(stays)).toEqual({ c: kept, d: small("kept") });
  });

  test("takes nothing whose task said that it is kept, whatever a row of terms says", async () => {
    const run = await store.run({ a: large(1), b: large(2) }, { daysAgo: 9, tags: ["keep"] });
    store.age(9);
    store.execute(`INSERT INTO artifact_term (run, task, name, transient, expires_at)
      SELECT task.run, task.sequence, 'a', 1, 1 FROM task WHERE run = ${run.sequence}`);
    for (const dryRun of [true, false]) expect((await store.gc({ graceMs: 0, dryRun })).expired.count).toBe(0);
    expect([store.files(), store.count("gone_artifact")]).toEqual([2, 0]);
  });

  test("is said beforehand to the byte, with runs that would be deleted, and nothing is changed by that", async () => {
    await store.run({ a: large(1), b: small(1) }, { daysAgo: 9 });
    await store.run({ a: large(2) }, { daysAgo: 9, terms: { a: { isTransient: false, ttlMs: DAY } } });
    await store.run({ a: large(3) }, { daysAgo: 9, tags: ["keep"], terms: { a: { isTransient: false, ttlMs: DAY } } });
    await store.run({ a: large(4) });
    store.age(9);
    const policy = { olderThanMs: DAY, graceMs: 0 };
    const tables = ["run", "task", "artifact", "blob", "garbage", "gone_artifact", "deleted_run", "tag_event"];
    const all = () => [store.files(), ...tables.map((table) => store.count(table))];
    const before = all();
    const dry = await store.gc({ ...policy, dryRun: true });
    expect(all()).toEqual(before);
    const wet = await store.gc(policy);
    expect(wet).toMatchObject({ runs: { count: 2, tasks: 2 }, values: { count: 4 }, files: { count: 3 } });
    // The value of the second run goes with it: only the third one's is given up.
    expect([dry.expired.count, wet.expired.count]).toEqual([1, 1]);
    expect({ ...wet, isDryRun: true, freeBytes: 0 }).toEqual({ ...dry, freeBytes: 0 });
  });

  test("is taken up again by a run that stores the same value, also when its mark is old", async () => {
    const value = { a: large("again"), b: small("again") };
    await remove(await store.run(value));
    expect(counts(await store.gc())).toEqual([2, 0, 0]);
    store.here.time += 2 * DAY;
    store.age(2);
    const again = await store.run(value);
    expect(store.count("garbage")).toBe(0);
    expect(counts(await store.gc())).toEqual([0, 0, 0]);
    expect(await store.valuesOf(again)).toEqual(value);
  });

  test("loses its mark to whoever names it without storing it, and to whoever stores it without naming it", async () => {
    const gone = await store.run({ x: "text" });
    await remove(gone);
    await store.gc();
    expect(store.count("garbage")).toBe(1);
    const run = await store.metadata.createRun(newRun());
    const task = await store.metadata.reserveTasks(1);
    await store.metadata.commitTick(
      tick({ started: [started(run, task)], finished: [finished(task, { artifacts: [artifactOf("x", "text")] })] }),
    );
    expect(store.count("garbage")).toBe(0);
    await store.metadata.putPackage({ digest: digestOf("p"), manifest: "{}", blobs: [blobOf("file")] });
    await store.gc();
    expect(store.count("garbage")).toBe(1);
    await store.metadata.putPackage({ digest: digestOf("p"), manifest: "{}", blobs: [blobOf("file")] });
    expect(store.count("garbage")).toBe(0);
  });

  test("code packages too: not before an hour, whatever the grace, and not when a run names them", async () => {
    const put = () => store.metadata.putPackage({ digest: digestOf("p"), manifest: "{}", blobs: [blobOf("file")] });
    await put();
    await store.gc({ graceMs: 0 });
    await store.gc({ graceMs: 0 });
    expect(store.count("code_package")).toBe(1);
    store.here.time += 3_700_000;
    const run = await store.run({}, { packageDigest: digestOf("p") });
    await store.gc({ graceMs: 0 });
    expect(store.count("code_package")).toBe(1);
    await remove(run);
    await store.gc({ graceMs: 0 });
    store.here.time += 3_700_000;
    await store.gc({ graceMs: 0 });
    await store.gc({ graceMs: 0 });
    expect([store.count("code_package"), store.count("code_package_blob"), store.count("blob")]).toEqual([0, 0, 0]);
  });

  test("a mark that was made by a clock in the future grows old from now on", async () => {
    await remove(await store.run({ x: small(1) }));
    store.here.time += 365 * DAY;
    await store.gc();
    store.here.time -= 365 * DAY;
    await store.gc();
    store.here.time += 2 * DAY;
    expect((await store.gc()).values.count).toBe(1);
  });
});

describe("files", () => {
  test("that no record names are deleted when they are old, and others stay: unknown names, quarantine, what has a record", async () => {
    await store.run({ x: large("named") });
    store.artifacts.storeSync(encodeValue(large("stray")));
    const folder = path.join(store.layout.blobs, "sha256");
    const strange = [
      path.join(folder, "zz"),
      path.join(folder, "ab", "readme.txt"),
      path.join(store.layout.folder, "quarantine", "ab"),
    ];
    for (const file of strange) {
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, "x");
    }
    expect((await store.gc()).files.count).toBe(0);
    store.age(2);
    fs.utimesSync(strange[2]!, 1, 1);
    expect((await store.gc()).files.count).toBe(1);
    for (const file of strange) expect(fs.existsSync(file)).toBe(true);
  });

  test("that writers left half-written are deleted when they are old and their process is gone", async () => {
    const file = (pid: number) => path.join(store.layout.temporary, `TMP-${pid}-0123456789abcdef01234567`);
    const own = path.join(store.layout.temporary, "notes.txt");
    for (const name of [file(process.pid), file(999_999_999), own]) {
      fs.writeFileSync(name, "half");
      fs.utimesSync(name, 1, 1);
    }
    expect((await store.gc({ graceMs: 0 })).unfinished).toEqual({ count: 1, bytes: 4 });
    expect([file(process.pid), file(999_999_999), own].map((name) => fs.existsSync(name))).toEqual([true, false, true]);
  });

  test("put since the oldest run under way began are never old, wherever the clock jumps to", async () => {
    await store.run({}, { end: undefined });
    store.artifacts.storeSync(encodeValue(large("not committed yet")));
    store.here.time += 365 * DAY;
    expect((await store.gc()).files.count).toBe(0);
    store.here.processes.clear(); // Its runner is gone: nobody will name that file any more.
    expect((await store.gc()).files.count).toBe(1);
  });

  test("are left while a run of an older version is under way, which would not look again", async () => {
    const run = await store.run({}, { end: undefined });
    store.artifacts.storeSync(encodeValue(large("not committed yet")));
    store.here.time += 365 * DAY;
    store.age(400); // It found a file that was there, and does not make it young.
    store.execute(`UPDATE execution SET program_schema = NULL WHERE run = ${run.sequence}`);
    expect(await store.gc({ graceMs: 0 })).toMatchObject({ filesLeft: "old-runs", files: { count: 0 } });
    store.execute(`UPDATE execution SET program_schema = 3 WHERE run = ${run.sequence}`);
    expect((await store.gc({ graceMs: 0 })).files.count).toBe(1);
  });
});

describe("a writer that finds a file", () => {
  const value = large("found");
  const encoded = encodeValue(value);
  let blob: NewBlob;
  let key: string;
  beforeEach(() => {
    blob = store.artifacts.storeSync(encoded);
    key = blobKey(blob.digest, blob.compression);
    store.age(9);
  });
  const aDayAgo = () => store.here.time - DAY;

  /** What the value is stored through: as a task does, and piece by piece, as an import does with what is large. */
  const writers: [string, () => unknown][] = [
    ["at once", () => store.artifacts.storeSync(encoded)],
    ["piece by piece", () => store.blobs.putStream(key, stored())],
  ];
  async function* stored() {
    yield* compress(encoded.chunks, encoded.sizeBytes) ?? encoded.chunks;
  }

  test.each(writers)("%s makes it young, so that a sweep that had seen it old leaves it", async (_, write) => {
    await write();
    expect(store.sweep.removeOld([key], aDayAgo())).toEqual(new Set());
    expect(store.files()).toBe(1);
  });

  test.each(writers)("%s after it was swept writes it anew", async (_, write) => {
    expect(store.sweep.removeOld([key], aDayAgo())).toEqual(new Set([key]));
    expect(store.files()).toBe(0);
    await write();
    expect(store.files()).toBe(1);
    expect(store.artifacts.payloadSync(encoded, { ...blob })).toEqual(Buffer.concat(encoded.chunks));
  });

  test("at the very instant between the look of the sweep and its deletion gets it back", () => {
    const rename = fs.renameSync;
    // The sweep has looked at the age and is about to take the file away: now the writer comes.
    fs.renameSync = (from, to) => {
      fs.renameSync = rename;
      store.artifacts.storeSync(encoded);
      rename(from, to);
    };
    try {
      expect(store.sweep.removeOld([key], aDayAgo())).toEqual(new Set());
    } finally {
      fs.renameSync = rename;
    }
    expect(store.files()).toBe(1);
    expect(fs.readdirSync(store.layout.temporary)).toEqual([]);
  });

  test("and whose file is gone when it commits is refused, and what it does again is whole", async () => {
    const run = await store.metadata.createRun(newRun({ execution: { runner: store.here.self, command: [] } }));
    const task = await store.metadata.reserveTasks(1);
    const blob = store.artifacts.storeSync(encoded);
    const { codec, digest, sizeBytes } = encoded;
    const commit = () =>
      store.metadata.commitTick(
        tick({
          started: [started(run, task)],
          blobs: [blob],
          finished: [finished(task, { artifacts: [{ name: "x", codec, digest, sizeBytes }] })],
        }),
      );
    await store.blobs.delete(key); // A sweep that was fooled by a clock.
    await expect(commit()).rejects.toMatchObject({ code: "FLOW_METADATA_MISSING_BLOB" });
    expect([store.count("blob"), store.count("task")]).toEqual([0, 0]);
    store.artifacts.storeSync(encoded);
    await commit();
    await store.metadata.finishRun({
      run: run.sequence,
      execution: 1,
      status: "succeeded",
      finishedAt: new Date(),
      endTask: task,
    });
    expect(await store.valuesOf(run)).toEqual({ x: value });
  });

  test("and whose file is gone when its run is imported is refused, and the import done again is whole", async () => {
    const { codec, digest, sizeBytes } = encoded;
    const run = importedRun({ taskCount: 1, endTask: 0 }, [
      task(0),
      { kind: "artifact", task: 0, artifact: { name: "x", codec, digest, sizeBytes } },
    ]);
    const commit = () => store.metadata.importRuns({ runs: [run], packages: [], blobs: () => [blob] });
    await store.blobs.delete(key); // A sweep that was fooled by a clock.
    await expect(commit()).rejects.toMatchObject({ code: "FLOW_METADATA_MISSING_BLOB" });
    expect([store.count("blob"), store.count("run")]).toEqual([0, 0]);
    store.artifacts.storeSync(encoded);
    const [row] = await commit();
    expect(await store.valuesOf(row!)).toEqual({ x: value });
  });
});

describe("collections and repairs exclude each other", () => {
  const place = () => ({ store: store.layout.folder, cwd: store.layout.folder, environment: {} });

  test("a repair is refused while a collection goes on, its dry run is not", async () => {
    await store.run({ x: large(1) });
    const lock = store.records.lock();
    await expect(repairStore(place())).rejects.toMatchObject({ code: "FLOW_GC_RUNNING" });
    expect((await repairStore(place(), { dryRun: true })).isDryRun).toBe(true);
    lock.release();
    expect((await repairStore(place())).ok).toBe(true);
  });

  test("a collection and another repair are refused while a repair goes on, and not after it", async () => {
    await store.run({ x: large(1) });
    let others: Promise<unknown>[] | undefined;
    const code = (refused: Promise<unknown>) => refused.then(String, (error) => error.code);
    await repairStore(place(), { onProgress: () => (others ??= [code(store.gc()), code(repairStore(place()))]) });
    expect(await Promise.all(others!)).toEqual(["FLOW_GC_RUNNING", "FLOW_GC_RUNNING"]);
    await store.gc();
  });

  test("a second one is refused while the first goes on, and not after it", async () => {
    const lock = store.records.lock();
    await expect(store.gc()).rejects.toMatchObject({ code: "FLOW_GC_RUNNING" });
    expect((await store.gc({ dryRun: true })).isDryRun).toBe(true);
    lock.release();
    await store.gc();
  });

  test("the database is written anew on request, and not beside a run", async () => {
    const big = Object.fromEntries(
      Array.from({ length: 200 }, (_, at) => [`x${at}`, randomBytes(2_000).toString("base64")]),
    );
    await remove(await store.run(big));
    const { freeBytes } = await store.gc({ graceMs: 0 });
    expect(freeBytes).toBeGreaterThan(400_000);
    expect((await store.gc({ vacuum: true })).freeBytes).toBe(0);
    expect(fs.statSync(store.layout.database).size).toBeLessThan(300_000);
    await store.run({}, { end: undefined });
    await expect(store.gc({ vacuum: true })).rejects.toMatchObject({ code: "FLOW_GC_RUNS_UNDER_WAY" });
  });
});
