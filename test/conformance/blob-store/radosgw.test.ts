/**
 * The back-end for S3 before a real server, which keeps its bucket: each test has a part of it. With retries: many who change one key
 * at once get answers of status 500 from it now and then.
 */
import { expect, test } from "vitest";
import { openS3BlobStore, type S3StoreOptions } from "../../../packages/core/src/storage/s3/index.ts";
import { retrying } from "../../../packages/core/src/storage/wrappers/retry.ts";
import { retryBlobStore } from "../../../packages/core/src/storage/wrappers/retry-blob-store.ts";
import { radosgw } from "../../kit/radosgw.ts";
import { eachSomewhere, seeded } from "../../kit/seed.ts";
import { blobStoreSuite } from "./suite.ts";

/** To such a clock all values are old: each that is put again is made young. */
const late = () => Date.now() + 3_600_000;

const server = await radosgw();
if (server === undefined) test.skip("radosgw, a real S3 server", () => {});
else {
  const { endpoint, credentials } = server;
  const bucket = await server.makeBucket();
  let count = 0;
  const suite = (name: string, options: Partial<S3StoreOptions>) =>
    blobStoreSuite(name, async () => {
      const prefix = `test/${++count}`;
      const open = async () =>
        retryBlobStore(
          await openS3BlobStore({ bucket, endpoint, credentials, prefix, now: late, attempt: retrying(), ...options }),
        );
      return { store: await open(), reopen: open, renewsAfterMs: 0 };
    });
  const { random } = seeded("radosgw");
  for (const [name, checksums] of eachSomewhere(["S3 of radosgw"], ["when-required", "always"] as const, random))
    suite(`${name}, with checksums: ${checksums}`, checksums === "always" ? { checksums } : {});

  test("an upload in parts that nobody ended is listed with its parts, and given up", async () => {
    const prefix = `test/${++count}`;
    const options = { bucket, endpoint, credentials, attempt: retrying() };
    const store = await openS3BlobStore({ ...options, prefix });
    const beside = await openS3BlobStore({ ...options, prefix: `${prefix}-2` });
    const asked = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    async function* pieces(): AsyncGenerator<Uint8Array, void> {
      for (let part = 0; part < 5; part++) yield new Uint8Array(8 * 1024 * 1024);
      asked.resolve();
      await goOn.promise;
    }
    const put = store.putStream("blobs/large", pieces());
    await asked.promise;
    expect(await beside.listUploads!()).toEqual([]);
    const [upload, ...others] = await store.listUploads!();
    expect([upload?.key, others, Math.abs(upload!.begunAt - Date.now()) < 900_000]).toEqual(["blobs/large", [], true]);
    await store.endUpload!(upload!);
    await store.endUpload!(upload!);
    expect(await store.listUploads!()).toEqual([]);
    goOn.resolve();
    await expect(put).rejects.toThrow();
    expect(await store.stat("blobs/large")).toBeUndefined();
    await Promise.all([store.close(), beside.close()]);
  });
}
