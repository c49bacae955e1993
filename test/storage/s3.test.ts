/** What the back-end for S3 asks of the service, where the contract does not say. */
import { afterEach, expect, test } from "vitest";
import type { BlobStore } from "../../packages/core/src/storage/blob-store.ts";
import { openS3BlobStore, type S3StoreOptions } from "../../packages/core/src/storage/s3/index.ts";
import { type FakeS3, type FakeS3Settings, startFakeS3 } from "../kit/fake-s3.ts";

let server: FakeS3;
let store: BlobStore;
afterEach(async () => {
  await store.close();
  await server.stop();
});

async function open(options: Partial<S3StoreOptions> = {}, settings: Partial<FakeS3Settings> = {}): Promise<void> {
  server = await startFakeS3(settings);
  const credentials = { accessKeyId: "test-key", secretAccessKey: "test-secret" };
  store = await openS3BlobStore({ bucket: "bucket", endpoint: server.endpoint, credentials, ...options });
}

const value = Uint8Array.of(1, 2, 3, 4, 5);
const HOUR_MS = 3_600_000;

test.each([
  ["by one request", 5, []],
  ["by copies of its parts, where it is too large for that", 2, ["1", "2", "3"]],
])("a value that was put long ago is made young %s", async (_how, maxCopyBytes, parts) => {
  await open({ maxCopyBytes, now: () => Date.now() }, { maxCopyBytes, minPartBytes: 1 });
  await store.put("k", [value]);
  const object = server.buckets.objects().get("k")!;
  object.metadata = { "x-amz-meta-kept": "yes" };
  object.putAt -= HOUR_MS;
  expect(await store.put("k", [value])).toBe("exists");
  const young = server.buckets.objects().get("k")!;
  expect(young.putAt).toBeGreaterThan(object.putAt);
  expect(young).toMatchObject({ bytes: Buffer.from(value), metadata: { "x-amz-meta-kept": "yes" } });
  const numbers = server.requests.flatMap((request) => /partNumber=(\d+)/.exec(request)?.[1] ?? []);
  expect(numbers).toEqual(parts);
  expect(server.buckets.uploads.size).toBe(0);
});

test("a value that was put a moment ago is left as it is", async () => {
  await open();
  await store.put("k", [value]);
  const before = server.buckets.objects().get("k");
  expect(await store.put("k", [value])).toBe("exists");
  expect(server.buckets.objects().get("k")).toBe(before);
});

test("a value that vanishes while it is made young is put anew", async () => {
  await open();
  await store.put("k", [value]);
  server.buckets.objects().get("k")!.putAt -= HOUR_MS;
  server.settings.instead = ({ headers }) => {
    if (headers["x-amz-copy-source"] !== undefined) server.buckets.objects().delete("k");
    return undefined;
  };
  expect(await store.put("k", [value])).toBe("created");
  expect(await store.get("k")).toEqual(value);
});

test("no more requests are under way at once than are allowed", async () => {
  await open({ maxRequests: 3 }, { latencyMs: 5 });
  await Promise.all(Array.from({ length: 20 }, (_, index) => store.put(`k${index}`, [value])));
  expect(server.mostAtOnce()).toBe(3);
});

test("a page that is empty and not the last is followed by the next one", async () => {
  await open();
  await store.put("k", [value]);
  const listed = (token: string): Buffer =>
    Buffer.from(`<ListBucketResult><IsTruncated>true</IsTruncated><KeyCount>0</KeyCount>${token}</ListBucketResult>`);
  const isFirst = ({ method, key, query }: { method: string; key: string; query: URLSearchParams }) =>
    method === "GET" && key === "" && !query.has("continuation-token");
  server.settings.instead = (request) =>
    isFirst(request) ? { status: 200, body: listed("<NextContinuationToken>YQ==</NextContinuationToken>") } : undefined;
  expect((await store.list({ prefix: "" })).keys).toEqual(["k"]);
  server.settings.instead = (request) => (isFirst(request) ? { status: 200, body: listed("") } : undefined);
  await expect(store.list({ prefix: "" })).rejects.toMatchObject({
    code: "FLOW_STORAGE_UNAVAILABLE",
    context: { isTransient: true },
  });
});

test("keys that are none of ours are not listed, and do not end a list", async () => {
  await open({ prefix: "team" });
  for (const key of ["a", "b"]) await store.put(key, [value]);
  const object = server.buckets.objects().get("team/a")!;
  for (const key of ["team/A strange one", "team/a//b", "teams/c", "another"])
    server.buckets.objects().set(key, object);
  const keys: string[] = [];
  for (let after: string | undefined = ""; after !== undefined; ) {
    const page = await store.list({ prefix: "", limit: 1, after });
    keys.push(...page.keys);
    after = page.next;
  }
  expect(keys).toEqual(["a", "b"]);
});

test("uploads in parts that nobody ended are listed with their parts, page by page, and given up", async () => {
  await open({ prefix: "team" });
  const { uploads } = server.buckets;
  const begin = (id: string, key: string): void => {
    const parts = new Map([1, 2].map((number) => [number, { bytes: Buffer.alloc(number * 100), etag: `"${number}"` }]));
    uploads.set(id, { bucket: "bucket", key, begunAt: Date.UTC(2026, 4, 4), metadata: {}, parts });
  };
  for (const id of ["1", "2", "3", "4", "5"]) begin(id, "team/k");
  begin("6", "team-2/k");
  begin("7", "team/l");
  const found = await store.listUploads!();
  expect(found.map(({ id, key }) => `${id} ${key}`)).toEqual(["1 k", "2 k", "3 k", "4 k", "5 k", "7 l"]);
  expect(found[0]).toEqual({ id: "1", key: "k", begunAt: Date.UTC(2026, 4, 4), sizeBytes: 300 });
  for (const upload of found) await store.endUpload!(upload);
  expect([...uploads.keys()]).toEqual(["6"]);
  await store.endUpload!(found[0]!);
});
