/** A run that was lost: taken to another store, it is lost there, and both stores are whole. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import type { StoreFinding } from "../../packages/core/src/admin/verify/finding.ts";
import { ArtifactStore } from "../../packages/core/src/artifact/artifact-store.ts";
import { openSqliteMetadata } from "../../packages/core/src/metadata/sqlite/sqlite-metadata.ts";
import { openSqliteTrial } from "../../packages/core/src/metadata/sqlite/sqlite-trial.ts";
import { openFsBlobStore } from "../../packages/core/src/storage/fs/fs-blob-store.ts";
import { createStoreFolder } from "../../packages/core/src/storage/fs/store-folder.ts";
import { ArchiveFile } from "../../packages/core/src/transfer/archive-file.ts";
import { checkArchive } from "../../packages/core/src/transfer/check-archive.ts";
import { exportRuns } from "../../packages/core/src/transfer/export-runs.ts";
import { importRuns } from "../../packages/core/src/transfer/import-runs.ts";
import { repairStore, verifyStore } from "../../packages/core/src/wiring/store-admin.ts";
import { artifactOf, blobOf, finished, newRun, runner, started, tick } from "../conformance/metadata-store/records.ts";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-lost-"));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Whoever looks here sees that the runner of the records is far away, and has said nothing for long. */
const liveness = { self: { ...runner, host: "here" }, now: Date.now, isAlive: () => undefined };

async function open(name: string) {
  const { layout } = createStoreFolder(path.join(folder, name));
  const metadata = await openSqliteMetadata(layout.database, { liveness });
  const blobs = openFsBlobStore(layout.folder, { temporaryFolder: layout.temporary });
  return { metadata, blobs, artifacts: new ArtifactStore(blobs), close: () => metadata.close() };
}

async function damageOf(name: string): Promise<readonly string[]> {
  const found: StoreFinding[] = [];
  const input = { store: path.join(folder, name), cwd: folder, environment: {} };
  await verifyStore(input, { readData: true, onFinding: (finding) => void found.push(finding) });
  expect((await repairStore(input, { dryRun: true })).done).toEqual([]);
  return found.map(({ evidence }) => evidence);
}

test("a lost run is exported and imported, and verify finds nothing wrong on either side", async () => {
  const from = await open("from");
  const run = await from.metadata.createRun(newRun());
  const [first, second] = [await from.metadata.reserveTasks(1), await from.metadata.reserveTasks(1)];
  await from.metadata.commitTick(
    tick({
      run: run.sequence,
      started: [
        started(run, first, { attempt: 1, path: "1" as never }),
        started(run, second, { attempt: 1, path: "2" as never }),
      ],
      blobs: [blobOf("done")],
      finished: [finished(first, { artifacts: [artifactOf("small", "done")] })],
    }),
  );
  const [lost] = await from.metadata.runs({ limit: 1 });
  expect(lost!.status).toBe("lost");
  const file = path.join(folder, "lost.tar");
  const pieces: Uint8Array[] = [];
  await exportRuns({ ...from, openTrial: openSqliteTrial }, [lost!], {
    write: async (piece) => void pieces.push(Uint8Array.from(piece)),
  });
  fs.writeFileSync(file, Buffer.concat(pieces));

  const to = await open("to");
  const archive = new ArchiveFile(fs.openSync(file, "r"), "lost.tar");
  const trial = openSqliteTrial();
  await importRuns(to, await checkArchive(archive, { trial }), { actor: "ann", host: "mill", at: new Date() });
  const [imported] = await to.metadata.runs({ limit: 1 });
  const tasks = await to.metadata.tasks({ run: imported!.sequence, limit: 9 });
  expect([imported!.status, ...tasks.map(({ status }) => status)]).toEqual(["lost", "succeeded", "lost"]);
  await Promise.all([from.close(), to.close()]);
  expect(await damageOf("from")).toEqual([]);
  expect(await damageOf("to")).toEqual([]);
});
