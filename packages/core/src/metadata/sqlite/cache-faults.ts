/** Entries of the step cache that are not those which were written for their tasks. Nobody is given what they name. */
import { cacheEntryDigest } from "../record-digest.ts";
import { digestOfBytes } from "../sql/rows.ts";
import { readPlace } from "../stored-json.ts";
import type { Connection } from "./connection.ts";
import { prepared } from "./prepared.ts";
import type { TaskWindow } from "./task-faults.ts";

/** The first schema whose entries have digests. */
export const CACHE_DIGEST_SCHEMA = 7;

export interface WrongCacheEntry {
  readonly run: number;
  readonly task: number;
  readonly key: Uint8Array;
}

interface EntryRow extends WrongCacheEntry {
  readonly reads: string;
  readonly record_digest: Uint8Array | null;
  readonly task_digest: Uint8Array | null;
}

const ENTRIES = `SELECT task.run, task.sequence AS task, entry.key, entry.reads, entry.record_digest,
    task.record_digest AS task_digest
  FROM task CROSS JOIN cache_entry AS entry ON entry.task = task.sequence
  WHERE task.sequence > ? AND task.sequence <= ?
    AND (entry.record_digest IS NOT NULL OR NOT json_valid(entry.reads) OR json_type(entry.reads) <> 'object')`;

/** Wrong entries of tasks in a window of numbers; those of programs without these digests are not judged. */
export function wrongCacheEntries(db: Connection, { after, upTo }: TaskWindow): readonly WrongCacheEntry[] {
  return (prepared(db, ENTRIES).all(after, upTo) as EntryRow[])
    .filter(({ key, reads, record_digest, task_digest }) => {
      // Without a digest it was found by what it says it has read, which nobody can read.
      if (record_digest === null || task_digest === null) return true;
      const entry = { key: digestOfBytes(key), reads, task: digestOfBytes(task_digest) };
      return cacheEntryDigest(entry) !== digestOfBytes(record_digest);
    })
    .map(({ run, task, key }) => ({ run, task, key }));
}

/** Takes wrong entries away: a task that looks for them runs, and offers what it leaves. */
export function dropWrongCacheEntries(db: Connection): number {
  const drop = db.prepare("DELETE FROM cache_entry WHERE key = ? AND task = ?");
  const page = db.prepare(
    "SELECT max(task) FROM (SELECT task FROM cache_entry WHERE task > ? ORDER BY task LIMIT 1000)",
  );
  let dropped = 0;
  for (let after = Number.MIN_SAFE_INTEGER; ; ) {
    const upTo = page.pluck().get(after) as number | null;
    if (upTo === null) return dropped;
    for (const { key, task } of wrongCacheEntries(db, { after, upTo })) dropped += drop.run(key, task).changes;
    after = readPlace(upTo, "cache_entry.task");
  }
}
