import { afterAll, beforeAll } from "vitest";
import { type AzureStoreOptions, openAzureBlobStore } from "../../../packages/core/src/storage/azure/index.ts";
import { type Azurite, startAzurite } from "../../kit/azurite.ts";
import { type BlobStoreFixture, blobStoreSuite } from "./suite.ts";

let azurite: Azurite;
let containers = 0;

beforeAll(async () => {
  azurite = await startAzurite();
}, 60_000);
afterAll(() => azurite.stop());

async function fixture(options: Partial<AzureStoreOptions> = {}): Promise<BlobStoreFixture> {
  const container = await azurite.makeContainer(`suite-${containers++}`);
  const { environment } = azurite;
  const open = () => openAzureBlobStore({ container, environment, partBytes: 1_000_000, now: late, ...options });
  return { store: await open(), reopen: open, renewsAfterMs: 0 };
}

/** To such a clock all values are old: each that is put again is made young. */
const late = () => Date.now() + 3_600_000;

blobStoreSuite("Azure Blob Storage", () => fixture());
// Prefixes are of the same code whichever the server.
if (process.env.MILLRACE_MATRIX === "all")
  blobStoreSuite("Azure Blob Storage below a prefix", () => fixture({ prefix: "team/flows" }));
