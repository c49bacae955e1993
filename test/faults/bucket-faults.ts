/**
 * A bucket behind a network that fails, on any server: what was asked is done in the end, once, and what is read
 * is what was put; or an error says so within a stated time.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { blobKey } from "../../packages/core/src/artifact/blob-layout.ts";
import { digestOf } from "../../packages/core/src/artifact/digest.ts";
import { payloadCheck } from "../../packages/core/src/artifact/payload-check.ts";
import { parseStoreText } from "../../packages/core/src/config/bucket-url.ts";
import type { BlobStore } from "../../packages/core/src/storage/blob-store.ts";
import { openFsBlobStore } from "../../packages/core/src/storage/fs/fs-blob-store.ts";
import { CacheFolder } from "../../packages/core/src/storage/remote/cache-folder.ts";
import { RemoteService } from "../../packages/core/src/storage/remote/remote-service.ts";
import { StoreMetrics } from "../../packages/core/src/storage/wrappers/metrics-blob-store.ts";
import { type OpenBucketOptions, openBucket } from "../../packages/core/src/wiring/open-bucket.ts";
import { type FaultProxy, type ProxiedRequest, startFaultProxy } from "../kit/fault-proxy.ts";
import { seeded } from "../kit/seed.ts";

export interface BucketServer {
  readonly endpoint: string;
  /** The address of an empty bucket of it, with a prefix, by way of an endpoint: of the server's own or of a proxy before it. */
  url(endpoint: string): string;
  /** Credentials. */
  readonly environment: Readonly<Record<string, string>>;
  /** Variables that are other credentials, which the server does not know; absent where it wants none. */
  readonly strangers?: Readonly<Record<string, string>>;
  readonly isValueRead: (request: ProxiedRequest) => boolean;
  readonly isWrite: (request: ProxiedRequest) => boolean;
  /** Requests of a value in parts, one of each kind. */
  readonly partRequests: readonly ((request: ProxiedRequest) => boolean)[];
  stop(): Promise<void>;
}

/** Many tries and short waits: a third of the requests fails, and no test shall wait for chance. */
const RETRY = { tries: 30, baseMs: 1, capMs: 5 };
const LARGE_BYTES = 17 * 1024 * 1024;

/** A server that speaks S3. */
export function s3Server(server: {
  readonly endpoint: string;
  readonly bucket: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  stop(): Promise<void>;
}): BucketServer {
  const { endpoint, bucket, credentials, stop } = server;
  return {
    endpoint,
    stop,
    url: (by) => `s3://${bucket}/team/flows?endpoint=${by}`,
    environment: {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    strangers: { AWS_ACCESS_KEY_ID: "AKIANOBODYKNOWSTHIS1" },
    isValueRead: ({ method, path }) => method === "GET" && !path.includes("list-type"),
    isWrite: ({ method }) => method === "PUT",
    partRequests: [
      ({ method, path }) => method === "POST" && path.includes("uploads"),
      ({ method, path }) => method === "PUT" && path.includes("partNumber=2"),
      ({ method, path }) => method === "POST" && path.includes("uploadId"),
    ],
  };
}

export function bucketFaults(name: string, start: () => Promise<BucketServer>): void {
  const { seed, random } = seeded(`bucket-faults-${name}`);

  describe(`a bucket of ${name} behind a bad network`, () => {
    let server: BucketServer;
    const isValueRead = (request: ProxiedRequest) => server.isValueRead(request);
    const isWrite = (request: ProxiedRequest) => server.isWrite(request);
    let proxy: FaultProxy;
    let metrics: StoreMetrics;
    const opened: BlobStore[] = [];

    beforeEach(async () => {
      server = await start();
      Object.assign(process.env, server.environment);
      proxy = await startFaultProxy(server.endpoint, seed);
      metrics = new StoreMetrics();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((store) => store.close()));
      await proxy.stop();
      await server.stop();
    });

    async function open(options: OpenBucketOptions = {}, endpoint = proxy.endpoint): Promise<BlobStore> {
      const place = parseStoreText(server.url(endpoint), { base: "/", setting: "--store" });
      if (place.kind !== "bucket") throw new Error("it names no bucket");
      const store = await openBucket(place.bucket, { metrics, retry: RETRY, ...options });
      opened.push(store);
      return store;
    }

    const retries = () => Object.values(metrics.figures()).reduce((sum, verb) => sum + verb.retries, 0);

    function randomBytes(size: number): Uint8Array {
      return Uint8Array.from({ length: size }, () => Math.floor(random() * 256));
    }

    async function* pieces(value: Uint8Array): AsyncGenerator<Uint8Array, void> {
      for (let at = 0; at < value.length; at += 1_000_000) yield value.subarray(at, at + 1_000_000);
    }

    test("W1: with 30 % of 503, resets and lost answers everything is done, and each further try is counted", async () => {
      const store = await open();
      proxy.plan = { faults: ["busy", "reset", "lost"], share: 0.3 };
      const values = new Map(
        Array.from({ length: 40 }, (_, index) => [`v/${String(index).padStart(2, "0")}`, randomBytes(index * 50)]),
      );
      const answers = await Promise.all([...values].map(([key, value]) => store.put(key, [value])));
      expect(new Set(answers)).toEqual(new Set(["created"]));
      const keys: string[] = [];
      for (let after: string | undefined = ""; after !== undefined; ) {
        const page = await store.list({ prefix: "v/", limit: 15, after });
        keys.push(...page.keys);
        after = page.next;
      }
      expect(keys).toEqual([...values.keys()]);
      await Promise.all([...values].map(async ([key, value]) => expect(await store.get(key)).toEqual(value)));
      await Promise.all([...values.keys()].slice(0, 20).map((key) => store.delete(key)));
      proxy.plan = undefined;
      expect((await store.list({ prefix: "v/" })).keys).toEqual([...values.keys()].slice(20));
      expect(proxy.happened.length).toBeGreaterThan(20);
      expect(retries()).toBe(proxy.happened.length);
    });

    test("W2: a body that ends in the middle is read again, whole or in part", async () => {
      const store = await open();
      const value = randomBytes(50_000);
      await store.put("k", [value]);
      proxy.plan = { faults: ["partial"], share: 0.5, only: isValueRead };
      for (let round = 0; round < 10; round++) {
        expect(await store.get("k")).toEqual(value);
        expect(await store.get("k", { start: 100, end: 20_000 })).toEqual(value.subarray(100, 20_000));
      }
      expect(proxy.happened.length).toBeGreaterThan(2);
      expect(metrics.figures().get!.retries).toBe(proxy.happened.length);
    });

    test("W2: when every body ends in the middle, an error says so after the last try", async () => {
      const store = await open({ retry: { ...RETRY, tries: 3 } });
      await store.put("k", [randomBytes(50_000)]);
      proxy.plan = { faults: ["partial"], share: 1, only: isValueRead };
      await expect(store.get("k")).rejects.toMatchObject({
        code: "FLOW_STORAGE_UNAVAILABLE",
        context: { isTransient: true, tries: 3 },
      });
      expect(proxy.happened).toHaveLength(3);
    });

    test("W3: a flipped bit is found by the digest, and the value is fetched again", async () => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-flipped-"));
      const [spoolFolder, temporaryFolder] = [path.join(folder, "spool"), path.join(folder, "tmp")];
      const cache = new CacheFolder({ folder: path.join(folder, "cache"), temporaryFolder, limitBytes: 1e9 });
      const spool = openFsBlobStore(spoolFolder, { temporaryFolder, isDurable: false });
      const store = await open();
      const service = new RemoteService({ store, cache, spool, spoolFolder, checkOf: payloadCheck });
      const value = randomBytes(50_000);
      const key = blobKey(digestOf([value]), "none");
      const fetch = () => service.perform({ name: "fetch", ask: { values: [{ key }] } });
      await store.put(key, [value]);
      proxy.plan = { faults: ["flipped"], share: 1, only: isValueRead, limit: 2 };
      expect(await fetch()).toEqual(["here"]);
      expect(cache.getSync(key)).toEqual(value);
      expect(proxy.happened).toHaveLength(2);
      cache.drop(key);
      proxy.plan = { faults: ["flipped"], share: 1, only: isValueRead };
      expect(await fetch()).toEqual(["damaged"]);
      expect(cache.has(key)).toBe(false);
      fs.rmSync(folder, { recursive: true });
    });

    test("W3: an error under status 200 is never a value", async () => {
      const store = await open();
      const value = randomBytes(500);
      await store.put("k", [value]);
      proxy.plan = { faults: ["error-as-value"], share: 0.5 };
      for (let round = 0; round < 10; round++) {
        expect(await store.get("k")).toEqual(value);
        expect((await store.stat("k"))!.sizeBytes).toBe(500);
        expect(await store.put(`l${round}`, [value])).toBe("created");
      }
      expect(proxy.happened.length).toBeGreaterThan(5);
      proxy.plan = { faults: ["error-as-value"], share: 1 };
      const failing = (await open({ retry: { ...RETRY, tries: 2 } })).get("k");
      await expect(failing).rejects.toMatchObject({ code: "FLOW_STORAGE_UNAVAILABLE", context: { tries: 2 } });
    });

    test("W4: an answer that was lost leaves one value, and its writer knows it as their own", async () => {
      const store = await open();
      proxy.plan = { faults: ["lost"], share: 1, limit: 1, only: isWrite };
      expect(await store.put("k", [randomBytes(100)])).toBe("created");
      proxy.plan = { ...proxy.plan, limit: 2 };
      const version = await store.compareAndSet("state", Uint8Array.of(1), undefined);
      expect(version).toBeTypeOf("string");
      proxy.plan = { ...proxy.plan, limit: 3 };
      expect(await store.compareAndSet("state", Uint8Array.of(2), version)).toBeTypeOf("string");
      expect(proxy.happened.map(({ fault }) => fault)).toEqual(["lost", "lost", "lost"]);
      expect((await store.list({ prefix: "" })).keys).toEqual(["k", "state"]);
      expect(await store.get("state")).toEqual(Uint8Array.of(2));
    });

    test("W4: what another one put while the answer was lost is not taken for one's own", async () => {
      const store = await open();
      const other = await open({}, server.endpoint);
      await other.put("k", [Uint8Array.of(1)]);
      proxy.plan = { faults: ["lost"], share: 1, limit: 1, only: isWrite };
      expect(await store.put("k", [Uint8Array.of(2)])).toBe("exists");
      expect(proxy.happened).toHaveLength(1);
      expect(await store.get("k")).toEqual(Uint8Array.of(1));
    });

    test("W4: a value in parts survives the loss of any of its answers", async () => {
      const value = Buffer.alloc(LARGE_BYTES, randomBytes(65_521));
      for (const isPart of server.partRequests) {
        const store = await open();
        const already = proxy.happened.length;
        proxy.plan = { faults: ["lost"], share: 1, limit: already + 1, only: isPart };
        expect(await store.putStream(`stream/${already}`, pieces(value))).toBe("created");
        expect(proxy.happened).toHaveLength(already + 1);
        proxy.plan = undefined;
        expect(Buffer.compare((await store.get(`stream/${already}`))!, value)).toBe(0);
        expect(await store.put(`stream/${already}`, [value])).toBe("exists");
      }
    });

    test("W5: a service that never answers is a timeout after the stated tries and limits", async () => {
      const limits = { connectMs: 200, idleMs: 200, callMs: 300 };
      const store = await open({ limits, retry: { ...RETRY, tries: 2 } });
      proxy.plan = { faults: ["hole"], share: 1 };
      const calls = [store.get("k"), store.put("k", [Uint8Array.of(1)]), store.list({ prefix: "" })];
      for (const ended of await Promise.allSettled(calls))
        expect(ended).toMatchObject({ reason: { code: "FLOW_STORAGE_TIMEOUT", context: { tries: 2 } } });
      expect(proxy.happened).toHaveLength(6);
      proxy.plan = undefined;
      expect(await store.put("k", [Uint8Array.of(1)])).toBe("created");
    });

    test("W8: what cannot pass is asked once", async () => {
      if (server.strangers === undefined) return;
      Object.assign(process.env, server.strangers);
      const store = await open();
      await expect(store.get("k")).rejects.toMatchObject({ code: "FLOW_STORAGE_CREDENTIALS" });
      expect(proxy.requests).toHaveLength(1);
    });
  });
}
