/** Stores in a bucket as a user meets them in the command: a small S3 of ours stands behind it. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FakeS3, startFakeS3 } from "../kit/fake-s3.ts";
import { failure } from "../kit/fake-s3-buckets.ts";
import { Project } from "../kit/project.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  "rows.ts": flowText(
    "Rows",
    `rows!: Uint8Array; text!: string; small!: number;
     @step({ next: "end" }) start() {
       this.rows = Uint8Array.from({ length: 50_000 }, () => current.random() * 256);
       this.text = "line\\n".repeat(10_000);
       this.small = 17;
     }
     @step() end() {}`,
  ),
});
let server: FakeS3;
const SECRET = "very-secret-access-key";
const env = { AWS_ACCESS_KEY_ID: "test-key", AWS_SECRET_ACCESS_KEY: SECRET, AWS_REGION: "us-east-1" };
const url = (prefix: string, bucket = "bucket") => `s3://${bucket}/${prefix}?endpoint=${server.endpoint}`;
const flow = async (...words: readonly string[]) => {
  const called = await project.flow(words, { env });
  expect(called.stdout + called.stderr).not.toContain(SECRET);
  return called;
};
const done = async (...words: readonly string[]) => {
  const called = await flow(...words);
  expect([called.code, called.stderr]).toEqual([0, ""]);
  return called;
};

beforeAll(async () => {
  server = await startFakeS3();
  expect((await flow("run", "rows.ts", "--quiet", "--tag", "prod:v1")).code).toBe(0);
  await done("run", "rows.ts", "--quiet");
}, 60_000);
afterAll(async () => {
  await server.stop();
  await project[Symbol.asyncDispose]();
});

const looked = async (...words: readonly string[]) => {
  const called = await project.here(words, { env });
  expect([called.code, called.stderr]).toEqual([0, ""]);
  return called;
};

/** What a folder's store shows of its runs, tags and values. */
async function shown(store: string): Promise<unknown> {
  const ask = async (...words: readonly string[]) => (await looked(...words, "--store", store)).stdout;
  return {
    runs: await ask("runs", "--json"),
    tags: await ask("tag", "log", "--json"),
    rows: createHash("sha256")
      .update(await ask("dump", "Rows@prod:v1", "--json"))
      .digest("hex"),
    verify: (await looked("store", "verify", "--read-data", "--json", "--store", store)).lines.at(-1).ok,
  };
}

test("a store goes into a bucket and comes back the same, also without the records of this machine", async () => {
  const dry = await done("store", "copy", ".millrace", url("there"), "--dry-run");
  expect(dry.stdout).toContain("2 runs");
  expect([...server.buckets.objects("bucket").keys()].filter((key) => key.startsWith("there"))).toEqual([]);
  const [there] = (await done("store", "copy", ".millrace", url("there"), "--json")).lines;
  expect(there).toMatchObject({ from: project.store, to: url("there"), runs: 2, damaged: [] });
  await done("store", "copy", url("there"), "back");
  expect(await shown(project.file("back"))).toEqual(await shown(project.store));

  fs.rmSync(project.file(".millrace/buckets"), { recursive: true });
  await done("store", "copy", url("there"), "rebuilt");
  expect(await shown(project.file("rebuilt"))).toEqual(await shown(project.store));
}, 120_000);

test("a later copy takes what is new, and a bucket that another copy wrote to is refused", async () => {
  await done("store", "copy", ".millrace", url("later"));
  await done("store", "copy", ".millrace", "elsewhere");
  expect((await flow("run", "rows.ts", "--quiet", "--tag", "prod:v2")).code).toBe(0);
  const [later] = (await done("store", "copy", ".millrace", url("later"), "--json")).lines;
  expect(later.runs).toBe(3);
  expect(later.copied.values).toBeGreaterThan(0);
  expect(later.skipped.values).toBeGreaterThan(0);
  await done("store", "copy", url("later"), "back-later");
  expect(await shown(project.file("back-later"))).toEqual(await shown(project.store));
  // What the bucket has and the other copy has not is not lost, with or without records of the bucket here.
  for (const hasRecords of [true, false]) {
    if (!hasRecords) fs.rmSync(project.file(".millrace/buckets"), { recursive: true });
    const refused = await flow("store", "copy", "elsewhere", url("later"));
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toMatch(/FLOW_COPY_DIVERGED|FLOW_PUBLISH_FORKED/);
  }
}, 120_000);

test("a bucket of another store is refused, and nothing is written there", async () => {
  expect((await flow("run", "rows.ts", "--quiet", "--store", "other")).code).toBe(0);
  await done("store", "copy", "other", url("taken"));
  const before = [...server.buckets.objects("bucket")].filter(([key]) => key.startsWith("taken"));
  fs.rmSync(project.file(".millrace/buckets"), { recursive: true, force: true });
  for (const words of [[], ["--dry-run"]]) {
    const refused = await flow("store", "copy", ".millrace", url("taken"), ...words);
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toContain("FLOW_COPY_OTHER_STORE");
  }
  expect([...server.buckets.objects("bucket")].filter(([key]) => key.startsWith("taken"))).toEqual(before);
}, 60_000);

test("a copy into a bucket that was interrupted goes on", async () => {
  const stop = new AbortController();
  server.settings.instead = ({ method, key }) => {
    if (method === "PUT" && key.startsWith("broken/runs/")) stop.abort();
    return stop.signal.aborted
      ? { status: 403, body: Buffer.from("<Error><Code>AccessDenied</Code></Error>") }
      : undefined;
  };
  const broken = await flow("store", "copy", ".millrace", url("broken"));
  server.settings.instead = undefined;
  expect([broken.code, broken.stdout]).toEqual([3, ""]);
  expect(broken.stderr).toContain("FLOW_STORAGE_CREDENTIALS");
  const [again] = (await done("store", "copy", ".millrace", url("broken"), "--json")).lines;
  expect(again.copied.values).toBe(0);
  expect(again.skipped.values).toBeGreaterThan(0);
  await done("store", "copy", url("broken"), "back-broken");
  expect(await shown(project.file("back-broken"))).toEqual(await shown(project.store));
}, 60_000);

test("records are made anew from the bucket, and those that are there only by force", async () => {
  await done("store", "copy", ".millrace", url("lost"));

  const refused = await flow("store", "rebuild", "--store", url("lost"));
  expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining("flow store rebuild --force")]);
  const forced = await done("store", "rebuild", "--store", url("lost"), "--force");
  expect(forced.stdout).toMatch(/^✓ 3 runs with \d+ tasks of s3:/);
  expect(forced.stdout).toContain("kept as millrace.db.before-rebuild-1");
  fs.rmSync(project.file(".millrace/buckets"), { recursive: true });
  const [report] = (await done("store", "rebuild", "--store", url("lost"), "--json")).lines;
  expect(report).toMatchObject({ runs: 3, deleted: 0, lost: [], place: url("lost") });
  const runs = (await done("runs", "--json", "--store", report.folder)).stdout;
  expect(runs).toEqual((await done("runs", "--json")).stdout);

  // A run whose object is gone is not passed over in silence.
  const objects = server.buckets.objects();
  const [manifest] = [...objects.keys()].filter((key) => key.startsWith("lost/runs/"));
  objects.delete(manifest!);
  fs.rmSync(project.file(".millrace/buckets"), { recursive: true });
  const told = await done("store", "rebuild", "--store", url("lost"));
  expect(told.stdout).toMatch(/^✓ 2 runs .*\n(.*\n)*! \w+\/\d is listed as deleted: the bucket has no records of it/);

  // One that is damaged is left out when that is asked for, and the others come.
  const [next] = [...objects.keys()].filter((key) => key.startsWith("lost/runs/"));
  const packs = next!.replace("runs", "packs").replace(/[^/]+$/, "");
  objects.delete([...objects.keys()].find((key) => key.startsWith(packs))!);
  fs.rmSync(project.file(".millrace/buckets"), { recursive: true });
  const partial = await flow("store", "rebuild", "--store", url("lost"), "--skip-damaged");
  expect([partial.code, partial.stderr]).toEqual([4, ""]);
  expect(partial.stdout).toMatch(/^! 1 run .*\n(.*\n)*✗ \w+\/\d was left out and is listed as deleted: .*packs/);
}, 60_000);

test.each([
  ["rebuild a folder", () => ["store", "rebuild"], "FLOW_PUBLISH_NO_BUCKET"],
  ["rebuild an empty bucket", () => ["store", "rebuild", "--store", url("empty")], "FLOW_PUBLISH_NO_STORE"],
  ["copy from an empty bucket", () => ["store", "copy", url("empty"), "target"], "FLOW_PUBLISH_NO_STORE"],
  [
    "copy to a bucket that is not there",
    () => ["store", "copy", ".millrace", url("x", "nothing")],
    "FLOW_STORAGE_NO_BUCKET",
  ],
  [
    "copy with credentials in the URL",
    () => ["store", "copy", ".millrace", `s3://test-key:${SECRET}@bucket/x`],
    "FLOW_CONFIG_BAD_STORE",
  ],
  [
    "anything with credentials in the URL",
    () => ["runs", "--wrong", "--store", `s3://test-key:${SECRET}@bucket/x`],
    "FLOW_CLI_UNKNOWN_FLAG",
  ],
])("what cannot be is refused: %s", async (_what, words, code) => {
  const refused = await flow(...words());
  expect([refused.stdout, refused.code === 0]).toEqual(["", false]);
  expect(refused.stderr).toContain(code);
  expect(fs.existsSync(project.file("target/millrace.db"))).toBe(false);
});

test("init checks bucket and credentials, makes the store once, and saves it for the workspace", async () => {
  using _settings = restoringSettings();
  const made = await done("store", "init", url("fresh"), "--save");
  expect(made.stdout).toMatch(/^✓ Made a store in s3:\/\/bucket\/fresh\?/);
  expect(made.stdout).toContain(`named in ${project.file("millrace.json")}`);
  expect(JSON.parse(fs.readFileSync(project.file("millrace.json"), "utf8"))).toEqual({ store: url("fresh") });
  expect((await done("store", "init")).stdout).toMatch(/^✓ There is a store in s3:\/\/bucket\/fresh\?/);
  const [info] = (await done("store", "info", "--json")).lines;
  expect(info).toMatchObject({
    place: url("fresh"),
    kind: "s3",
    from: "file",
    insteadOf: project.store,
    options: { endpoint: server.endpoint },
    bucket: { holds: "this" },
    records: { runs: 0, untold: 0 },
    capabilities: { createOnce: "atomic" },
    cache: { files: 0, limitBytes: 10 * 1024 ** 3 },
    spool: { files: 0, bytes: 0 },
  });
  const before = server.buckets.objects().size;
  const nested = await flow("store", "init", url("fresh/inner"));
  expect([nested.code, nested.stderr]).toEqual([1, expect.stringContaining("FLOW_PUBLISH_NESTED")]);
  expect(server.buckets.objects().size).toBe(before);
  fs.rmSync(project.file(".millrace/buckets"), { recursive: true });
  const refused = await flow("store", "init");
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("FLOW_PUBLISH_OTHER_STORE")]);
  expect(refused.stderr).toContain("flow store rebuild");
  const lost = await done("store", "info");
  expect(lost.stdout).toContain("its records are not on this machine\n  flow store rebuild\n");
  server.settings.conditionalWrites = "ignored";
  const careless = await done("store", "init", url("careless"));
  expect(careless.stdout).toContain("! This store ignores conditional writes");
}, 60_000);

/** Puts the server and the workspace back as they were. */
function restoringSettings(): Disposable {
  const before = { ...server.settings };
  return {
    [Symbol.dispose]: () => {
      Object.assign(server.settings, before);
      fs.rmSync(project.file("millrace.json"), { force: true });
    },
  };
}

test("info of a folder says why it is that one, what it can and what it has", async () => {
  const shownInfo = await done("store", "info");
  expect(shownInfo.stdout).toContain(
    `  store     ${project.store}\n  named by  the nearest .millrace from here upwards\n`,
  );
  const [info] = (await done("store", "info", "--json", "--store", ".millrace")).lines;
  expect(info).toMatchObject({ schema: 1, kind: "folder", from: "option", records: { runs: 3 }, isReadonly: false });
  expect(info.bucket).toBeUndefined();
  expect((await done("store", "info", "--store", "not-there")).stdout).toContain("nothing is there yet");
  expect(fs.existsSync(project.file("not-there"))).toBe(false);
});

test("what is wrong with a bucket is said by info and init alike, and nothing is made", async () => {
  const words = [
    ["store", "info"],
    ["store", "init"],
  ] as const;
  for (const [store, code, exits] of [
    [url("x", "no-such-bucket"), "FLOW_STORAGE_NO_BUCKET", [1, 3]],
    ["s3://Bad_Name", "FLOW_CONFIG_BAD_STORE", [2, 2]],
  ] as const) {
    const before = fs.readdirSync(project.file(".millrace"));
    for (const [at, verb] of words.entries()) {
      const called = await flow(...verb, "--store", store);
      expect([called.code, called.stdout + called.stderr]).toEqual([exits[at], expect.stringContaining(code)]);
    }
    expect(fs.readdirSync(project.file(".millrace"))).toEqual(before);
  }
}, 60_000);

test("what a bucket could not be told is a warning as all of the command's are", async () => {
  const store = url("untold");
  await done("store", "copy", ".millrace", store);
  server.settings.instead = ({ method, key }) =>
    method === "PUT" && key.startsWith("untold/log/") ? failure(403, "AccessDenied") : undefined;
  const told = await flow("tag", "add", "Rows/1", "late:v1", "--store", store);
  server.settings.instead = undefined;
  expect(told.code).toBe(0);
  expect(told.stderr).toMatch(/^! Cannot tell s3:\/\/bucket\/untold.*\n {2}→ It is recorded here.*\n$/);
}, 60_000);

test("a service whose library is not installed is named with what to install", async () => {
  const called = await project.flow(["store", "init", url("x")], {
    env,
    node: ["--import", noSdk("@aws-sdk/client-s3")],
  });
  expect([called.code, called.stderr]).toEqual([3, expect.stringContaining("FLOW_STORAGE_NO_SDK")]);
  expect(called.stderr).toContain("npm install @aws-sdk/client-s3");
});

/** A module that makes a package one that is not installed, as Node itself says it. */
function noSdk(name: string): string {
  project.write({
    "no-sdk.mjs": `import { registerHooks } from "node:module";
      registerHooks({ resolve(specifier, context, next) {
        return next(specifier === ${JSON.stringify(name)} ? specifier + "-that-is-not-there" : specifier, context);
      } });`,
  });
  return new URL(`file://${project.file("no-sdk.mjs")}`).href;
}

test("Ctrl-C ends a run whose upload hangs when the grace is over, as cancelled", async () => {
  const seen = Promise.withResolvers<void>();
  server.settings.delayOf = ({ method, key }) => {
    if (method !== "PUT" || !key.startsWith("hangs/blobs/")) return 0;
    seen.resolve();
    return 1e8;
  };
  const hanging = new SpawnedFlow(["run", "rows.ts", "--store", url("hangs")], { cwd: project.folder, env });
  try {
    await seen.promise;
    hanging.signal("SIGINT");
    const beganAt = performance.now();
    const ended = await hanging.ended;
    expect([ended.code, ended.stderr]).toEqual([130, expect.not.stringContaining("FLOW_")]);
    expect(performance.now() - beganAt).toBeLessThan(25_000);
  } finally {
    server.settings.delayOf = undefined;
    hanging.killGroup();
  }
  expect((await done("runs", "--json", "--store", url("hangs"))).stdout).toContain('"cancelled"');
}, 60_000);
