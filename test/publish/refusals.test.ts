/** What is refused: buckets of other stores and of newer programs, two copies of one store, and what is missing or was changed. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { blobKey } from "../../packages/core/src/artifact/blob-layout.ts";
import { IDENTITY_KEY, logKey } from "../../packages/core/src/publish/layout.ts";
import { attachStore, publishStore } from "../../packages/core/src/publish/publish-store.ts";
import type { BlobStore } from "../../packages/core/src/storage/blob-store.ts";
import { openMemoryBlobStore } from "../../packages/core/src/storage/memory/memory-blob-store.ts";
import { publishingRecords } from "../../packages/core/src/wiring/publishing-records.ts";
import { artifactOf, blobOf, finished, newRun, started, tick } from "../conformance/metadata-store/records.ts";
import { closeStore, databaseOf, type FolderStore, filesOf, keysOf, openFolder, rebuildInto } from "./publish-kit.ts";

const LARGE = "x".repeat(20_000);
const at = new Date("2026-05-04T12:00:02.000Z");
let folder: string;
let store: FolderStore;
let bucket: BlobStore;

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-refusals-"));
  store = await openFolder(path.join(folder, "store"));
  bucket = openMemoryBlobStore();
});
afterEach(async () => {
  await closeStore(store);
  fs.rmSync(folder, { recursive: true, force: true });
});

async function aRun({ metadata, blobs }: FolderStore, tags: readonly string[] = []): Promise<void> {
  const run = await metadata.createRun(newRun({ tags }));
  const task = await metadata.reserveTasks(1);
  const { stored, ...large } = blobOf(LARGE);
  await blobs.put(blobKey(large.digest, "none"), [stored!]);
  await metadata.commitTick(
    tick({
      run: run.sequence,
      started: [started(run, task, { attempt: 1, path: "1" as never })],
      blobs: [blobOf("small"), large],
      finished: [finished(task, { artifacts: [artifactOf("small", "small"), artifactOf("large", LARGE)] })],
    }),
  );
  await metadata.finishRun({ run: run.sequence, execution: 1, status: "succeeded", finishedAt: at, endTask: task });
}

const rebuildIn = (name: string): Promise<unknown> => rebuildInto(bucket, path.join(folder, name));
const code = (wanted: string) => expect.objectContaining({ code: wanted });

describe("a bucket", () => {
  test("belongs to one store, and nothing of another one is written into it", async () => {
    await publishStore(store, bucket);
    const keys = await keysOf(bucket);
    const other = await openFolder(path.join(folder, "other"));
    await aRun(other);
    await expect(publishStore(other, bucket)).rejects.toEqual(code("FLOW_PUBLISH_OTHER_STORE"));
    await expect(attachStore(other.metadata, bucket)).rejects.toEqual(code("FLOW_PUBLISH_OTHER_STORE"));
    const { metadata } = publishingRecords(other.metadata, { openBucket: async () => bucket, onUntold: () => {} });
    await expect(metadata.createRun(newRun())).rejects.toEqual(code("FLOW_PUBLISH_OTHER_STORE"));
    expect(await other.metadata.countRuns({})).toBe(1);
    expect(await keysOf(bucket)).toEqual(keys);
    await closeStore(other);
  });

  test("of a newer format is refused with both formats named", async () => {
    const { storeId } = await store.metadata.info();
    await bucket.put(IDENTITY_KEY, [
      Buffer.from(JSON.stringify({ format: 2, store: storeId, createdAt: at.toISOString() })),
    ]);
    const refused = publishStore(store, bucket);
    await expect(refused).rejects.toMatchObject({
      code: "FLOW_PUBLISH_NEWER_FORMAT",
      context: { format: 2, knownFormat: 1 },
    });
    await expect(rebuildIn("out")).rejects.toEqual(code("FLOW_PUBLISH_NEWER_FORMAT"));
  });

  test("without a store is said to be so, and one whose first object is none is damaged", async () => {
    await expect(rebuildIn("out")).rejects.toEqual(code("FLOW_PUBLISH_NO_STORE"));
    await bucket.put(IDENTITY_KEY, [Buffer.from("no json")]);
    await expect(rebuildIn("out")).rejects.toEqual(code("FLOW_PUBLISH_DAMAGED"));
  });
});

describe("two copies of one store", () => {
  async function copies(): Promise<FolderStore> {
    await aRun(store);
    await attachStore(store.metadata, bucket);
    await publishStore(store, bucket);
    await closeStore(store);
    fs.cpSync(store.folder, path.join(folder, "copy"), { recursive: true });
    store = await openFolder(store.folder);
    return await openFolder(path.join(folder, "copy"));
  }

  test("that go on apart are told at the first number that both take", async () => {
    const copy = await copies();
    await aRun(store, ["here"]);
    await aRun(copy, ["there"]);
    await publishStore(store, bucket);
    await expect(publishStore(copy, bucket)).rejects.toMatchObject({
      code: "FLOW_PUBLISH_FORKED",
      context: { key: logKey(2) },
    });
    await rebuildIn("out");
    await closeStore(copy);
  });

  test("are told before the run of one of them begins, and no run is written whose number is taken", async () => {
    const copy = await copies();
    const openBucket = async (): Promise<BlobStore> => bucket;
    const here = publishingRecords(store.metadata, { openBucket, onUntold: () => {} });
    const late = publishingRecords(copy.metadata, { openBucket, onUntold: () => {} });
    const begun = await late.metadata.createRun(newRun());
    const run = await here.metadata.createRun(newRun());
    await here.metadata.finishRun({ run: run.sequence, execution: 1, status: "succeeded", finishedAt: at });
    const end = { run: begun.sequence, execution: 1, status: "succeeded", finishedAt: at } as const;
    await expect(late.metadata.finishRun(end)).rejects.toEqual(code("FLOW_PUBLISH_FORKED"));
    expect(await keysOf(bucket, `runs/${begun.id}`)).toEqual([]);
    const next = publishingRecords(copy.metadata, { openBucket, onUntold: () => {} });
    await expect(next.metadata.createRun(newRun())).rejects.toEqual(code("FLOW_PUBLISH_FORKED"));
    await rebuildIn("out");
    await closeStore(copy);
  });

  test("of which one is older are told too, when neither is tied to the bucket", async () => {
    await aRun(store);
    await closeStore(store);
    fs.cpSync(store.folder, path.join(folder, "copy"), { recursive: true });
    store = await openFolder(store.folder);
    const copy = await openFolder(path.join(folder, "copy"));
    await aRun(store, ["here"]);
    await aRun(copy, ["there"]);
    await publishStore(store, bucket);
    await expect(publishStore(copy, bucket)).rejects.toEqual(code("FLOW_PUBLISH_FORKED"));
    await expect(attachStore(copy.metadata, bucket)).rejects.toEqual(code("FLOW_PUBLISH_FORKED"));
    await closeStore(copy);
  });

  test("of which one was built anew while the other has a run under way: that run does not succeed, and keeps its objects", async () => {
    const openBucket = async (): Promise<BlobStore> => bucket;
    const here = publishingRecords(store.metadata, { openBucket, onUntold: () => {} });
    const run = await here.metadata.createRun(newRun());
    const policy = (pattern: string) =>
      ({ actor: "a", host: "h", at, via: "t", policy: { pattern, protected: true } }) as const;
    await here.metadata.setTagPolicy(policy("a")); // Tells that the run was begun.
    await bucket.put(`packs/${run.id}/${"0".repeat(64)}`, [Buffer.from("of the run")]);
    await rebuildIn("out");
    const out = await openFolder(path.join(folder, "out"));
    const there = publishingRecords(out.metadata, { openBucket, onUntold: () => {} });
    await there.metadata.setTagPolicy(policy("b"));
    expect(await out.metadata.bucket.news(1)).toEqual([]);
    expect(await keysOf(bucket, `packs/${run.id}`)).toHaveLength(1);
    const end = { run: run.sequence, execution: 1, status: "succeeded", finishedAt: at } as const;
    await expect(here.metadata.finishRun(end)).rejects.toEqual(code("FLOW_PUBLISH_FORKED"));
    expect([await keysOf(bucket, "runs/"), (await store.metadata.run(run.sequence))?.status]).toEqual([[], "running"]);
    await closeStore(out);
  });

  test("two processes with the same records are no such copies", async () => {
    await aRun(store);
    await attachStore(store.metadata, bucket);
    const second = await openFolder(store.folder);
    await aRun(second, ["b"]);
    await Promise.all([publishStore(store, bucket), publishStore(second, bucket)]);
    await aRun(store, ["a"]);
    await Promise.all([publishStore(second, bucket), publishStore(store, bucket)]);
    await rebuildIn("out");
    const out = await openFolder(path.join(folder, "out"));
    expect(await out.metadata.countRuns({})).toBe(3);
    await closeStore(out);
    await closeStore(second);
  });
});

describe("what is missing or was changed", () => {
  const cases: readonly (readonly [string, (keys: readonly string[]) => string, RegExp])[] = [
    [
      "a large value",
      (keys) => keys.find((key) => key.startsWith("blobs/"))!,
      /Train\/1: the value [0-9a-f]{64} is not in the bucket/,
    ],
    ["a pack", (keys) => keys.find((key) => key.startsWith("packs/"))!, /packs\/.*it is not there/],
    ["an object of the log", () => logKey(1), /log\/0{11}1.*it is not there, and one behind it is/],
  ];

  test.each(cases)("%s that is missing is named, and nothing is left of what was built", async (_, choose, says) => {
    await aRun(store, ["a"]);
    await publishStore(store, bucket);
    await aRun(store, ["b"]);
    await publishStore(store, bucket);
    await bucket.delete(choose(await keysOf(bucket)));
    const refused = await rebuildIn("out").then(
      () => undefined,
      (error: Error & { code: string; problems?: readonly { message: string }[] }) => error,
    );
    expect(refused?.code).toBe("FLOW_PUBLISH_DAMAGED");
    expect([refused!.message, ...(refused!.problems ?? []).map(({ message }) => message)].join("\n")).toMatch(says);
    expect(fs.existsSync(databaseOf(path.join(folder, "out")))).toBe(false);
    expect(filesOf(path.join(folder, "out")).filter((name) => name.startsWith("millrace.db"))).toEqual([]);
  });

  test("every object counts: one changed byte in any of them is told", async () => {
    await aRun(store, ["a"]);
    await publishStore(store, bucket);
    for (const key of await keysOf(bucket)) {
      if (key.startsWith("blobs/")) continue; // Read and hashed by whoever asks for the value; here its size is looked at.
      const changed = openMemoryBlobStore();
      for (const each of await keysOf(bucket)) {
        const bytes = Buffer.from((await bucket.get(each))!);
        if (each === key) bytes[bytes.length >> 1]! ^= 4;
        await changed.put(each, [bytes]);
      }
      const refused = rebuildInto(changed, path.join(folder, "out"));
      await expect([
        key,
        await refused.then(
          () => "built",
          (error) => error.code,
        ),
      ]).toEqual([key, key === IDENTITY_KEY ? "FLOW_PUBLISH_NEWER_FORMAT" : "FLOW_PUBLISH_DAMAGED"]);
    }
  });

  test("all that is wrong is told together", async () => {
    await aRun(store, ["a"]);
    await aRun(store, ["b"]);
    await publishStore(store, bucket);
    for (const key of await keysOf(bucket, "packs/")) await bucket.delete(key);
    await expect(rebuildIn("out")).rejects.toMatchObject({ code: "FLOW_PUBLISH_DAMAGED", problems: [{}, {}] });
  });

  test("records are not built over others", async () => {
    await publishStore(store, bucket);
    await expect(rebuildInto(bucket, store.folder)).rejects.toEqual(code("FLOW_METADATA_CONFLICT"));
    expect(await store.metadata.countRuns({})).toBe(0);
  });
});

describe("a command", () => {
  test("that only reads tells nothing; one that writes tells what another one could not", async () => {
    await aRun(store);
    await attachStore(store.metadata, bucket);
    await publishStore(store, bucket);
    await aRun(store, ["untold"]); // By a process that died before it told anybody.
    const log = await keysOf(bucket, "log/");
    const calls: string[] = [];
    const openBucket = async (): Promise<BlobStore> => {
      calls.push("opened");
      return bucket;
    };
    const reading = publishingRecords(store.metadata, { openBucket, onUntold: () => {} });
    await reading.metadata.runs({});
    await reading.settle();
    expect([calls, await keysOf(bucket, "log/")]).toEqual([[], log]);
    const writing = publishingRecords(store.metadata, { openBucket, onUntold: () => {} });
    await store.metadata.setTagPolicy({
      actor: "a",
      host: "h",
      at,
      via: "t",
      policy: { pattern: "x", protected: true },
    });
    await writing.settle();
    expect(await store.metadata.bucket.news(1)).toEqual([]);
    expect((await keysOf(bucket, "log/")).length).toBe(log.length + 1);
  });

  test("says what it could not tell, once", async () => {
    const untold: unknown[] = [];
    const gone = publishingRecords(store.metadata, {
      openBucket: () => Promise.reject(new Error("down")),
      onUntold: (error) => void untold.push(error),
    });
    await attachStore(store.metadata, bucket);
    await gone.metadata.setTagPolicy({
      actor: "a",
      host: "h",
      at,
      via: "t",
      policy: { pattern: "x", protected: true },
    });
    await gone.settle();
    expect(untold).toMatchObject([{ message: "down" }]);
    expect(await store.metadata.tagPolicies()).toHaveLength(1);
  });
});

describe("a run", () => {
  test("does not succeed when its packs cannot be written, and does after that", async () => {
    let isDown = false;
    const down = new Proxy(bucket, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        return (...args: unknown[]): unknown => {
          if (isDown && name === "put" && String(args[0]).startsWith("packs/"))
            return Promise.reject(new Error("down"));
          return Reflect.apply(value, target, args);
        };
      },
    });
    const untold: unknown[] = [];
    const { metadata } = publishingRecords(store.metadata, {
      openBucket: async () => down,
      onUntold: (error) => void untold.push(error),
    });
    const run = await metadata.createRun(newRun());
    const task = await metadata.reserveTasks(1);
    await metadata.commitTick(
      tick({
        run: run.sequence,
        started: [started(run, task, { attempt: 1, path: "1" as never })],
        blobs: [blobOf("small")],
        finished: [finished(task, { artifacts: [artifactOf("small", "small")] })],
      }),
    );
    const end = { run: run.sequence, execution: 1, finishedAt: at } as const;
    isDown = true;
    await expect(metadata.finishRun({ ...end, status: "succeeded", endTask: task })).rejects.toThrow("down");
    expect(await metadata.run(run.sequence)).toMatchObject({ status: "running" });
    await metadata.finishRun({
      ...end,
      status: "failed",
      failure: { error: { code: "FLOW_X", name: "E", message: "down" } } as never,
    });
    expect([untold.length, (await metadata.run(run.sequence))?.status]).toEqual([1, "failed"]);
    isDown = false;
    const execution = await metadata.beginExecution({
      run: run.sequence,
      actor: "a",
      at,
      runner: { host: "m", pid: 1 },
      command: [],
    } as never);
    await metadata.finishRun({ ...end, execution, status: "succeeded", endTask: task });
    await rebuildIn("out");
    const out = await openFolder(path.join(folder, "out"));
    expect(await out.metadata.runs({})).toMatchObject([{ status: "succeeded", execution: { number: 2 } }]);
    await closeStore(out);
  });

  test("whose success was written and could not be recorded is what was recorded then", async () => {
    const { metadata } = publishingRecords(store.metadata, {
      openBucket: async () => bucket,
      onUntold: (error) => {
        throw error;
      },
    });
    const run = await metadata.createRun(newRun());
    const end = { run: run.sequence, execution: 1, finishedAt: at } as const;
    const { Publisher } = await import("../../packages/core/src/publish/publisher.ts");
    await new Publisher({ metadata: store.metadata, bucket }).run(run).beforeSuccess({ ...end, status: "succeeded" });
    await metadata.finishRun({ ...end, status: "failed" });
    expect(await keysOf(bucket, "runs/")).toEqual([`runs/${run.id}/1`, `runs/${run.id}/1.1`]);
    await rebuildIn("out");
    const out = await openFolder(path.join(folder, "out"));
    expect(await out.metadata.runs({})).toMatchObject([{ status: "failed" }]);
    await closeStore(out);
  });

  test("of two thousand tasks is few objects", async () => {
    const { metadata } = publishingRecords(store.metadata, {
      openBucket: async () => bucket,
      onUntold: (error) => {
        throw error;
      },
    });
    const run = await metadata.createRun(newRun());
    const first = await metadata.reserveTasks(2_000);
    for (let index = 0; index < 2_000; index += 20) {
      const tasks = Array.from({ length: 20 }, (_, place) => first + index + place);
      await metadata.commitTick(
        tick({
          run: run.sequence,
          started: tasks.map((task) => started(run, task, { attempt: 1, path: String(task) as never })),
          blobs: tasks.map((task) => blobOf(`value ${task}`)),
          finished: tasks.map((task) => finished(task, { artifacts: [artifactOf("value", `value ${task}`)] })),
        }),
      );
    }
    await metadata.finishRun({ run: run.sequence, execution: 1, status: "succeeded", finishedAt: at, endTask: first });
    const keys = await keysOf(bucket);
    expect(keys.filter((key) => key.startsWith("runs/"))).toHaveLength(1);
    expect(keys.length).toBeLessThan(20); // A pack a second at most, the log, the manifest and whose it is.
    await rebuildIn("out");
    const out = await openFolder(path.join(folder, "out"));
    const [again] = await out.metadata.runs({});
    expect((await out.metadata.taskCounts(again!.sequence))[0]).toMatchObject({ attempts: 2_000 });
    await closeStore(out);
  });
});
