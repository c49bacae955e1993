import { createHash, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import type { Digest } from "./artifact.ts";
import { blobKey } from "./blob-layout.ts";
import { frames } from "./compression.ts";
import { payloadCheck } from "./payload-check.ts";

test.each(["none", "zstd"] as const)("pieces may come in the same memory: %s", (compression) => {
  const payload = randomBytes(5_000_000);
  const digest = createHash("sha256").update(payload).digest("hex") as Digest;
  const stored = compression === "none" ? payload : Buffer.concat(frames([payload]));
  const check = payloadCheck(blobKey(digest, compression))!;
  const memory = Buffer.alloc(300_000);
  for (let at = 0; at < stored.length; at += memory.length) {
    const length = stored.copy(memory, 0, at);
    check.add(memory.subarray(0, length));
  }
  expect(check.end()).toBeUndefined();
});
