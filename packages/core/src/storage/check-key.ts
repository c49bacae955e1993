/**
 * The border of every blob store: what a key, a range and a page size may be. A key becomes a path in a folder, so this
 * is also the first wall against path traversal; no back-end may skip it.
 */
import { FlowError } from "../errors/flow-error.ts";
import type { ByteRange } from "./blob-store.ts";

const PART = "(?!\\.{1,2}(?:/|$))[a-z0-9._-]+";
const KEY = new RegExp(`^${PART}(?:/${PART})*$`);
const MAX_KEY_LENGTH = 200;

/** Keys on a page of `list` when the caller names no limit. */
export const DEFAULT_LIST_LIMIT = 1_000;

/** Whether a text is a well-formed key. */
export function isKey(text: unknown): text is string {
  return typeof text === "string" && text.length <= MAX_KEY_LENGTH && KEY.test(text);
}

/** @throws FlowError FLOW_STORAGE_BAD_KEY */
export function checkKey(key: string): void {
  if (isKey(key)) return;
  const shown = typeof key === "string" ? JSON.stringify((key as string).slice(0, 300)) : `a ${typeof key}`;
  throw new FlowError("FLOW_STORAGE_BAD_KEY", {
    message: `Cannot use ${shown} as a key of the blob store`,
    hint: "Use 1 to 200 characters of a-z, 0-9, '.', '_', '-' and '/', with no empty, '.' or '..' part",
  });
}

/** @throws FlowError FLOW_STORAGE_BAD_RANGE */
export function checkRange(range: ByteRange | undefined): void {
  if (range === undefined) return;
  const { start, end } = range;
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end) return;
  throw new FlowError("FLOW_STORAGE_BAD_RANGE", {
    message: `Cannot read bytes ${start} to ${end}: a range needs whole numbers with 0 <= start <= end`,
  });
}

/** @throws FlowError FLOW_STORAGE_BAD_RANGE */
export function checkLimit(limit: number): void {
  if (Number.isSafeInteger(limit) && limit >= 1) return;
  throw new FlowError("FLOW_STORAGE_BAD_RANGE", { message: `Cannot list ${limit} keys: the limit must be at least 1` });
}
