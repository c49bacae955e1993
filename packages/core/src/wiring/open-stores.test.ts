import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { encodeValue } from "../artifact/value-codec.ts";
import { newRunId } from "../ids/run-id.ts";
import type { OpenStores } from "./open-stores.ts";
import { openStores } from "./open-stores.ts";
import { openTaskStores } from "./open-task-stores.ts";

let cwd: string;
const opened: OpenStores[] = [];
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "millrace wiring ü-"));
});
afterEach(async () => {
  for (const stores of opened.splice(0)) await stores.close();
  rmSync(cwd, { recursive: true, force: true });
});

async function open(
  options: { readonly store?: string; readonly create?: boolean; readonly environment?: Record<string, string> } = {},
): Promise<OpenStores> {
  const { store, create = true, environment = {} } = options;
  const stores = await openStores({ cwd, environment, create, ...(store === undefined ? {} : { store }) });
  opened.push(stores);
  return stores;
}

function mode(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

test("a writer makes a private store that git does not see", async () => {
  const before = process.umask(0);
  try {
    const stores = await open();
    expect(stores).toMatchObject({ folder: join(cwd, ".millrace"), isNew: true, isReadonly: false });
  } finally {
    process.umask(before);
  }
  const folder = join(cwd, ".millrace");
  expect(mode(folder)).toBe("700");
  expect(mode(join(folder, "millrace.db"))).toBe("600");
  expect(readFileSync(join(folder, ".gitignore"), "utf8")).toContain("*");
  expect((await open()).isNew).toBe(false);
});

test("a reader makes nothing and says where it looked", async () => {
  await expect(open({ create: false })).rejects.toMatchObject({
    code: "FLOW_CLIENT_NO_STORE",
    hint: expect.stringContaining("--store") as string,
  });
  await expect(open({ create: false, store: "other" })).rejects.toThrow(`${join(cwd, "other")}" (from --store)`);
  await expect(open({ create: false, environment: { MILLRACE_STORE: "third" } })).rejects.toThrow(
    "from MILLRACE_STORE",
  );
  expect(readdirSync(cwd)).toEqual([]);
});

test("a reader finds the store that a writer made further up", async () => {
  await open();
  const below = join(cwd, "a", "b");
  mkdirSync(below, { recursive: true });
  const stores = await openStores({ cwd: below, environment: {}, create: false });
  opened.push(stores);
  expect(stores.folder).toBe(join(cwd, ".millrace"));
});

test("a folder with other things in it does not become a store, and nothing is written there", async () => {
  const project = join(cwd, "project");
  mkdirSync(project);
  writeFileSync(join(project, "train.ts"), "");
  await expect(open({ store: project })).rejects.toMatchObject({
    code: "FLOW_CLIENT_NOT_A_STORE",
    message: expect.stringContaining("train.ts") as string,
  });
  expect(readdirSync(project)).toEqual(["train.ts"]);
  await expect(open({ store: join(project, "train.ts") })).rejects.toMatchObject({ code: "FLOW_CLIENT_NOT_A_STORE" });
});

test("an interrupted creation is taken up", async () => {
  mkdirSync(join(cwd, "store", "blobs"), { recursive: true });
  expect((await open({ store: "store" })).isNew).toBe(true);
});

test("a path that cannot be made is a coded error that names it", async () => {
  writeFileSync(join(cwd, "file"), "");
  await expect(open({ store: join("file", "store") })).rejects.toMatchObject({
    code: expect.stringMatching(/^FLOW_/) as string,
    message: expect.stringContaining(join(cwd, "file")) as string,
  });
});

test.skipIf(process.getuid?.() === 0)(
  "a store that may not be written, or not even entered, is a coded error that names it",
  async () => {
    const stores = await open();
    await stores.close();
    opened.length = 0;
    const folder = join(cwd, ".millrace");
    const refused = {
      code: expect.stringMatching(/^FLOW_(?:STORAGE_DENIED|METADATA_READ_ONLY)$/) as string,
      message: expect.stringContaining(folder) as string,
    };
    try {
      chmodSync(join(folder, "millrace.db"), 0o400);
      chmodSync(folder, 0o500);
      await expect(open()).rejects.toMatchObject(refused);
      chmodSync(folder, 0o000);
      await expect(open()).rejects.toMatchObject(refused);
      await expect(open({ create: false })).rejects.toMatchObject(refused);
    } finally {
      chmodSync(folder, 0o700);
    }
  },
);

test("a file that is no database is refused by name", async () => {
  mkdirSync(join(cwd, ".millrace"));
  writeFileSync(
    join(cwd, ".millrace", "millrace.db"),
    "this is no database, and long enough to be looked at as one".repeat(20),
  );
  await expect(open({ create: false })).rejects.toMatchObject({
    code: expect.stringMatching(/^FLOW_METADATA_/) as string,
    message: expect.stringContaining("millrace.db") as string,
  });
});

test("several writers at once make one store", async () => {
  const all = await Promise.all(Array.from({ length: 4 }, () => open()));
  const infos = await Promise.all(all.map((stores) => stores.metadata.info()));
  expect(new Set(infos.map((info) => info.storeId)).size).toBe(1);
});

test("a worker opens the same store from plain data, and reads without waiting", async () => {
  const stores = await open();
  const large = encodeValue(new Uint8Array(100_000).map((_, index) => (index * 7919) >>> 3));
  const small = encodeValue("config");
  const row = await stores.metadata.createRun({
    id: newRunId(),
    flow: { project: "shop", name: "Train" },
    formerly: [],
    createdAt: new Date(),
    tags: [],
    systemTags: [],
    parameters: {},
    secretParameters: [],
    values: [
      { name: "table", kind: "constant", codec: large.codec, digest: large.digest, sizeBytes: large.sizeBytes },
      {
        name: "configuration",
        kind: "parameter",
        codec: small.codec,
        digest: small.digest,
        sizeBytes: small.sizeBytes,
      },
    ],
    environment: {
      millrace: "0.1.0",
      node: "v24",
      os: "linux",
      arch: "x64",
      host: "here",
      actor: "ana",
      cwd: "/",
      command: [],
    },
    upstreams: [],
    blobs: [stores.artifacts.storeSync(large), stores.artifacts.storeSync(small)],
    actor: "ana",
    host: "here",
    execution: { runner: { host: "here", pid: 1 }, command: [] },
  });
  const location = structuredClone(stores.locate());
  const task = openTaskStores(location);
  try {
    expect(task.records.runById(row.id)?.number).toBe(1);
    for (const value of task.records.runValues(row.sequence)) {
      const expected = value.name === "table" ? large : small;
      const payload = task.artifacts.payloadSync(value, task.records.blob(value.digest));
      expect(Buffer.from(payload).equals(Buffer.concat(expected.chunks))).toBe(true);
    }
  } finally {
    task.close();
  }
  const file = join(cwd, ".millrace", "blobs", "sha256", large.digest.slice(0, 2));
  expect(readdirSync(file).some((name) => name.startsWith(large.digest))).toBe(true);
  expect(existsSync(join(cwd, ".millrace", "tmp")) ? readdirSync(join(cwd, ".millrace", "tmp")) : []).toEqual([]);
});
