import { expect, test } from "vitest";
import type { Digest, NewBlob } from "../artifact/artifact.ts";
import type { TaskSequence } from "../metadata/metadata-store.ts";
import type { Settlement } from "./judge.ts";
import type { TaskResult } from "./protocol.ts";
import { Uncommitted } from "./uncommitted.ts";

const digest = "0".repeat(64) as Digest;
const MIB = 1024 * 1024;

function settlement({ blobs = [], logs = [] }: Partial<Pick<TaskResult, "blobs" | "logs">>): Settlement {
  return {
    kind: "settlement",
    result: {
      sequence: 1 as TaskSequence,
      attempt: 1,
      startedAt: new Date(0),
      durationMs: 1,
      outcome: { kind: "succeeded", artifacts: [], pages: [] },
      blobs,
      reads: [],
      logs,
      liveChunks: 0,
    },
  };
}

function inline(storedBytes: number): NewBlob {
  const sizes = { sizeBytes: storedBytes, storedBytes };
  return { digest, ...sizes, compression: "none", stored: new Uint8Array(storedBytes) };
}

test("results that wait leave room until they are 2,048", () => {
  const waiting = new Uncommitted();
  for (let count = 0; count < 2_047; count++) waiting.add(settlement({}));
  expect(waiting.leavesRoom).toBe(true);
  waiting.add(settlement({}));
  expect(waiting.leavesRoom).toBe(false);
  expect(waiting.take()).toHaveLength(2_048);
  expect(waiting.leavesRoom).toBe(true);
});

test("values that lie in the records and output count by their bytes, and values with a file do not", () => {
  const waiting = new Uncommitted();
  waiting.add(
    settlement({
      blobs: [inline(MIB), { digest, sizeBytes: 1024 * MIB, storedBytes: 1024 * MIB, compression: "none" }],
    }),
  );
  waiting.add(settlement({ blobs: Array.from({ length: 61 }, () => inline(MIB)) }));
  const chunk = { task: 1 as TaskSequence, attempt: 1, stream: "stdout", at: new Date(0) } as const;
  waiting.add(settlement({ logs: [{ ...chunk, text: "x".repeat(MIB) }] }));
  expect(waiting.leavesRoom).toBe(true);
  waiting.add(settlement({ logs: [{ ...chunk, text: "x".repeat(MIB) }] }));
  expect(waiting.leavesRoom).toBe(false);
  waiting.take();
  expect(waiting.leavesRoom).toBe(true);
});
