/** The faults of `bucket-faults.ts` before a real server. */
import { test } from "vitest";
import { radosgw } from "../kit/radosgw.ts";
import { bucketFaults, s3Server } from "./bucket-faults.ts";

const server = await radosgw();
if (server === undefined) test.skip("radosgw, a real S3 server", () => {});
else {
  const { endpoint, credentials } = server;
  bucketFaults("radosgw", async () =>
    s3Server({ endpoint, credentials, bucket: await server.makeBucket(), stop: async () => {} }),
  );
}
