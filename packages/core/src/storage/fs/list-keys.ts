import path from "node:path";
import type { BlobPage } from "../blob-store.ts";
import { isKey } from "../check-key.ts";
import { call, type FileSteps, type FolderEntry } from "./file-calls.ts";
import { errnoOf } from "./file-error.ts";

export interface ListQuery {
  readonly prefix: string;
  readonly after: string;
  readonly limit: number;
}

/** One page of the keys below a folder, ascending by code unit; folders that cannot hold one are not opened. */
export function* listKeys(root: string, query: ListQuery): FileSteps<BlobPage> {
  const keys: string[] = [];
  yield* walk(root, "", query, keys);
  if (keys.length <= query.limit) return { keys };
  keys.length = query.limit;
  return { keys, next: keys[query.limit - 1]! };
}

function* walk(root: string, below: string, query: ListQuery, keys: string[]): FileSteps<void> {
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
