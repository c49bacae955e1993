import { randomBytes } from "node:crypto";

/** The global id of a run: a UUIDv7 in lower-case text. Unique over all stores, roughly ordered by creation. */
export type RunId = string & { readonly __brand: "RunId" };

/**
 * A new run id. Clock and randomness are arguments so that tests can fix them.
 *
 * @see RFC 9562 section 5.7 (UUID version 7)
 */
export function newRunId(nowMs: number = Date.now(), random: Uint8Array = randomBytes(10)): RunId {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(nowMs) << 16n);
  bytes.set(random.subarray(0, 10), 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = Buffer.from(bytes).toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}` as RunId;
}

/** Whether a text is a run id (lower case, version 7). */
export function isRunId(text: string): text is RunId {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(text);
}
