import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { openSqliteMetadata } from "../../../packages/core/src/metadata/sqlite/sqlite-metadata.ts";
import { openSqliteTaskReader } from "../../../packages/core/src/metadata/sqlite/task-reader.ts";
import { faultyMetadataStore } from "../../kit/faulty-metadata-store.ts";
import { PlannedFaults } from "../../kit/planned-faults.ts";
import { hereAndNow, metadataStoreSuite } from "./suite.ts";

metadataStoreSuite("a faulty one without faults", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-faulty-"));
  const file = path.join(folder, "millrace.db");
  const here = hereAndNow();
  const open = async () =>
    faultyMetadataStore(await openSqliteMetadata(file, { liveness: here }), new PlannedFaults([]));
  return {
    here,
    store: await open(),
    reopen: open,
    openReadOnly: () => openSqliteMetadata(file, { readonly: true, liveness: here }),
    openTaskReader: () => openSqliteTaskReader(file),
    dispose: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
});
