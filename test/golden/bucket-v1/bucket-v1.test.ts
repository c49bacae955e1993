import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openFsBlobStore } from "../../../packages/core/src/storage/fs/fs-blob-store.ts";
import { closeStore, findingsOf, keysOf, openFolder, rebuildInto } from "../../publish/publish-kit.ts";
import { readEverything } from "../read-everything.ts";

const here = path.dirname(new URL(import.meta.url).pathname);
let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-golden-"));
  fs.cpSync(path.join(here, "bucket"), path.join(folder, "bucket"), { recursive: true });
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

test("records out of a bucket of format 1 are those that were written, to the last field", async () => {
  const bucket = openFsBlobStore(path.join(folder, "bucket"));
  expect(await rebuildInto(bucket, path.join(folder, "store"))).toMatchObject({ runs: 2 });
  const store = await openFolder(path.join(folder, "store"));
  const expected = JSON.parse(fs.readFileSync(path.join(here, "expected.json"), "utf8"));
  expect(await readEverything(store.metadata, store.blobs)).toEqual(expected);
  const by = { actor: "ann", host: "north", via: "flow runs delete", reason: "a test" };
  expect(await store.metadata.deletedRunsByNumber({ name: "Train" }, 2)).toMatchObject([{ status: "cancelled", ...by }]);
  await closeStore(store);
  const notes = await findingsOf(path.join(folder, "store"));
  expect(notes.filter((finding) => !finding.includes('"kind":"note"'))).toEqual([]);
});

test("it holds what the format is for", async () => {
  const bucket = openFsBlobStore(path.join(folder, "bucket"));
  const keys = await keysOf(bucket);
  for (const beginning of ["millrace.json", "blobs/", "packs/", "runs/", "log/"])
    expect(keys.some((key) => key.startsWith(beginning))).toBe(true);
  expect(keys.filter((key) => /\/2$/.test(key))).toHaveLength(1);
  const log = await Promise.all(keys.filter((key) => key.startsWith("log/")).map((key) => bucket.get(key)));
  const text = log.map((bytes) => new TextDecoder().decode(bytes)).join("");
  for (const kind of ["flow", "flow-name", "begun", "event", "deleted"]) expect(text).toContain(`"kind":"${kind}"`);
  await bucket.close();
});
