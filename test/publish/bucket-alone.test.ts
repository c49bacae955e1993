/**
 * The real command with its values in a bucket, and then the bucket alone: the machine with the records is gone. What the bucket was asked is
 * counted, so that a task more is no object more.
 */
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseStoreText } from "../../packages/core/src/config/bucket-url.ts";
import type { BlobStore } from "../../packages/core/src/storage/blob-store.ts";
import { openBucket } from "../../packages/core/src/wiring/open-bucket.ts";
import { rebuildRecords } from "../../packages/core/src/wiring/rebuild-records.ts";
import { type FakeS3, startFakeS3 } from "../kit/fake-s3.ts";
import { Project } from "../kit/project.ts";
import { FLOWS } from "../transfer/flows.ts";
import { BY } from "./publish-kit.ts";

const KEYS = { AWS_ACCESS_KEY_ID: "AK", AWS_SECRET_ACCESS_KEY: "not told to anybody" };
const project = new Project(FLOWS);
let server: FakeS3;
let bucket: BlobStore;
let url: string;

beforeAll(async () => {
  server = await startFakeS3();
  url = `s3://bucket/team?endpoint=${server.endpoint}&region=eu-1`;
  Object.assign(process.env, KEYS);
  const place = parseStoreText(url, { base: project.folder, setting: "a test" });
  if (place.kind !== "bucket") throw new Error("no bucket");
  bucket = await openBucket(place.bucket);
});
afterAll(async () => {
  await bucket.close();
  await project[Symbol.asyncDispose]();
  await server.stop();
  for (const key of Object.keys(KEYS)) delete process.env[key];
});

const flow = async (code: number, ...words: readonly string[]): Promise<any> => {
  const called = await project.flow([...words, "--json"], { env: { MILLRACE_STORE: url, ...KEYS } });
  expect([words, called.code, called.stderr]).toEqual([words, code, expect.anything()]);
  return called.lines;
};

const recordsFolder = (): string => {
  const buckets = project.file(".millrace/buckets");
  return path.join(buckets, fs.readdirSync(buckets)[0]!);
};

const RUNS = ["Data/1", "Train/1", "Train/2", "Fails/1", "Train/3"];

async function exported(name: string): Promise<readonly string[]> {
  const files: string[] = [];
  for (const run of RUNS) {
    const file = `${name}-${run.replace("/", "-")}.tar`;
    await flow(0, "export", run, "-o", file);
    files.push(fs.readFileSync(project.file(file)).toString("base64"));
  }
  return files;
}

test("a bucket alone gives back all that was acknowledged", { timeout: 300_000 }, async () => {
  await flow(0, "run", "data.ts");
  await flow(0, "run", "train.ts", "--tag", "prod:v1");
  await flow(0, "run", "train.ts", "-k", "4");
  await flow(1, "run", "fails.ts");
  await flow(0, "resume", "Train/1", "--from", "gather");
  await flow(0, "tag", "add", "Train/1", "eu", "--reason", "größer");
  await flow(0, "run", "data.ts");
  await flow(0, "runs", "delete", "Data/2", "--reason", "test");
  const before = await exported("before");
  const log = await flow(0, "tag", "log");
  const { keys } = await bucket.list({ prefix: "" });
  expect(keys.filter((key) => key.startsWith("runs/"))).toHaveLength(RUNS.length);

  const folder = recordsFolder();
  fs.rmSync(project.file(".millrace"), { recursive: true });
  await flow(3, "show", "Train/1");
  fs.mkdirSync(folder, { recursive: true });
  const report = await rebuildRecords(bucket, path.join(folder, "millrace.db"), BY);
  expect(report).toMatchObject({ runs: RUNS.length });
  expect(await exported("after")).toEqual(before);
  expect(await flow(0, "tag", "log")).toEqual(log);
  await flow(0, "validate", "Train/1");
  await flow(0, "run", "train.ts");
  expect(recordsFolder()).toBe(folder);
});
