/** The back-end for S3 before a small server of ours. What a real one makes of it: `radosgw.test.ts`. */
import { openS3BlobStore, type S3StoreOptions } from "../../../packages/core/src/storage/s3/index.ts";
import { type FakeS3Settings, startFakeS3 } from "../../kit/fake-s3.ts";
import { type BlobStoreFixture, blobStoreSuite } from "./suite.ts";

async function fixture(
  options: Partial<S3StoreOptions> = {},
  settings: Partial<FakeS3Settings> = {},
): Promise<BlobStoreFixture> {
  const server = await startFakeS3(settings);
  const credentials = { accessKeyId: "test-key", secretAccessKey: "test-secret" };
  const open = () =>
    openS3BlobStore({ bucket: "bucket", endpoint: server.endpoint, credentials, now: late, ...options });
  const [store, other] = await Promise.all([open(), open()]);
  return {
    store,
    reopen: () => other,
    renewsAfterMs: 0,
    dispose: async () => {
      await other.close();
      await server.stop();
    },
  };
}

/** To such a clock all values are old: each that is put again is made young. */
const late = () => Date.now() + 3_600_000;

blobStoreSuite("S3", () => fixture());
blobStoreSuite("S3 below a prefix, with checksums", () => fixture({ prefix: "Team A/flows", checksums: "always" }));
blobStoreSuite("S3 with every value in parts", () =>
  fixture({ partsFromBytes: 1, partBytes: 100_000 }, { minPartBytes: 1 }),
);
blobStoreSuite("S3 that ignores conditional writes", () =>
  fixture({ createOnce: "checked" }, { conditionalWrites: "ignored" }),
);
