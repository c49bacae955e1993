/** Google Cloud Storage when it does not work, and how requests go, as a server of ours sees them. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openGcsBlobStore } from "../../packages/core/src/storage/gcs/gcs-blob-store.ts";
import { type FakeGcs, startFakeGcs } from "../kit/fake-gcs.ts";

let gcs: FakeGcs;

beforeAll(async () => {
  gcs = await startFakeGcs();
});
afterAll(() => gcs.stop());

/** A server that answers everything by a status and a body. */
async function answering(status: number, body: string): Promise<AsyncDisposable & { readonly endpoint: string }> {
  const server = http.createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(status).end(body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const refusal = (reason: string) => JSON.stringify({ error: { message: "no", errors: [{ reason, message: "no" }] } });

test("a bucket that is missing is no bucket without values", async () => {
  const store = await openGcsBlobStore({ bucket: "missing", endpoint: gcs.endpoint });
  const refused = { code: "FLOW_STORAGE_NO_BUCKET", message: expect.stringContaining("gs://missing") };
  await expect(store.get("k")).rejects.toMatchObject(refused);
  await expect(store.stat("k")).rejects.toMatchObject(refused);
  await expect(store.put("k", [Uint8Array.of(1)])).rejects.toMatchObject(refused);
  await expect(store.list({ prefix: "" })).rejects.toMatchObject(refused);
  await expect(store.delete("k")).rejects.toMatchObject(refused);
});

test.each([
  [401, "authError", "FLOW_STORAGE_CREDENTIALS", undefined],
  [403, "forbidden", "FLOW_STORAGE_CREDENTIALS", undefined],
  [403, "rateLimitExceeded", "FLOW_STORAGE_UNAVAILABLE", true],
  [429, "rateLimitExceeded", "FLOW_STORAGE_UNAVAILABLE", true],
  [408, "requestTimeout", "FLOW_STORAGE_UNAVAILABLE", true],
  [503, "backendError", "FLOW_STORAGE_UNAVAILABLE", true],
  [501, "notImplemented", "FLOW_STORAGE_UNSUPPORTED", undefined],
  [400, "invalid", "FLOW_STORAGE_UNAVAILABLE", undefined],
])("the answer %d %s is %s", async (status, reason, code, isTransient) => {
  await using server = await answering(status, refusal(reason));
  const store = await openGcsBlobStore({ bucket: "b", endpoint: server.endpoint });
  const error = await store.put("k", [Uint8Array.of(1)]).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code, context: { status } });
  expect((error as { context: { isTransient?: boolean } }).context.isTransient).toBe(isTransient);
});

test("a stream of many parts is one session, of which no more than two parts are held", async () => {
  const bucket = gcs.makeBucket("session");
  const store = await openGcsBlobStore({ bucket, endpoint: gcs.endpoint, partBytes: 256 * 1024 });
  const digest = createHash("sha256");
  const sent = () => gcs.requests.filter((request) => request.startsWith("PUT") && request.includes("name=k&")).length;
  async function* pieces(): AsyncGenerator<Uint8Array, void> {
    for (let part = 0; part < 12; part++) {
      const piece = new Uint8Array(256 * 1024).fill(part);
      digest.update(piece);
      // Two parts are looked at first: whether the value has more than one decides how it is sent.
      expect(part - sent()).toBeLessThanOrEqual(3);
      yield piece;
    }
  }
  expect(await store.putStream("k", pieces())).toBe("created");
  expect(sent()).toBe(12);
  expect(
    createHash("sha256")
      .update((await store.get("k"))!)
      .digest("hex"),
  ).toBe(digest.digest("hex"));
});

test("a list goes on behind a key without reading what stands before it", async () => {
  const bucket = gcs.makeBucket("listing");
  const store = await openGcsBlobStore({ bucket, endpoint: gcs.endpoint });
  for (const key of ["a", "b", "c", "d"]) await store.put(key, []);
  const before = gcs.requests.length;
  expect(await store.list({ prefix: "", after: "b", limit: 1 })).toEqual({ keys: ["c"], next: "c" });
  expect(gcs.requests.slice(before)).toHaveLength(1);
});
