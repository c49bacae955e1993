import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openWriter } from "../../packages/core/src/metadata/sqlite/connection.ts";
import { openSqliteMetadata } from "../../packages/core/src/metadata/sqlite/sqlite-metadata.ts";
import { blobOf, newRun } from "../conformance/metadata-store/records.ts";

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-ahead-"));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Records whose values lie behind a network, and what is asked there: `isKnown` says of each question whether its answer is there already. */
async function opened(isKnown: (question: number) => boolean) {
  const file = path.join(folder, "millrace.db");
  const calls: string[] = [];
  let questions = 0;
  const isLocked = (): boolean => {
    const other = openWriter(file);
    try {
      other.pragma("busy_timeout = 0");
      other.exec("BEGIN IMMEDIATE");
      other.exec("ROLLBACK");
      return false;
    } catch {
      return true;
    } finally {
      other.close();
    }
  };
  const metadata = await openSqliteMetadata(file, {
    holdsBlob: () => {
      calls.push(`holds${isLocked() ? ", locked" : ""}`);
      return true;
    },
    blobsAhead: {
      knows: () => isKnown(questions++),
      look: async (blobs) => void calls.push(`look for ${blobs.length}${isLocked() ? ", locked" : ""}`),
    },
  });
  const { stored: _, ...large } = blobOf("x".repeat(20_000));
  return { metadata, calls, create: () => metadata.createRun(newRun({ blobs: [large] })) };
}

test("a value behind a network is looked for before the lock of all writers is taken", async () => {
  // Before the transaction, and within it, where it is known then.
  const { metadata, calls, create } = await opened((question) => question > 0);
  await create();
  expect(calls).toEqual(["look for 1", "holds, locked"]);
  await metadata.close();
});

test("one that is known is not looked for, and a deletion meanwhile lets it be looked for again, without the lock", async () => {
  // Known at first, but not within the transaction any more: a deletion came between.
  const { metadata, calls, create } = await opened((question) => question !== 1 && question !== 2);
  const run = await create();
  expect(calls).toEqual(["look for 1", "holds, locked"]);
  expect((await metadata.runs({ limit: 10 })).map(({ id }) => id)).toEqual([run.id]);
  await metadata.close();
});

test("when deletions do not end, it is asked within the transaction all the same", async () => {
  const { metadata, calls, create } = await opened(() => false);
  await create();
  expect(calls).toEqual(["look for 1", "look for 1", "look for 1", "holds, locked"]);
  await metadata.close();
});
