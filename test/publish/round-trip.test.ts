/** A store that real commands have made goes into a bucket, and its records come out of it again as they were. */
import fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { publishStore } from "../../packages/core/src/publish/publish-store.ts";
import type { BlobStore } from "../../packages/core/src/storage/blob-store.ts";
import { openFsBlobStore } from "../../packages/core/src/storage/fs/fs-blob-store.ts";
import { openMemoryBlobStore } from "../../packages/core/src/storage/memory/memory-blob-store.ts";
import { Project } from "../kit/project.ts";
import { FLOWS } from "../transfer/flows.ts";
import {
  bucketFaultsOf,
  closeStore,
  exportsOf,
  type FolderStore,
  filesOf,
  findingsOf,
  keysOf,
  openFolder,
  rebuildInto,
} from "./publish-kit.ts";

const project = new Project(FLOWS);
const folder = project.file(".millrace");

afterAll(() => project[Symbol.asyncDispose]());

const flow = async (code: number, ...words: readonly string[]): Promise<void> => {
  const called = await project.flow(words);
  expect([words, called.code, called.stderr, called.stdout]).toEqual([
    words,
    code,
    expect.anything(),
    expect.anything(),
  ]);
};

beforeAll(async () => {
  await flow(0, "run", "data.ts");
  await flow(0, "run", "train.ts", "--tag", "prod:v1");
  await flow(0, "run", "train.ts", "-k", "4");
  await flow(1, "run", "fails.ts");
  await flow(0, "run", "outer.ts", "--flow", "Outer");
  await flow(0, "resume", "Train/1", "--from", "gather");
  await flow(0, "tag", "add", "Train/1", "eu", "--reason", "größer");
  await flow(0, "tag", "policy", "set", "prod:*", "--succeeded-only");
  await flow(0, "run", "data.ts");
  await flow(0, "runs", "delete", "Data/2", "--reason", "test");
  await flow(0, "export", "Train/2", "-o", "train.tar");
  await flow(0, "runs", "delete", "Train/2");
  await flow(0, "import", "train.tar");
}, 300_000);

const copyOf = (name: string): string => {
  fs.cpSync(folder, project.file(name), { recursive: true });
  return project.file(name);
};

async function published(store: FolderStore): Promise<BlobStore> {
  const bucket = openMemoryBlobStore();
  await publishStore(store, bucket);
  return bucket;
}

test("every run comes back with the same export, number, sequence, tags and status", async () => {
  const store = await openFolder(copyOf("whole"));
  const bucket = openFsBlobStore(project.file("bucket"));
  const report = await publishStore(store, bucket);
  const before = await exportsOf(store);
  const { metadata } = store;
  const kept = async ({ metadata }: FolderStore) => ({
    info: await metadata.info(),
    policies: await metadata.tagPolicies(),
    events: await metadata.tagEvents({}),
    tags: await metadata.tags({}),
    flows: await metadata.flows(),
    deleted: await metadata.deletedRunsByNumber({ name: "Data" }, 2),
    calls: await Promise.all(
      (await metadata.runs({ limit: 100 })).map(async ({ sequence }) => [
        sequence,
        (await metadata.childRuns(sequence)).map(({ id }) => id),
        (await metadata.childCall(sequence))?.inputsDigest,
        (await metadata.finishedTasks(sequence)).steps,
      ]),
    ),
  });
  const facts = await kept(store);
  expect(facts.deleted).toHaveLength(1);
  expect((await metadata.runs({ limit: 100 })).some(({ imported }) => imported !== undefined)).toBe(true);
  await closeStore(store);

  const rebuilt = await rebuildInto(bucket, project.file("rebuilt"));
  expect(rebuilt).toMatchObject({ runs: report.written, deleted: 0 });
  const again = await openFolder(project.file("rebuilt"));
  expect(await exportsOf(again)).toEqual(before);
  expect(Object.keys(before).length).toBeGreaterThan(6);
  expect(await kept(again)).toEqual(facts);
  await closeStore(again);
  expect(await findingsOf(project.file("rebuilt"))).toEqual([]);
  expect(await bucketFaultsOf(store.folder, bucket)).toEqual([]);
  expect(await bucketFaultsOf(project.file("rebuilt"), bucket)).toEqual([]);
  expect(filesOf(project.file("rebuilt")).filter((name) => name.includes("rebuilt"))).toEqual([]);
});

test("a rebuilt store goes on: the next run has the next number and sequence", async () => {
  const store = await openFolder(copyOf("numbered"));
  const [newest] = await store.metadata.runs({ limit: 1 });
  await rebuildInto(await published(store), project.file("goes-on"));
  await closeStore(store);
  const called = await project.flow(["run", "data.ts", "--json", "--store", project.file("goes-on")]);
  expect(called.code).toBe(0);
  const again = await openFolder(project.file("goes-on"));
  const [next] = await again.metadata.runs({ limit: 1 });
  expect([next!.number, next!.sequence > newest!.sequence]).toEqual([3, true]);
  await closeStore(again);
});

test("what is there is not written again, and what is new is", async () => {
  const store = await openFolder(copyOf("twice"));
  const bucket = openMemoryBlobStore();
  const first = await publishStore(store, bucket);
  const keys = await keysOf(bucket);
  expect(await publishStore(store, bucket)).toEqual({
    ...first,
    written: 0,
    present: first.written,
    blobs: 0,
    bytes: 0,
  });
  expect(await keysOf(bucket)).toEqual(keys);
  await closeStore(store);
  expect((await project.flow(["run", "data.ts", "--store", project.file("twice")])).code).toBe(0);
  const longer = await openFolder(project.file("twice"));
  expect(await publishStore(longer, bucket)).toMatchObject({ written: 1, present: first.written });
  await rebuildInto(bucket, project.file("twice-rebuilt"));
  const again = await openFolder(project.file("twice-rebuilt"));
  expect(await exportsOf(again)).toEqual(await exportsOf(longer));
  await closeStore(longer);
  await closeStore(again);
});
