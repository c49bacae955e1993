import { afterAll, beforeAll } from "vitest";
import { type GcsStoreOptions, openGcsBlobStore } from "../../../packages/core/src/storage/gcs/index.ts";
import { type FakeGcs, startFakeGcs } from "../../kit/fake-gcs.ts";
import { type BlobStoreFixture, blobStoreSuite } from "./suite.ts";

let gcs: FakeGcs;
let buckets = 0;

beforeAll(async () => {
  gcs = await startFakeGcs();
});
afterAll(() => gcs.stop());

async function fixture(options: Partial<GcsStoreOptions> = {}): Promise<BlobStoreFixture> {
  const bucket = gcs.makeBucket(`suite-${buckets++}`);
  const open = () => openGcsBlobStore({ bucket, endpoint: gcs.endpoint, partBytes: 1_000_000, now: late, ...options });
  return { store: await open(), reopen: open, renewsAfterMs: 0 };
}

/** To such a clock all values are old: each that is put again is made young. */
const late = () => Date.now() + 3_600_000;

blobStoreSuite("Google Cloud Storage, as a server of ours speaks it", () => fixture());
// Prefixes are of the same code whichever the server.
if (process.env.MILLRACE_MATRIX === "all")
  blobStoreSuite("Google Cloud Storage below a prefix", () => fixture({ prefix: "team/flows" }));
