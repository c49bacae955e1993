/** The faults of `bucket-faults.ts` before our own small servers, and before Azurite. With a real S3: `bucket-faults-radosgw.test.ts`. */
import { afterAll, beforeAll } from "vitest";
import { type Azurite, startAzurite } from "../kit/azurite.ts";
import { startFakeGcs } from "../kit/fake-gcs.ts";
import { startFakeS3 } from "../kit/fake-s3.ts";
import { bucketFaults, s3Server } from "./bucket-faults.ts";

bucketFaults("our S3", async () => {
  const credentials = { accessKeyId: "test-key", secretAccessKey: "test-secret" };
  const { endpoint, stop } = await startFakeS3({ accessKeys: [credentials.accessKeyId] });
  return s3Server({ endpoint, stop, bucket: "bucket", credentials });
});

let azurite: Azurite;
let containers = 0;
beforeAll(async () => {
  azurite = await startAzurite();
}, 60_000);
afterAll(() => azurite.stop());

bucketFaults("Azurite", async () => {
  const container = await azurite.makeContainer(`faults-${containers++}`);
  return {
    endpoint: azurite.endpoint,
    stop: async () => {},
    url: (endpoint) =>
      `azure://${container}/team/flows?account=${azurite.account}&endpoint=${new URL(endpoint).origin}/${azurite.account}`,
    environment: { AZURE_STORAGE_KEY: azurite.key, AZURE_STORAGE_CONNECTION_STRING: "" },
    strangers: { AZURE_STORAGE_KEY: Buffer.from("a key that opens nothing").toString("base64") },
    isValueRead: ({ method, path }) => method === "GET" && !path.includes("comp=list"),
    isWrite: ({ method }) => method === "PUT",
    partRequests: [
      // The second block: its name ends by "-000001".
      ({ method, path }) => method === "PUT" && path.includes("LTAwMDAwMQ"),
      ({ method, path }) => method === "PUT" && path.includes("comp=blocklist"),
    ],
  };
});

bucketFaults("our Google Cloud Storage", async () => {
  const gcs = await startFakeGcs();
  const bucket = gcs.makeBucket("bucket");
  return {
    endpoint: gcs.endpoint,
    stop: () => gcs.stop(),
    url: (endpoint) => `gs://${bucket}/team/flows?endpoint=${endpoint}`,
    environment: {},
    isValueRead: ({ method, path }) => method === "GET" && path.includes("alt=media"),
    isWrite: ({ method }) => method === "POST",
    partRequests: [
      ({ method, path }) => method === "POST" && path.includes("uploadType=resumable"),
      ({ method, path }) => method === "PUT" && path.includes("upload_id="),
    ],
  };
});
