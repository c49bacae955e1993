/**
 * Bytes and rows that nobody vouches for: 10,000 mutated encodings, bombs of depth, declared length and compression, pages,
 * archives and rows go through the decoders of a program with a heap of 256 MB. Each gives a value or an error with a code,
 * in less than a second.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { decompress } from "../../packages/core/src/artifact/compression.ts";
import { readList, readObject, readTexts, readTime } from "../../packages/core/src/metadata/stored-json.ts";
import { times } from "../faults/twenty.ts";
import { seeded } from "../kit/seed.ts";

const PROGRAM = fileURLToPath(new URL("./decode-program.ts", import.meta.url));

test("whatever the bytes are, decoding gives a value or a coded error, soon and in little memory", {
  timeout: 3_600_000,
}, async () => {
  const { seed } = seeded("hostile decoders");
  const count = times(1_000, 10_000);
  const words = ["--max-old-space-size=256", PROGRAM, String(count), String(seed)];
  const { stdout } = await promisify(execFile)(process.execPath, words, { maxBuffer: 1 << 24 });
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({ count, wrong: [], slow: [], isPolluted: false });
  // The inputs are neither all broken nor all whole: both ways are walked.
  expect(report.values).toBeGreaterThan(count / 20);
  expect(Object.keys(report.codes)).toEqual(
    expect.arrayContaining(["FLOW_ARTIFACT_CORRUPT", "FLOW_METADATA_CORRUPT", "FLOW_ARTIFACT_UNKNOWN_CODEC"]),
  );
  expect(report.maxRssMb).toBeLessThan(512); // the heap, and what Node itself takes
});

test("a size that a row claims is no order to take memory", () => {
  for (const size of [-1, 1.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])
    expect(decompress(Buffer.alloc(10_000_000), size)).toBeUndefined();
});

test("columns that hold something else are damage with the name of the column", () => {
  const corrupt = expect.objectContaining({
    code: "FLOW_METADATA_CORRUPT",
    message: expect.stringContaining("run.x"),
    hint: expect.any(String),
  });
  for (const text of ["", "{", "null", "5", "[]"]) expect(() => readObject(text, "run.x")).toThrow(corrupt);
  for (const text of ["", "{}", "null", '"a"']) expect(() => readList(text, "run.x")).toThrow(corrupt);
  expect(() => readTexts("[1]", "run.x")).toThrow(corrupt);
  expect(() => readTime(9e15, "run.x")).toThrow(corrupt);
  expect(readObject('{"__proto__":{"polluted":1}}', "run.x")).toSatisfy((value: object) =>
    Object.hasOwn(value, "__proto__"),
  );
  expect({}).not.toHaveProperty("polluted");
});
