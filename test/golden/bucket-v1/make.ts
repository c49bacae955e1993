/**
 * Makes the golden bucket of format 1, beside this file: `node test/golden/bucket-v1/make.ts`.
 *
 * It is kept as it was written, so that a later program is held to reading it. Do not make it again after format 1 was released.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { deleteRuns } from "../../../packages/core/src/admin/gc/delete-runs.ts";
import { blobKey } from "../../../packages/core/src/artifact/blob-layout.ts";
import type { RunRow, TaskSequence } from "../../../packages/core/src/metadata/metadata-store.ts";
import { openSqliteDeletion } from "../../../packages/core/src/metadata/sqlite/deletion/open-deletion.ts";
import { openFsBlobStore } from "../../../packages/core/src/storage/fs/fs-blob-store.ts";
import { publishingRecords } from "../../../packages/core/src/wiring/publishing-records.ts";
import { artifactOf, blobOf, finished, newRun, noon, runner, started, tick } from "../../conformance/metadata-store/records.ts";
import { closeStore, databaseOf, openFolder, rebuildInto } from "../../publish/publish-kit.ts";
import { readEverything } from "../read-everything.ts";

const here = path.dirname(new URL(import.meta.url).pathname);
const work = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-golden-bucket-"));
fs.rmSync(path.join(here, "bucket"), { recursive: true, force: true });
const bucket = openFsBlobStore(path.join(work, "bucket"));
const store = await openFolder(path.join(work, "store"));
const records = publishingRecords(store.metadata, {
  openBucket: async () => bucket,
  onUntold(error) {
    throw error;
  },
});
const { metadata } = records;
const by = { actor: "ann", host: "north", at: noon, via: "flow tag" };
const LARGE = "a line of a large value\n".repeat(1_000);

async function execute(run: RunRow, text: string, execution = 1): Promise<TaskSequence> {
  const task = await metadata.reserveTasks(1);
  const { stored, ...large } = blobOf(LARGE + text);
  await bucket.put(blobKey(large.digest, "none"), [stored!]);
  await metadata.commitTick(
    tick({
      run: run.sequence,
      execution,
      started: [started(run, task, { attempt: execution, path: "1" as never })],
      blobs: [blobOf(text), large],
      finished: [
        finished(task, {
          artifacts: [{ ...artifactOf("passing", text), term: { transient: true } } as never, artifactOf("large", LARGE + text)],
          metrics: [{ name: "loss", values: Float64Array.of(0.5, Number.NaN) }],
        }),
      ],
      logs: [{ task, attempt: execution, stream: "stdout", at: noon, text: "größer\n" }],
    }),
  );
  return task;
}

const value = blobOf("a parameter");
const first = await metadata.createRun(
  newRun({
    tags: ["early"],
    parameters: { name: "a parameter" },
    values: [{ name: "name", kind: "parameter", codec: "text", digest: value.digest, sizeBytes: value.sizeBytes }],
    blobs: [value],
  }),
);
const end = (run: RunRow) => ({ run: run.sequence, execution: run.execution.number, finishedAt: noon });
await metadata.finishRun({ ...end(first), status: "succeeded", endTask: await execute(first, "one") });
await metadata.moveTags({ ...by, run: first.sequence, add: ["prod:v1"], remove: ["early"], reason: "größer" });
await metadata.setTagPolicy({ ...by, policy: { pattern: "prod:*", exclusive: true } });
const second = await metadata.createRun(newRun({ flow: { project: "shop", name: "Other" } }));
await execute(second, "two");
await metadata.finishRun({ ...end(second), status: "failed" });
const execution = await metadata.beginExecution({ run: second.sequence, actor: "ann", at: noon, runner, command: [] } as never);
const task = await execute(second, "three", execution);
await metadata.finishRun({ ...end(second), execution, status: "succeeded", endTask: task });
const third = await metadata.createRun(newRun());
await metadata.finishRun({ ...end(third), status: "cancelled" });
const liveness = { self: runner, now: () => 0, isAlive: () => undefined };
const deletion = openSqliteDeletion(databaseOf(store.folder), { lockFile: path.join(work, "lock"), liveness } as never);
await deleteRuns(deletion, [third.sequence], { by: { ...by, via: "flow runs delete", reason: "a test" } });
await deletion.close();
await records.settle();

await rebuildInto(bucket, path.join(work, "rebuilt"));
const rebuilt = await openFolder(path.join(work, "rebuilt"));
fs.writeFileSync(
  path.join(here, "expected.json"),
  `${JSON.stringify(await readEverything(rebuilt.metadata, rebuilt.blobs), undefined, 1)}\n`,
);
await closeStore(rebuilt);
await closeStore(store);
await bucket.close();
fs.rmSync(path.join(work, "bucket", "TMP"), { recursive: true, force: true });
fs.cpSync(path.join(work, "bucket"), path.join(here, "bucket"), { recursive: true });
fs.rmSync(work, { recursive: true });
