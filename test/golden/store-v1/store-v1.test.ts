import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSqliteMetadata } from "../../../packages/core/src/metadata/sqlite/sqlite-metadata.ts";
import { verifyTagLog } from "../../../packages/core/src/metadata/tag-chain.ts";
import { openFsBlobStore } from "../../../packages/core/src/storage/fs/fs-blob-store.ts";
import { storeLayout } from "../../../packages/core/src/storage/fs/store-folder.ts";
import { newRun } from "../../conformance/metadata-store/records.ts";
import { readEverything } from "./read-everything.ts";

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
  expect(await readEverything(store, blobs)).toEqual(expected);
  expect(verifyTagLog((await store.tagEvents({})).toReversed())).toMatchObject({ kind: "whole", events: 5 });
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
