/** What cannot be exported is refused by name, and a run that changes meanwhile is noticed. */
import { expect, test } from "vitest";
import { ArtifactStore } from "../../packages/core/src/artifact/artifact-store.ts";
import type { NewRun, RunRow } from "../../packages/core/src/metadata/metadata-store.ts";
import { openMemoryMetadata } from "../../packages/core/src/metadata/sqlite/memory-metadata.ts";
import { openSqliteTrial } from "../../packages/core/src/metadata/sqlite/sqlite-trial.ts";
import { openMemoryBlobStore } from "../../packages/core/src/storage/memory/memory-blob-store.ts";
import { exportRuns } from "../../packages/core/src/transfer/export-runs.ts";
import { splitLines } from "../../packages/core/src/transfer/json-lines.ts";
import { logPieces } from "../../packages/core/src/transfer/run-lines.ts";
import { newRun, noon, runner } from "../conformance/metadata-store/records.ts";

function open() {
  const { metadata } = openMemoryMetadata();
  return { metadata, artifacts: new ArtifactStore(openMemoryBlobStore()), openTrial: openSqliteTrial };
}

async function failed({ metadata }: ReturnType<typeof open>, changes: Partial<NewRun> = {}): Promise<RunRow> {
  const run = await metadata.createRun(newRun(changes));
  return await metadata.finishRun({ run: run.sequence, execution: 1, status: "failed", finishedAt: noon });
}

const write = async (): Promise<void> => {};

test("runs that are not over are refused, all of them by name, before anything is written", async () => {
  const stores = open();
  const over = await failed(stores);
  const open_ = [await stores.metadata.createRun(newRun()), await stores.metadata.createRun(newRun())];
  let pieces = 0;
  const exporting = exportRuns(stores, [over, ...open_], { write: async () => void pieces++ });
  await expect(exporting).rejects.toMatchObject({
    code: "FLOW_TRANSFER_NOT_OVER",
    problems: [{ message: expect.stringContaining("Train/2") }, { message: expect.stringContaining("Train/3") }],
  });
  expect(pieces).toBe(0);
});

test("a record that no reader would take is refused", async () => {
  const stores = open();
  const run = await failed(stores, { parameters: { text: "x".repeat(5 * 1024 * 1024) } });
  await expect(exportRuns(stores, [run], { write })).rejects.toMatchObject({
    code: "FLOW_TRANSFER_TOO_LARGE",
    message: expect.stringContaining("Train/1"),
  });
});

test("a run that goes on while it is exported is noticed", async () => {
  const stores = open();
  const run = await failed(stores);
  let pieces = 0;
  const exporting = exportRuns(stores, [run], {
    async write() {
      if (pieces++ > 0) return;
      const next = { run: run.sequence, runner, actor: "ann", command: [], at: noon };
      const execution = await stores.metadata.beginExecution(next);
      await stores.metadata.finishRun({ run: run.sequence, execution, status: "failed", finishedAt: noon });
    },
  });
  await expect(exporting).rejects.toMatchObject({ code: "FLOW_TRANSFER_CHANGED" });
});

test("output is cut into pieces that a reader takes, and no character in two", () => {
  const text = `a${"😀".repeat(70_000)}`;
  const pieces = [...logPieces(text)];
  expect(pieces.join("")).toBe(text);
  expect(pieces.length).toBe(3);
  for (const piece of pieces) expect([piece.isWellFormed(), piece.length <= 65_536]).toEqual([true, true]);
  expect([...logPieces("")]).toEqual([""]);
});

test("lines are put together from pieces that lie in the same memory", () => {
  const text = Array.from({ length: 40 }, (_, n) => `${n} ${"ü".repeat(n)}\n`).join("");
  const bytes = Buffer.from(text);
  for (const size of [1, 2, 3, 7, 64, 1_000, bytes.length]) {
    const memory = Buffer.alloc(size);
    function* pieces(): Generator<Uint8Array, void> {
      for (let at = 0; at < bytes.length; at += size) yield memory.subarray(0, bytes.copy(memory, 0, at, at + size));
    }
    expect([...splitLines(pieces())].map((line) => `${line}\n`).join("")).toBe(text);
  }
});
