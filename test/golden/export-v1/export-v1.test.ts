/** A file of form 1, as a version of long ago wrote it: it is read, and its runs are what they were. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { exportRuns, importRuns, openStores, readArtifact } from "@millrace/core/internal";

const FILE = fileURLToPath(new URL("runs.tar", import.meta.url));

test("a file of form 1 is read, and written again byte by byte", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-golden-export-"));
  const stores = await openStores({ store: path.join(folder, "store"), cwd: folder, environment: {}, create: true });
  try {
    const by = { actor: "ann", host: "mill", at: new Date("2026-05-04T12:00:00Z") };
    const report = await importRuns(stores, { from: FILE, ...by });
    expect(report.runs.map(({ run, from, status, tagsThere }) => [run, from.run, status, tagsThere])).toEqual([
      ["Data/1", "shop/Data/1", "succeeded", []],
      ["Train/1", "shop/Train/1", "succeeded", []],
      ["Fails/1", "shop/Fails/1", "failed", []],
      ["Train/2", "shop/Train/2", "succeeded", []],
    ]);
    const train = (await stores.metadata.runById(report.runs[1]!.runId))!;
    const sum = (await stores.metadata.visibleArtifact(train.endTask!, "sum"))!;
    expect(await readArtifact(stores, train, "Train/1", sum)).toBe(30 + 3 + [1, 2, 3, 4].reduce((all, n) => all + Math.sin(n), 0));
    const runs = await Promise.all(report.runs.map(async ({ runId }) => (await stores.metadata.runById(runId))!));
    const pieces: Uint8Array[] = [];
    await exportRuns(stores, runs, { to: async (piece) => void pieces.push(Uint8Array.from(piece)) });
    expect(Buffer.compare(Buffer.concat(pieces), fs.readFileSync(FILE))).toBe(0);
  } finally {
    await stores.close();
    fs.rmSync(folder, { recursive: true });
  }
});
