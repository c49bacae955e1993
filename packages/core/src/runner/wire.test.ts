import { expect, test } from "vitest";
import type { Digest, NewBlob } from "../artifact/artifact.ts";
import type { TaskPath } from "../ids/task-path.ts";
import type { NewArtifact, TaskSequence } from "../metadata/metadata-store.ts";
import type { BatchTask, TaskResult } from "./protocol.ts";
import { packReport, unpackReport } from "./wire.ts";

const TASK: BatchTask = { sequence: 7 as TaskSequence, step: "fill", path: "" as TaskPath, attempt: 2 };

test("a result with many artifacts travels as columns and arrives as it was", () => {
  const result = resultOf(40);
  const packed = packReport({ results: [result], isUnsure: true });
  expect(packed.results).not.toBeInstanceOf(Array);
  expect(unpackReport(structuredClone(packed), [TASK])).toEqual({ results: [result], isUnsure: true });
});

test("what columns have no place for travels as it is", () => {
  const term: NewArtifact = { ...artifactOf(0), term: { isTransient: true } };
  const results: readonly TaskResult[] = [
    { ...resultOf(40), outcome: { kind: "succeeded", artifacts: [term, ...artifactsOf(40)], pages: [] } },
    { ...resultOf(40), outcome: { kind: "succeeded", artifacts: artifactsOf(40), pages: [], fanOut: 3 } },
    { ...resultOf(40), outcome: { kind: "caught", artifacts: artifactsOf(40), pages: [] } },
    resultOf(2),
  ];
  for (const result of results) {
    const packed = packReport({ results: [result] });
    expect(packed.results).toBeInstanceOf(Array);
    expect(unpackReport(structuredClone(packed), [TASK])).toEqual({ results: [result] });
  }
});

function resultOf(count: number): TaskResult {
  const { sequence, attempt } = TASK;
  const outcome = { kind: "succeeded", artifacts: artifactsOf(count), pages: [] } as const;
  const blobs = Array.from({ length: count }, (_, index) => blobOf(index));
  const rest = { startedAt: new Date(5), durationMs: 1.5, reads: [], logs: [], liveChunks: 0 };
  return { sequence, attempt, outcome, blobs, valueReads: ["seed"], ...rest };
}

function artifactsOf(count: number): readonly NewArtifact[] {
  return Array.from({ length: count }, (_, index) => artifactOf(index));
}

function artifactOf(index: number): NewArtifact {
  return { name: `value${index}`, codec: index % 2 === 0 ? "cbor" : "text", digest: digestOf(index), sizeBytes: index };
}

/** Every fifth lies outside of the records; one is empty. */
function blobOf(index: number): NewBlob {
  const row = { digest: digestOf(index), sizeBytes: index, storedBytes: index } as const;
  if (index % 5 === 4) return { ...row, compression: "zstd" };
  return { ...row, compression: "none", stored: new Uint8Array(index).fill(index) };
}

function digestOf(index: number): Digest {
  return index.toString(16).padStart(64, "0") as Digest;
}
