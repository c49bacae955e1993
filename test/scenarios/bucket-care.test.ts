/** Looking after a store whose values lie in a bucket: the real command, before a small S3 server in this process. */
import fs from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { startAzurite } from "../kit/azurite.ts";
import { startFakeGcs } from "../kit/fake-gcs.ts";
import { type FakeS3, startFakeS3 } from "../kit/fake-s3.ts";
import { failure } from "../kit/fake-s3-buckets.ts";
import { Project } from "../kit/project.ts";
import { eachSomewhere, seeded } from "../kit/seed.ts";

const HOUR_MS = 3_600_000;
let server: FakeS3;
let project: Project;
let prefix: string;
let count = 0;

beforeAll(async () => {
  server = await startFakeS3();
});
beforeEach(() => {
  prefix = `team-${++count}`;
  project = new Project({ "many.ts": MANY });
});
afterEach(async () => {
  await project[Symbol.asyncDispose]();
  server.requests.length = 0;
});
afterAll(() => server.stop());

/** Values that no compression makes smaller, and that follow from a number. */
const MANY = `
import { Flow, param, step, z } from "@millrace/core";

function bytes(seed: number): Uint8Array {
  let state = seed * 2654435761 + 1;
  return Uint8Array.from({ length: 40_000 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >>> 24;
  });
}

export default class Many extends Flow {
  readonly width = param(z.coerce.number().default(3));
  a!: Uint8Array;
  b!: Uint8Array | undefined;
  c!: Uint8Array | undefined;

  @step({ next: "end" })
  start() {
    this.a = bytes(1);
    this.b = this.width > 1 ? bytes(2) : undefined;
    this.c = this.width > 2 ? bytes(3) : undefined;
  }

  @step()
  end() {}
}
`;

function flow(words: readonly string[], bucket = "bucket") {
  return project.flow(words, {
    env: {
      MILLRACE_STORE: `s3://${bucket}/${prefix}?endpoint=${server.endpoint}&region=eu-1`,
      AWS_ACCESS_KEY_ID: "AK",
      AWS_SECRET_ACCESS_KEY: "not told to anybody",
    },
  });
}

/** Values in the bucket, by their keys. */
const values = () =>
  [...server.buckets.objects()].filter(([key]) => key.startsWith(`${prefix}/blobs/`)).map(([, object]) => object);

function age(ms: number): void {
  for (const object of values()) object.putAt -= ms;
}

/** Makes the cache forget: what is read next comes from the bucket. */
function forget(): void {
  fs.rmSync(path.join(folder(), "cache"), { recursive: true, force: true });
}

function folder(): string {
  const buckets = path.join(project.folder, ".millrace/buckets");
  return path.join(buckets, fs.readdirSync(buckets)[0]!);
}

test("values of deleted runs are collected once they are old, and those of others stay", async () => {
  expect(await flow(["run", "many.ts"])).toMatchObject({ code: 0 });
  expect(await flow(["run", "many.ts", "--width", "1"])).toMatchObject({ code: 0 });
  expect(values()).toHaveLength(3);
  expect(await flow(["runs", "delete", "Many/1"])).toMatchObject({ code: 0 });
  // Whatever grace is asked for, what was put within the last hour may be about to be named.
  expect(await flow(["store", "gc", "--grace", "0s"])).toMatchObject({ code: 0 });
  expect(values()).toHaveLength(3);
  age(2 * HOUR_MS);
  const collected = await flow(["store", "gc", "--grace", "0s", "--json"]);
  expect(collected).toMatchObject({ code: 0 });
  expect(values()).toHaveLength(1);
  forget();
  expect(await flow(["validate", "Many/2"])).toMatchObject({ code: 0 });
  expect(await flow(["run", "many.ts"])).toMatchObject({ code: 0 });
  expect(values()).toHaveLength(3);
});

test("a bucket knows of deleted runs before it lacks their values", async () => {
  expect(await flow(["run", "many.ts"])).toMatchObject({ code: 0 });
  expect(await flow(["run", "many.ts", "--width", "1"])).toMatchObject({ code: 0 });
  age(2 * HOUR_MS);
  server.requests.length = 0;
  expect(await flow(["store", "gc", "--keep-last", "1", "--grace", "0s"])).toMatchObject({ code: 0 });
  expect(values()).toHaveLength(1);
  const told = server.requests.findIndex((request) => request.startsWith(`PUT bucket/${prefix}/log/`));
  const taken = server.requests.findIndex((request) => request.startsWith(`DELETE bucket/${prefix}/blobs/`));
  expect(told).toBeGreaterThanOrEqual(0);
  expect(taken).toBeGreaterThan(told);
});

test("uploads that writers left half-done are given up once they are old, and those of others stay", async () => {
  expect(await flow(["run", "many.ts"])).toMatchObject({ code: 0 });
  const { uploads } = server.buckets;
  const begin = (id: string, key: string, ageMs: number): void => {
    const parts = new Map([1, 2].map((number) => [number, { bytes: Buffer.alloc(700), etag: `"${number}"` }]));
    uploads.set(id, { bucket: "bucket", key, begunAt: Date.now() - ageMs, metadata: {}, parts });
  };
  const value = `blobs/sha256/ab/${"ab".repeat(32)}`;
  begin("old", `${prefix}/${value}`, 48 * HOUR_MS);
  begin("older", `${prefix}/${value}`, 50 * HOUR_MS);
  begin("manifest", `${prefix}/runs/01890000-0000-7000-8000-000000000000/1`, 48 * HOUR_MS);
  begin("young", `${prefix}/${value}`, HOUR_MS / 2);
  begin("others", `${prefix}/other-program/file`, 48 * HOUR_MS);
  begin("another store", `${prefix}-2/${value}`, 48 * HOUR_MS);
  const dry = await flow(["store", "gc", "--dry-run", "--json"]);
  expect(JSON.parse(dry.stdout).unfinished).toEqual({ count: 3, bytes: 4_200 });
  expect(uploads.size).toBe(6);
  const done = await flow(["store", "gc", "--json"]);
  expect(JSON.parse(done.stdout).unfinished).toEqual({ count: 3, bytes: 4_200 });
  expect([...uploads.keys()]).toEqual(["young", "others", "another store"]);
  uploads.clear();
  // A key that may not list them collects all else.
  server.settings.instead = ({ method, query }) =>
    method === "GET" && query.has("uploads") ? failure(403, "AccessDenied") : undefined;
  const refused = await flow(["store", "gc"]);
  server.settings.instead = undefined;
  expect(refused).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("Unfinished uploads could not be looked for"),
  });
});

test("verify reads the bucket and not its copies on this machine, and repair puts aside what is broken", {
  timeout: 180_000,
}, async () => {
  expect(await flow(["run", "many.ts"])).toMatchObject({ code: 0 });
  server.requests.length = 0;
  const whole = await flow(["store", "verify"]);
  expect(whole).toMatchObject({ code: 0 });
  expect(whole.stdout).not.toContain("S10"); // Everything in the folder beside the bucket is known.
  const looks = server.requests.filter((request) => /\/blobs\//.test(request) && !request.startsWith("GET"));
  expect(looks).toEqual([]); // Sizes come with lists.
  expect(await flow(["store", "verify", "--read-data"])).toMatchObject({ code: 0 });

  const breakOne = () => {
    const [first] = values();
    first!.bytes = Buffer.from(first!.bytes);
    first!.bytes[20_000]! ^= 1;
  };
  breakOne();
  expect(await flow(["store", "verify"])).toMatchObject({ code: 0 });
  const verified = await flow(["store", "verify", "--read-data"]);
  expect(verified).toMatchObject({ code: 4, stdout: expect.stringContaining("S04") });

  // The copy on this machine is whole, and is what a run would read.
  const copies = await flow(["validate", "Many/1", "--json"]);
  expect([copies.code, JSON.parse(copies.stdout).readFrom]).toEqual([0, "copies"]);
  const read = await flow(["validate", "Many/1", "--read-data", "--json"]);
  expect([read.code, JSON.parse(read.stdout).readFrom, read.stdout]).toEqual([
    1,
    "store",
    expect.stringContaining("V03"),
  ]);

  // So it goes into the bucket again.
  const restored = await flow(["store", "repair"]);
  expect([restored.code, restored.stdout]).toEqual([0, expect.stringContaining("put back 1 value that is whole")]);
  expect([values().length, fs.readdirSync(path.join(folder(), "quarantine")).length]).toEqual([3, 1]);
  expect(await flow(["validate", "Many/1", "--read-data"])).toMatchObject({ code: 0 });

  breakOne();
  fs.rmSync(path.join(folder(), "cache"), { recursive: true });
  const repaired = await flow(["store", "repair"]);
  expect(values()).toHaveLength(2);
  expect(fs.readdirSync(path.join(folder(), "quarantine"))).toHaveLength(2);
  expect(repaired.stdout + repaired.stderr).toContain("flow resume Many/1 --from start");
  expect(await flow(["resume", "Many/1", "--from", "start"])).toMatchObject({ code: 0 });
  expect(values()).toHaveLength(3);
  expect(await flow(["store", "verify", "--read-data"])).toMatchObject({ code: 0 });
});

test("verify tells of a value that the bucket has lost", async () => {
  expect(await flow(["run", "many.ts"])).toMatchObject({ code: 0 });
  const [lost] = [...server.buckets.objects().keys()].filter((key) => key.startsWith(`${prefix}/blobs/`));
  server.buckets.objects().delete(lost!);
  expect(await flow(["store", "verify"])).toMatchObject({ code: 4, stdout: expect.stringContaining("S03") });
});

test("verify tells of what the bucket has lost of a run and of the log, and repair writes it again", async () => {
  expect(await flow(["run", "many.ts"])).toMatchObject({ code: 0 });
  const objects = server.buckets.objects();
  const keys = [...objects.keys()].filter(
    (key) => /\/(?:runs|packs|packages|log)\//.test(key) && key.startsWith(prefix),
  );
  expect(new Set(keys.map((key) => key.split("/")[1]))).toEqual(new Set(["runs", "packs", "packages", "log"]));
  for (const key of keys) objects.delete(key);
  const repaired = await flow(["store", "repair"]);
  expect(repaired).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/S12.*S13.*wrote Many\/1 into the bucket again/s),
  });
  expect(await flow(["store", "verify", "--read-data"])).toMatchObject({ code: 0 });
  fs.rmSync(path.join(project.folder, ".millrace"), { recursive: true });
  expect(await flow(["store", "rebuild"])).toMatchObject({ code: 0 });
  expect(await flow(["validate", "Many/1"])).toMatchObject({ code: 0 });
});

test("doctor says whether the bucket answers", async () => {
  expect(await flow(["run", "many.ts"])).toMatchObject({ code: 0 });
  const well = await flow(["doctor"]);
  expect(well.stdout).toContain(`s3://bucket/${prefix}`);
  expect(well.stdout).toContain("answers");
  const missing = await flow(["doctor", "--json"], "nowhere");
  expect(missing.stdout).toContain("FLOW_STORAGE_NO_BUCKET");
});

interface Elsewhere {
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const elsewhere: Readonly<Record<string, () => Promise<Elsewhere>>> = {
  "a container of Azure": async () => {
    const azurite = await startAzurite();
    const store = `azure://${await azurite.makeContainer("team")}/flows`;
    return { env: { MILLRACE_STORE: store, ...azurite.environment }, stop: () => azurite.stop() };
  },
  "a bucket of Google": async () => {
    const gcs = await startFakeGcs();
    const store = `gs://${gcs.makeBucket("team")}/flows`;
    return { env: { MILLRACE_STORE: store, STORAGE_EMULATOR_HOST: gcs.endpoint }, stop: () => gcs.stop() };
  },
};

test.each(eachSomewhere(["a store"], Object.keys(elsewhere), seeded("bucket-care").random))(
  "%s in %s runs, verifies and collects as well",
  async (_, where) => {
    const { env, stop } = await elsewhere[where]!();
    try {
      const at = (words: readonly string[]) => project.flow(words, { env });
      expect(await at(["run", "many.ts"])).toMatchObject({ code: 0 });
      fs.rmSync(path.join(folder(), "cache"), { recursive: true });
      expect(await at(["validate", "Many/1"])).toMatchObject({ code: 0 });
      expect(await at(["store", "verify", "--read-data"])).toMatchObject({ code: 0 });
      expect(await at(["store", "gc"])).toMatchObject({ code: 0 });
    } finally {
      await stop();
    }
  },
);

test("a copy of the store that was left behind deletes nothing and tags nothing", async () => {
  expect(await flow(["run", "many.ts", "--width", "1"])).toMatchObject({ code: 0 });
  // Another machine makes the records anew, and goes on.
  const here = path.join(project.folder, ".millrace");
  const aside = path.join(project.folder, "first");
  fs.cpSync(here, aside, { recursive: true });
  expect(await flow(["run", "many.ts"])).toMatchObject({ code: 0 });
  expect(values()).toHaveLength(3);
  age(2 * HOUR_MS);
  fs.rmSync(here, { recursive: true });
  fs.renameSync(aside, here);
  const collected = await flow(["store", "gc", "--grace", "0s"]);
  expect(collected).toMatchObject({ code: 1, stderr: expect.stringContaining("FLOW_PUBLISH_FORKED") });
  expect(values()).toHaveLength(3);
  const tagged = await flow(["tag", "add", "Many/1", "mine"]);
  expect(tagged).toMatchObject({ code: 1, stderr: expect.stringContaining("FLOW_PUBLISH_FORKED") });
  expect((await flow(["show", "Many/1", "--json"])).stdout).not.toContain("mine");
});
