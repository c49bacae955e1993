/** Where a store may be made in a bucket that has others. */
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { parseStoreText } from "../../packages/core/src/config/bucket-url.ts";
import { refuseNestedStore } from "../../packages/core/src/wiring/nested-store.ts";
import { type FakeS3, startFakeS3 } from "../kit/fake-s3.ts";
import { failure } from "../kit/fake-s3-buckets.ts";

let server: FakeS3;

beforeAll(async () => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test-key");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test-secret");
  vi.stubEnv("AWS_REGION", "us-east-1");
  server = await startFakeS3();
});
afterEach(() => {
  server.settings.instead = undefined;
  server.buckets.objects().clear();
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server.stop();
});

/** A store as it lies there: its values come before the object that says whose it is. */
function storeAt(prefix: string, values = 1): void {
  const place = prefix === "" ? "" : `${prefix}/`;
  const object = { bytes: Buffer.from("x"), etag: '"1"', putAt: Date.now(), metadata: {} };
  for (let number = 0; number < values; number++)
    server.buckets.objects().set(`${place}blobs/sha256/ab/${String(number).padStart(64, "0")}`, object);
  server.buckets.objects().set(`${place}millrace.json`, object);
}

async function madeAt(prefix: string): Promise<string> {
  const place = parseStoreText(`s3://bucket${prefix === "" ? "" : `/${prefix}`}?endpoint=${server.endpoint}`, {
    base: "/",
    setting: "a test",
  });
  if (place.kind !== "bucket") throw new Error("no bucket");
  return await refuseNestedStore(place.bucket).then(
    () => "made",
    (error) => `${error.code} ${error.context.other}`,
  );
}

test.each([
  ["beside another one", "team/models", "team/other", "made"],
  ["beside one whose name begins the same", "team/models", "team/models-2", "made"],
  ["beside one whose name is a part", "team/models-2", "team/models", "made"],
  ["inside of one", "team", "team/models", "FLOW_PUBLISH_NESTED s3://bucket/team"],
  ["deep inside of one", "team", "team/a/b/c", "FLOW_PUBLISH_NESTED s3://bucket/team"],
  ["inside of one that has the whole bucket", "", "team", "FLOW_PUBLISH_NESTED s3://bucket"],
  ["around one", "team/a/b", "team", "FLOW_PUBLISH_NESTED s3://bucket/team/a/b"],
  ["around all", "team", "", "FLOW_PUBLISH_NESTED s3://bucket/team"],
])("a store %s", async (_what, there, made, answer) => {
  storeAt(there);
  expect(await madeAt(made)).toBe(answer);
});

test("a store around one with thousands of values is found as well", async () => {
  storeAt("team/a", 1_500);
  expect(await madeAt("team")).toBe("FLOW_PUBLISH_NESTED s3://bucket/team/a");
});

test("objects of others are no store, and who may see his own prefix alone makes one there", async () => {
  storeAt("team");
  server.buckets.objects().delete("team/millrace.json");
  expect(await madeAt("team/models")).toBe("made");
  expect(await madeAt("")).toBe("made");
  storeAt("team");
  server.settings.instead = ({ key }) => (key === "team/millrace.json" ? failure(403, "AccessDenied") : undefined);
  expect(await madeAt("team/models")).toBe("made");
});
