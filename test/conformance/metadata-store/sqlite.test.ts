import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { openSqliteMetadata } from "../../../packages/core/src/metadata/sqlite/sqlite-metadata.ts";
import { openSqliteTaskReader } from "../../../packages/core/src/metadata/sqlite/task-reader.ts";
import { hereAndNow, metadataStoreSuite } from "./suite.ts";

metadataStoreSuite("SQLite", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-records-"));
  const file = path.join(folder, "millrace.db");
  const here = hereAndNow();
  return {
    here,
    store: await openSqliteMetadata(file, { liveness: here }),
    reopen: () => openSqliteMetadata(file, { liveness: here }),
    openReadOnly: () => openSqliteMetadata(file, { readonly: true, liveness: here }),
    openTaskReader: () => openSqliteTaskReader(file),
    dispose: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
});
