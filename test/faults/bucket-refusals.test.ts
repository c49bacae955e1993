/**
 * A bucket that refuses: the message names the setting to look at, nothing is tried again in vain, and nothing that is shown
 * holds a secret, whatever the service puts into its answer.
 */
import { afterEach, expect, test } from "vitest";
import { FlowError, serializeError } from "../../packages/core/src/errors/flow-error.ts";
import { loadSdk } from "../../packages/core/src/storage/load-sdk.ts";
import { openS3BlobStore, type S3StoreOptions } from "../../packages/core/src/storage/s3/index.ts";
import { type FakeS3, type FakeS3Settings, startFakeS3 } from "../kit/fake-s3.ts";
import { failure } from "../kit/fake-s3-buckets.ts";

/** Words that must be seen nowhere. */
const credentials = {
  accessKeyId: "AKIACANARYCANARYCAN1",
  secretAccessKey: "canary/secret+key/2",
  sessionToken: "canary-session-token-3",
};
const canaries = [...Object.values(credentials), "CanonicalRequest", "canary-signed-text-4"];

let server: FakeS3 | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function refused(
  settings: Partial<FakeS3Settings>,
  options: Partial<S3StoreOptions> = {},
  work: "put" | "get" | "stat" = "put",
): Promise<FlowError> {
  server = await startFakeS3(settings);
  const store = await openS3BlobStore({ bucket: "bucket", endpoint: server.endpoint, credentials, ...options });
  try {
    const value = new Uint8Array([1]);
    await (work === "put" ? store.put("a/key", [value]) : store[work]("a/key"));
  } catch (error) {
    expect(error).toBeInstanceOf(FlowError);
    return error as FlowError;
  } finally {
    await store.close();
  }
  throw new Error("it was not refused");
}

/** Everything that could be shown of an error, as text. */
function shown(error: FlowError): string {
  const own = Object.getOwnPropertyNames(error).map((name) => String(Reflect.get(error, name)));
  return [JSON.stringify(serializeError(error)), JSON.stringify(error), error.stack, String(error), ...own].join("\n");
}

const extra = `<AWSAccessKeyId>${credentials.accessKeyId}</AWSAccessKeyId><StringToSign>canary-signed-text-4</StringToSign><CanonicalRequest>canary-signed-text-4 ${credentials.sessionToken}</CanonicalRequest><Token-0>${credentials.sessionToken}</Token-0>`;

test.each([
  ["InvalidAccessKeyId", 403, "FLOW_STORAGE_CREDENTIALS", "AWS_ACCESS_KEY_ID"],
  ["SignatureDoesNotMatch", 403, "FLOW_STORAGE_CREDENTIALS", "AWS_SECRET_ACCESS_KEY"],
  ["ExpiredToken", 400, "FLOW_STORAGE_CREDENTIALS", "AWS_SESSION_TOKEN"],
  ["AccessDenied", 403, "FLOW_STORAGE_CREDENTIALS", 'rights to list, read, write and delete in the bucket "bucket"'],
  ["RequestTimeTooSkewed", 403, "FLOW_STORAGE_CLOCK", "clock"],
  ["NoSuchBucket", 404, "FLOW_STORAGE_NO_BUCKET", '"bucket"'],
  ["PermanentRedirect", 301, "FLOW_STORAGE_WRONG_REGION", "AWS_REGION"],
  ["AuthorizationHeaderMalformed", 400, "FLOW_STORAGE_WRONG_REGION", "AWS_REGION"],
  ["NotImplemented", 501, "FLOW_STORAGE_UNSUPPORTED", "flow store init"],
] as const)(
  "%s (%i) is %s and names %s; it cannot pass, and tells no secret",
  async (code, status, flowCode, named) => {
    const error = await refused({ instead: () => failure(status, code, { extra }) });
    expect(error).toMatchObject({ code: flowCode, context: { store: "s3://bucket", key: "a/key", status } });
    expect(error.context.isTransient).toBeUndefined();
    expect(`${error.message} ${error.hint}`).toContain(named);
    for (const canary of canaries) expect(shown(error)).not.toContain(canary);
    expect(server!.requests).toHaveLength(1);
  },
);

test.each([
  ["SlowDown", 503],
  ["InternalError", 500],
  ["RequestTimeout", 400],
  ["TooManyRequestsException", 429],
  ["BadGateway", 502],
] as const)("%s (%i) may pass; the store itself tries once", async (code, status) => {
  const error = await refused({ instead: () => failure(status, code, { extra }) });
  expect(error).toMatchObject({ code: "FLOW_STORAGE_UNAVAILABLE", context: { isTransient: true } });
  for (const canary of canaries) expect(shown(error)).not.toContain(canary);
  expect(server!.requests).toHaveLength(1);
});

test("a key that the service does not know is named by its settings", async () => {
  const error = await refused({ accessKeys: ["another"] }, {}, "get");
  expect(error.code).toBe("FLOW_STORAGE_CREDENTIALS");
  expect(error.hint).toContain("AWS_PROFILE");
  expect(shown(error)).not.toContain(credentials.accessKeyId);
});

test("a refusal without a body (HEAD) is told all the same", async () => {
  expect((await refused({ accessKeys: [] }, {}, "stat")).code).toBe("FLOW_STORAGE_CREDENTIALS");
});

test("a profile that cannot give credentials is named", async () => {
  const error = await refused({}, { credentials: undefined as never, profile: "no-such-profile" });
  expect(error).toMatchObject({ code: "FLOW_STORAGE_CREDENTIALS", message: expect.stringContaining("no credentials") });
  expect(error.hint).toContain('"no-such-profile"');
});

test("another clock is told as such", async () => {
  expect((await refused({ clockAheadMs: 3_600_000 })).code).toBe("FLOW_STORAGE_CLOCK");
  // An answer to HEAD has no body that would name the reason.
  expect((await refused({ clockAheadMs: -3_600_000 }, {}, "stat")).code).toBe("FLOW_STORAGE_CLOCK");
});

test("another region is named", async () => {
  const error = await refused({ region: "eu-north-7" }, { region: "us-east-1" });
  expect(error).toMatchObject({ code: "FLOW_STORAGE_WRONG_REGION", context: { region: "eu-north-7" } });
  expect(error.hint).toContain("eu-north-7");
});

test("a bucket that is not there is told", async () => {
  const error = await refused({}, { bucket: "nowhere" }, "get");
  expect(error).toMatchObject({ code: "FLOW_STORAGE_NO_BUCKET", message: expect.stringContaining('"nowhere"') });
});

test("an endpoint where nobody listens is unavailable, and may come back", async () => {
  const gone = await startFakeS3();
  await gone.stop();
  const error = await refused({}, { endpoint: gone.endpoint });
  expect(error).toMatchObject({ code: "FLOW_STORAGE_UNAVAILABLE", context: { isTransient: true } });
  expect(error.message).toContain(new URL(gone.endpoint).host);
});

test("an SDK that is not installed is asked for by its name", async () => {
  const missing = "@millrace/no-such-sdk";
  const error = loadSdk(missing, () => import(missing));
  await expect(error).rejects.toMatchObject({
    code: "FLOW_STORAGE_NO_SDK",
    hint: expect.stringContaining(`npm install ${missing}`),
  });
});

test("a package that lacks a part of its own is told as it is", async () => {
  const broken = loadSdk("@millrace/no-such-sdk", () => import(`./${"not-there"}.ts`));
  await expect(broken).rejects.not.toMatchObject({ code: "FLOW_STORAGE_NO_SDK" });
});

test("a service that never answers is a timeout after the stated limit, and may pass", async () => {
  const limits = { callMs: 150, connectMs: 100, idleMs: 100 };
  const error = await refused({ latencyMs: 60_000 }, { limits });
  expect(error).toMatchObject({ code: "FLOW_STORAGE_TIMEOUT", context: { isTransient: true } });
});
