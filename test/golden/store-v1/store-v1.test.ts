import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SCHEMA_VERSION } from "../../../packages/core/src/metadata/sql/migrations/migrations.ts";
import { openReader } from "../../../packages/core/src/metadata/sqlite/connection.ts";
import { openSqliteMetadata } from "../../../packages/core/src/metadata/sqlite/sqlite-metadata.ts";
import { verifyTagLog } from "../../../packages/core/src/metadata/tag-chain.ts";
import { openFsBlobStore } from "../../../packages/core/src/storage/fs/fs-blob-store.ts";
import { storeLayout } from "../../../packages/core/src/storage/fs/store-folder.ts";
import { finished, newRun, noon, started, tick } from "../../conformance/metadata-store/records.ts";
import { readEverything } from "../read-everything.ts";

const here = path.dirname(new URL(import.meta.url).pathname);
const expected = JSON.parse(fs.readFileSync(path.join(here, "expected.json"), "utf8"));
let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-golden-"));
  fs.cpSync(path.join(here, "store"), folder, { recursive: true });
});

afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

test.each([true, false])("a store of schema 1 is read to the last field (read-only: %s)", async (readonly) => {
  const layout = storeLayout(folder);
  const store = await openSqliteMetadata(layout.database, { readonly });
  const blobs = openFsBlobStore(layout.folder);
  // Every field as it was; what schema 2 added is looked at below.
  expect(await readEverything(store, blobs)).toMatchObject(expected);
  expect(verifyTagLog((await store.tagEvents({})).toReversed())).toMatchObject({ kind: "whole", events: 5 });
  await store.close();
});

test.each([true, false])("its runs have one execution each, of an unknown process (read-only: %s)", async (readonly) => {
  const store = await openSqliteMetadata(storeLayout(folder).database, { readonly });
  for (const run of await store.runs({})) {
    const known = { number: 1, runner: { host: "mill", pid: 0 }, startedAt: noon };
    expect(run.execution).toEqual({ ...known, heartbeatAt: noon });
    const { actor, command } = run.environment;
    expect(await store.executions(run.sequence)).toEqual([
      {
        ...known,
        run: run.sequence,
        actor,
        command,
        options: {},
        heartbeatAt: noon,
        endedAt: noon,
        status: run.status,
        ...(run.packageDigest === undefined ? {} : { packageDigest: run.packageDigest }),
      },
    ]);
    expect(await store.childRuns(run.sequence)).toEqual([]);
  }
  expect(await store.finishedTasks(2 as never)).toMatchObject({
    count: 2,
    steps: ["fold", "start"],
    valueReads: [undefined, undefined],
    unfinished: [{ step: "fold", path: "1", attempt: 0 }],
  });
  await store.close();
});

test("it is brought to the newest schema, and kept beside it as it was", async () => {
  const { database } = storeLayout(folder);
  const store = await openSqliteMetadata(database);
  expect((await store.info()).schemaVersion).toBe(SCHEMA_VERSION);
  await store.close();
  const old = openReader(`${database}.before-2`);
  expect(old.prepare("SELECT schema_version FROM store").pluck().get()).toBe(1);
  expect(old.pragma("integrity_check", { simple: true })).toBe("ok");
  expect(old.prepare("SELECT count(*) FROM pragma_table_info('task')").pluck().get()).toBe(12);
  old.close();
  fs.copyFileSync(`${database}.before-2`, database); // going back is copying it back
  const again = await openSqliteMetadata(database, { readonly: true });
  expect(await readEverything(again, openFsBlobStore(storeLayout(folder).folder))).toMatchObject(expected);
  await again.close();
});

test("its failed run goes on from where it stopped", async () => {
  const store = await openSqliteMetadata(storeLayout(folder).database);
  const runner = { host: "here", pid: 1 };
  expect(await store.beginExecution({ run: 2 as never, runner, actor: "ann", command: [], at: noon })).toBe(2);
  const again = started(2 as never, await store.reserveTasks(1), { step: "fold", path: "1", attempt: 1, inherits: 2 as never });
  await store.commitTick(tick({ execution: 2, started: [again], finished: [finished(again.sequence)] }));
  expect(await store.finishedTasks(2 as never)).toMatchObject({ count: 3, unfinished: [] });
  await store.close();
});

test("a store of schema 1 takes new runs, whose numbers go on", async () => {
  const store = await openSqliteMetadata(storeLayout(folder).database);
  expect(await store.createRun(newRun({ flow: { project: "shop", name: "Fit" } }))).toMatchObject({ number: 2 });
  expect(await store.reserveTasks(1)).toBe(6);
  await store.close();
});

test("its files are named by what they hold", () => {
  for (const { key, bytes } of expected.files) {
    const stored = Buffer.from(bytes, "base64");
    const payload = key.endsWith(".zst") ? zstdDecompressSync(stored) : stored;
    expect(path.basename(key, ".zst")).toBe(createHash("sha256").update(payload).digest("hex"));
  }
  expect(expected.files).toHaveLength(1);
});
