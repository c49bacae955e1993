/** Values in a bucket, beside the bare SDK on the same server: radosgw, installed and started as for the tests. */
import { createHash, randomFillSync } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { radosgw } from "../../test/kit/radosgw.ts";
import { fromSource } from "../kit/from-source.mjs";
import { atLeast } from "../kit/goal.mjs";
import { NotOffered } from "../kit/trial.mjs";

const MB = 1024 * 1024;
const PART_BYTES = 8 * MB;
const PARTS_AT_ONCE = 4;
const SMALL_VALUES = 1_000;
const REQUESTS_AT_ONCE = 32;
/** Room for what was deleted and is not swept yet. */
const DEVICE_BYTES = 10 * 1024 * MB;

export default function bucketsTopic() {
  return [large(100, 7), large(1024, 3), small];
}

async function openSides() {
  const server = await radosgw({ deviceBytes: DEVICE_BYTES });
  if (server === undefined) throw new NotOffered("radosgw could not be installed or started");
  const { endpoint, credentials } = server;
  process.env.AWS_ACCESS_KEY_ID = credentials.accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = credentials.secretAccessKey;
  const bucket = await server.makeBucket();
  const sdk = await import("@aws-sdk/client-s3");
  const client = new sdk.S3Client({ endpoint, credentials, region: "us-east-1", forcePathStyle: true });
  const { openBucket } = await fromSource("wiring/open-bucket.ts");
  const url = { kind: "s3", bucket, prefix: "", options: { endpoint }, text: `s3://${bucket}?endpoint=${endpoint}` };
  return { store: await openBucket(url), sdk, client, bucket };
}

/** What the I/O thread of a process works with: values go out of the spool's folder and come into that of the cache. */
async function openService(store, folder) {
  const { RemoteService } = await fromSource("storage/remote/remote-service.ts");
  const { CacheFolder } = await fromSource("storage/remote/cache-folder.ts");
  const { openFsBlobStore } = await fromSource("storage/fs/fs-blob-store.ts");
  const { payloadCheck } = await fromSource("artifact/payload-check.ts");
  const spoolFolder = path.join(folder, "spool");
  const temporaryFolder = path.join(folder, "tmp");
  const cache = new CacheFolder({ folder: path.join(folder, "cache"), temporaryFolder, limitBytes: DEVICE_BYTES });
  const spool = openFsBlobStore(spoolFolder, { temporaryFolder, isDurable: false });
  const service = new RemoteService({ store, cache, spool, spoolFolder, checkOf: payloadCheck });
  return { service, cache, spool };
}

function large(megabytes, repeats) {
  const size = megabytes === 1024 ? "1 GB" : `${megabytes} MB`;
  const bytes = megabytes * MB;
  return {
    what: `${size} in a bucket`,
    repeats,
    async open({ folder }) {
      const sides = await openSides();
      const value = randomFillSync(Buffer.allocUnsafeSlow(bytes));
      return { ...sides, ...(await openService(sides.store, folder)), value, bytes, folder };
    },
    sides: {
      async millrace({ store, value, bytes }, round) {
        const key = `millrace/${round}`;
        const putMs = await timeOf(() => store.put(key, [value]));
        const getMs = await timeOf(async () => checkSize(await store.get(key), bytes));
        await store.delete(key);
        return { putMs, getMs };
      },
      async sdk({ sdk, client, bucket, value, bytes }, round) {
        const named = { Bucket: bucket, Key: `sdk/${round}` };
        const putMs = await timeOf(() => client.send(new sdk.PutObjectCommand({ ...named, Body: value })));
        const getMs = await timeOf(async () => {
          const { Body } = await client.send(new sdk.GetObjectCommand(named));
          checkSize(await Body.transformToByteArray(), bytes);
        });
        await client.send(new sdk.DeleteObjectCommand(named));
        return { putMs, getMs };
      },
      async parts(context, round) {
        const putMs = await timeOf(() => putParts(context, `parts/${round}`));
        await context.client.send(
          new context.sdk.DeleteObjectCommand({ Bucket: context.bucket, Key: `parts/${round}` }),
        );
        return { putMs };
      },
      async files({ service, cache, spool, value, bytes }) {
        const digest = sha256(value);
        const key = `blobs/sha256/${digest.slice(0, 2)}/${digest}`;
        spool.putSync(key, [value]);
        const settle = { name: "settle", ask: { values: [{ key, sizeBytes: bytes }] } };
        const putMs = await timeOf(() => service.perform(settle));
        cache.drop(key);
        const fetch = { name: "fetch", ask: { values: [{ key, sizeBytes: bytes }] } };
        const getMs = await timeOf(() => service.perform(fetch));
        checkSize({ length: cache.sizeOf(key) }, bytes);
        await service.perform({ name: "delete", ask: { key } });
        return { putMs, getMs };
      },
      /** The same by hand: a file is read and hashed, one request; one request, hashed, a file is written and gets its name. */
      async sdkFiles({ sdk, client, bucket, value, bytes, folder }, round) {
        const named = { Bucket: bucket, Key: `files/${round}` };
        const digest = sha256(value);
        const file = path.join(folder, "value");
        fs.writeFileSync(file, value);
        const putMs = await timeOf(async () => {
          const Body = fs.readFileSync(file);
          if (sha256(Body) !== digest) throw new Error("the file is another one");
          await client.send(new sdk.PutObjectCommand({ ...named, Body }));
        });
        fs.rmSync(file);
        const getMs = await timeOf(async () => {
          const { Body } = await client.send(new sdk.GetObjectCommand(named));
          const came = await Body.transformToByteArray();
          if (sha256(came) !== digest) throw new Error("another value came");
          fs.writeFileSync(`${file}.new`, came);
          fs.renameSync(`${file}.new`, file);
        });
        checkSize({ length: fs.statSync(file).size }, bytes);
        fs.rmSync(file);
        await client.send(new sdk.DeleteObjectCommand(named));
        return { putMs, getMs };
      },
    },
    close: closeSides,
    rows: [
      {
        what: `${size}: put, rate / the better rate of the SDK, in one request or in parts`,
        unit: "x",
        goal: atLeast(0.8),
        figure: ({ millrace, sdk, parts }) => Math.min(sdk.putMs, parts.putMs) / millrace.putMs,
        shown: ({ millrace, sdk, parts }) =>
          `${rate(bytes, millrace.putMs)}; SDK ${rate(bytes, sdk.putMs)}, in parts ${rate(bytes, parts.putMs)}`,
      },
      {
        what: `${size}: get, rate / rate of the SDK`,
        unit: "x",
        goal: atLeast(0.8),
        figure: ({ millrace, sdk }) => sdk.getMs / millrace.getMs,
        shown: ({ millrace, sdk }) => `${rate(bytes, millrace.getMs)}; SDK ${rate(bytes, sdk.getMs)}`,
      },
      ...[
        ["putMs", "put from a file of the spool, checked"],
        ["getMs", "get into a file of the cache, checked"],
      ].map(([ms, what]) => ({
        what: `${size}: ${what}, rate / rate of the SDK with SHA-256 and the file`,
        unit: "x",
        goal: atLeast(0.8),
        figure: ({ files, sdkFiles }) => sdkFiles[ms] / files[ms],
        shown: ({ files, sdkFiles, sdk }) =>
          `${rate(bytes, files[ms])}; SDK ${rate(bytes, sdkFiles[ms])}, without file and SHA-256 ${rate(bytes, sdk[ms])}`,
      })),
    ],
  };
}

const small = {
  what: "1,000 small values in a bucket",
  open: openSides,
  sides: {
    async millrace({ store }, round) {
      const keys = smallKeys("millrace", round);
      const putMs = await timeOf(() => Promise.all(keys.map((key) => store.put(key, [Buffer.alloc(1_000, key)]))));
      const getMs = await timeOf(() => Promise.all(keys.map((key) => store.get(key))));
      return { putMs, getMs };
    },
    async sdk({ sdk, client, bucket }, round) {
      const keys = smallKeys("sdk", round);
      const put = (Key) =>
        client.send(
          new sdk.PutObjectCommand({ Bucket: bucket, Key, Body: Buffer.alloc(1_000, Key), IfNoneMatch: "*" }),
        );
      const get = async (Key) => {
        const { Body } = await client.send(new sdk.GetObjectCommand({ Bucket: bucket, Key }));
        await Body.transformToByteArray();
      };
      const putMs = await timeOf(() => manyAtOnce(keys, put));
      const getMs = await timeOf(() => manyAtOnce(keys, get));
      return { putMs, getMs };
    },
  },
  close: closeSides,
  rows: ["put", "get"].map((verb) => ({
    what: `1,000 small values: ${verb}, rate / rate of the SDK with ${REQUESTS_AT_ONCE} requests at once`,
    unit: "x",
    goal: atLeast(0.8),
    figure: ({ millrace, sdk }) => sdk[`${verb}Ms`] / millrace[`${verb}Ms`],
    shown: ({ millrace, sdk }) =>
      `${perSecond(millrace[`${verb}Ms`])}; SDK ${perSecond(sdk[`${verb}Ms`])} values a second`,
  })),
};

async function closeSides({ store, client }) {
  await store.close();
  client.destroy();
}

/** What a careful user of the SDK writes: parts of 8 MiB, some at once. */
async function putParts({ sdk, client, bucket, value }, key) {
  const named = { Bucket: bucket, Key: key };
  const { UploadId } = await client.send(new sdk.CreateMultipartUploadCommand(named));
  const numbers = Array.from({ length: Math.ceil(value.length / PART_BYTES) }, (_, index) => index + 1);
  const Parts = [];
  const send = async (PartNumber) => {
    const Body = value.subarray((PartNumber - 1) * PART_BYTES, PartNumber * PART_BYTES);
    const { ETag } = await client.send(new sdk.UploadPartCommand({ ...named, UploadId, PartNumber, Body }));
    Parts[PartNumber - 1] = { PartNumber, ETag };
  };
  await manyAtOnce(numbers, send, PARTS_AT_ONCE);
  await client.send(new sdk.CompleteMultipartUploadCommand({ ...named, UploadId, MultipartUpload: { Parts } }));
}

async function manyAtOnce(items, work, atOnce = REQUESTS_AT_ONCE) {
  const waiting = items.values();
  const one = async () => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, one));
}

function smallKeys(side, round) {
  return Array.from({ length: SMALL_VALUES }, (_, index) => `${side}/${round}/${index}`);
}

async function timeOf(work) {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

function checkSize(value, bytes) {
  if (value.length !== bytes) throw new Error(`${value.length} of ${bytes} bytes came`);
}

function rate(bytes, milliseconds) {
  return `${(bytes / MB / (milliseconds / 1_000)).toFixed(0)} MB/s`;
}

function perSecond(milliseconds) {
  return (SMALL_VALUES / (milliseconds / 1_000)).toFixed(0);
}
