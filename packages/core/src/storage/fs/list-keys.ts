import path from "node:path";
import type { BlobFacts, BlobPage } from "../blob-store.ts";
import { isKey } from "../check-key.ts";
import { call, type FileSteps, type FolderEntry } from "./file-calls.ts";
import { errnoOf } from "./file-error.ts";

export interface FolderQuery {
  readonly prefix: string;
  readonly after: string;
  readonly limit: number;
  readonly withFacts: boolean;
}

/** One page of the keys below a folder, ascending by code unit; folders that cannot hold one are not opened. */
export function* listKeys(root: string, query: FolderQuery): FileSteps<BlobPage> {
  const keys: string[] = [];
  yield* walk(root, "", query, keys);
  const hasMore = keys.length > query.limit;
  if (hasMore) keys.length = query.limit;
  const next = hasMore ? { next: keys.at(-1)! } : {};
  return query.withFacts ? { ...(yield* factsOf(root, keys)), ...next } : { keys, ...next };
}

/** Keys that were deleted since their folder was read are left out. */
function* factsOf(root: string, keys: readonly string[]): FileSteps<Required<Pick<BlobPage, "keys" | "facts">>> {
  const there: string[] = [];
  const facts: BlobFacts[] = [];
  for (const key of keys) {
    try {
      const { size, mtimeMs } = yield* call("lstat", path.join(root, key));
      there.push(key);
      facts.push({ sizeBytes: size, putAt: mtimeMs });
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR") throw error;
    }
  }
  return { keys: there, facts };
}

function* walk(root: string, below: string, query: FolderQuery, keys: string[]): FileSteps<void> {
  let entries: readonly FolderEntry[];
  try {
    entries = yield* call("readdir", path.join(root, below));
  } catch (error) {
    if (errnoOf(error) === "ENOENT" && below !== "") return; // deleted since its parent was read
    throw error;
  }
  // "a-b" stands before "a/c": a folder takes part in the order with the slash that follows it in every key.
  const names = entries
    .filter((entry) => (entry.isFile() || entry.isDirectory()) && isKey(below + entry.name))
    .map((entry) => below + entry.name + (entry.isDirectory() ? "/" : ""))
    .sort((left, right) => (left < right ? -1 : 1));
  for (const name of names) {
    if (keys.length > query.limit) return;
    if (name.endsWith("/")) {
      const mayMatch = name.startsWith(query.prefix) || query.prefix.startsWith(name);
      const isPast = name > query.after || query.after.startsWith(name);
      if (mayMatch && isPast) yield* walk(root, name, query, keys);
    } else if (name.startsWith(query.prefix) && name > query.after) {
      keys.push(name);
    }
  }
}
