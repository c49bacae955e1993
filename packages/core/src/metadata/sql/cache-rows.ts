/** Entries of the step cache, from rows to the contract. Loaded by every worker. */
import type { Digest } from "../../artifact/artifact.ts";
import type { TaskPath } from "../../ids/task-path.ts";
import type { RunSequence, TaskSequence } from "../metadata-store.ts";
import { cacheEntryDigest } from "../record-digest.ts";
import type { CacheEntry } from "../replay.ts";
import { readColumn } from "../stored-columns.ts";
import { readTime } from "../stored-json.ts";
import { digestOfBytes } from "./rows.ts";
import type { CacheEntryTable, RunTable, TaskTable } from "./schema.ts";

/** The entries that were written for their tasks; whoever looks for others finds nothing. */
export function toCacheEntries(key: Digest, rows: readonly CacheEntryRecord[]): readonly CacheEntry[] {
  return rows.filter((row) => isEntryAsWritten(key, row)).map(toCacheEntry);
}

/** Entries of programs without these digests are taken as they are. */
function isEntryAsWritten(key: Digest, { reads, record_digest: own, task_digest: task }: CacheEntryRecord): boolean {
  if (own === null) return true;
  return task !== null && digestOfBytes(own) === cacheEntryDigest({ key, reads, task: digestOfBytes(task) });
}

function toCacheEntry(row: CacheEntryRecord): CacheEntry {
  return {
    task: row.task as TaskSequence,
    run: row.run as RunSequence,
    reads: readColumn("cache_entry.reads", row.reads),
    createdAt: readTime(row.created_at, "created_at"),
    ...(row.fan_out === null ? {} : { fanOut: row.fan_out }),
    ...(row.choice === null ? {} : { choice: row.choice }),
    at: { flow: row.flow_name, number: row.number, step: row.step, path: row.path as TaskPath },
  };
}

/** An entry with what its task says, and the run of that. */
export type CacheEntryRecord = Omit<CacheEntryTable, "key"> &
  Pick<TaskTable, "run" | "fan_out" | "choice" | "step" | "path"> &
  Pick<RunTable, "flow_name" | "number"> & { readonly task_digest: Uint8Array | null };
