import { createHash } from "node:crypto";
import { parseBlobKey } from "./blob-layout.ts";
import { payloadReader } from "./hash-stored.ts";

/** Hashes the payload behind stored bytes while they come. */
export interface PayloadCheck {
  add(piece: Uint8Array): void;
  /** What is wrong, in words; undefined when the bytes are those of the key. */
  end(): string | undefined;
}

/** Begins to check the stored bytes of a value by what its key says of the payload; undefined for keys that are not of a value. */
export function payloadCheck(key: string): PayloadCheck | undefined {
  const named = parseBlobKey(key);
  if (named === undefined) return undefined;
  const sum = createHash("sha256");
  // The size of the payload stands in a row, which is not asked here: each frame has its own bound.
  const reader = payloadReader(named.compression, sum, Number.POSITIVE_INFINITY);
  let fault: string | undefined;
  return {
    add(piece) {
      fault ??= reader.add(piece);
    },
    end() {
      fault ??= reader.end();
      if (fault !== undefined) return `is damaged: ${fault}`;
      const actual = sum.digest("hex");
      return actual === named.digest ? undefined : `is damaged: its digest is ${actual}`;
    },
  };
}

/** Whether a key names a value by its digest. */
export function isValueKey(key: string): boolean {
  return parseBlobKey(key) !== undefined;
}
