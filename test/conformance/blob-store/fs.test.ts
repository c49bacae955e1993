import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { openFsBlobStore } from "../../../packages/core/src/storage/fs/fs-blob-store.ts";
import { blobStoreSuite } from "./suite.ts";

blobStoreSuite("folder", () => {
  const parent = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-blobs-"));
  const folder = path.join(parent, "not made yet", "blobs");
  return {
    store: openFsBlobStore(folder),
    reopen: () => openFsBlobStore(folder),
    renewsAfterMs: 0,
    dispose: () => fs.rmSync(parent, { recursive: true, force: true }),
  };
});
