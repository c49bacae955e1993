/** Keys of a bucket, below the prefix of the store (docs/formats/bucket.md). */
import type { Digest } from "../artifact/artifact.ts";
import type { RunId } from "../ids/run-id.ts";

/** The newest format of what is written here. */
export const BUCKET_FORMAT = 1;

export const IDENTITY_KEY = "millrace.json";
export const RUNS_PREFIX = "runs/";
export const PACKS_PREFIX = "packs/";
export const PACKAGES_PREFIX = "packages/";
export const LOG_PREFIX = "log/";

export const packKey = (run: RunId, digest: Digest): string => `${PACKS_PREFIX}${run}/${digest}`;
export const packageKey = (digest: Digest): string => `${PACKAGES_PREFIX}${digest}.json`;
/** With leading zeros, so that a listing has the order of the numbers. */
export const logKey = (number: number): string => `${LOG_PREFIX}${String(number).padStart(12, "0")}`;

/** @param again how often the end of this execution was written before, with other content */
export function runKey(run: RunId, execution: number, again = 0): string {
  return `${RUNS_PREFIX}${run}/${execution}${again === 0 ? "" : `.${again}`}`;
}

/** What a key of a run names; undefined for keys of another form. */
export function parseRunKey(
  key: string,
): { readonly run: RunId; readonly execution: number; readonly again: number } | undefined {
  const match = /^runs\/([0-9a-f-]{36})\/([1-9]\d{0,5})(?:\.([1-9]\d{0,5}))?$/.exec(key);
  return match === null
    ? undefined
    : { run: match[1] as RunId, execution: Number(match[2]), again: Number(match[3] ?? 0) };
}

export function parseLogKey(key: string): number | undefined {
  const match = /^log\/(\d{12})$/.exec(key);
  return match === null ? undefined : Number(match[1]);
}
