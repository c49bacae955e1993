/** Stores that do not honour conditional writes: found by writing, told with what it costs, and used with care (W9). */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BlobStore } from "../../packages/core/src/storage/blob-store.ts";
import { openMemoryBlobStore } from "../../packages/core/src/storage/memory/memory-blob-store.ts";
import { probeStore } from "../../packages/core/src/storage/probe.ts";
import { openS3BlobStore, type S3StoreOptions } from "../../packages/core/src/storage/s3/index.ts";
import { type FakeS3, startFakeS3 } from "../kit/fake-s3.ts";

const credentials = { accessKeyId: "test-key", secretAccessKey: "test-secret" };
const opened: BlobStore[] = [];
let server: FakeS3;
beforeEach(async () => {
  server = await startFakeS3();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
  await server.stop();
});

async function open(options: Partial<S3StoreOptions> = {}): Promise<BlobStore> {
  const store = await openS3BlobStore({ bucket: "bucket", endpoint: server.endpoint, credentials, ...options });
  opened.push(store);
  return store;
}

describe("the probe", () => {
  test("finds nothing missing where conditions are honoured, and leaves nothing behind", async () => {
    expect(await probeStore(await open())).toEqual({ createOnce: "honoured", compareAndSet: true });
    expect(server.buckets.objects().size).toBe(0);
    expect(await probeStore(openMemoryBlobStore())).toEqual({ createOnce: "honoured", compareAndSet: true });
  });
  test("finds a service that ignores them without a word, and says what that costs", async () => {
    server.settings.conditionalWrites = "ignored";
    expect(await probeStore(await open())).toEqual({
      createOnce: "ignored",
      compareAndSet: false,
      warning: expect.stringMatching(/ignores conditional writes.* one more request .* one machine at a time/s),
    });
    expect(server.buckets.objects().size).toBe(0);
  });
  test("finds a service that refuses them", async () => {
    server.settings.conditionalWrites = "refused";
    expect(await probeStore(await open())).toMatchObject({
      createOnce: "refused",
      compareAndSet: false,
      warning: expect.stringContaining("refuses conditional writes"),
    });
    expect(server.buckets.objects().size).toBe(0);
  });
  test("finds a service that knows If-None-Match alone", async () => {
    server.settings.ifMatch = "ignored";
    expect(await probeStore(await open())).toEqual({
      createOnce: "honoured",
      compareAndSet: false,
      warning: expect.stringContaining("If-Match"),
    });
  });
  test("of a bucket that is not there is its error", async () => {
    const failing = probeStore(await open({ bucket: "nowhere" }));
    await expect(failing).rejects.toMatchObject({ code: "FLOW_STORAGE_NO_BUCKET" });
  });
});

describe.each(["ignored", "refused"] as const)("a service where conditions are %s, with createOnce checked", (how) => {
  beforeEach(() => {
    server.settings.conditionalWrites = how;
    server.settings.minPartBytes = 1;
  });
  const options = { createOnce: "checked", partsFromBytes: 1_000, partBytes: 400 } as const;

  test.each([1, 2_000])("keeps the first value of %i bytes", async (size) => {
    const store = await open(options);
    expect(store.capabilities).toMatchObject({ createOnce: "checked", compareAndSet: false });
    expect(await store.put("k", [new Uint8Array(size).fill(1)])).toBe("created");
    expect(await store.put("k", [new Uint8Array(size).fill(2)])).toBe("exists");
    async function* pieces(): AsyncGenerator<Uint8Array, void> {
      yield new Uint8Array(size).fill(3);
    }
    expect(await store.putStream("k", pieces())).toBe("exists");
    expect(await store.putStream("l", pieces())).toBe("created");
    expect(await store.get("k")).toEqual(new Uint8Array(size).fill(1));
    expect(server.buckets.uploads.size).toBe(0);
  });
  test("has no compare-and-set", async () => {
    const refused = { code: "FLOW_STORAGE_UNSUPPORTED" };
    await expect((await open(options)).compareAndSet("k", Uint8Array.of(1), undefined)).rejects.toMatchObject(refused);
  });
});

test("a store that was opened as if conditions were known says that they are refused", async () => {
  server.settings.conditionalWrites = "refused";
  const store = await open();
  await expect(store.put("k", [Uint8Array.of(1)])).rejects.toMatchObject({
    code: "FLOW_STORAGE_UNSUPPORTED",
    hint: expect.stringContaining("flow store init"),
  });
});
