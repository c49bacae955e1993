/**
 * Records in a database that lives in memory, for runs that leave nothing behind. Same schema, same statements as in a
 * file; what a task reads goes over the same connection, since no other one could see it.
 */
import Database from "better-sqlite3";
import type { MetadataStore, TaskReader } from "../metadata-store.ts";
import { migrate } from "./migrate.ts";
import { SqliteMetadata } from "./sqlite-metadata.ts";
import { SqliteTaskReader } from "./task-reader.ts";
import { WriteTurns } from "./write-turns.ts";

/** What messages call a store that has no file. */
const NAME = "memory";

export interface MemoryMetadata {
  /** Closing it gives up all that it holds. */
  readonly metadata: MetadataStore;
  /** Sees each commit at once. */
  readonly reader: TaskReader;
}

/**
 * Opens an empty store of records in memory.
 *
 * @param options.now milliseconds since 1970, for the creation time of the store; default Date.now
 */
export function openMemoryMetadata(options: { readonly now?: () => number } = {}): MemoryMetadata {
  const db = new Database(":memory:");
  db.pragma("foreign_keys = ON");
  migrate(db, NAME, options.now ?? Date.now);
  return {
    metadata: new SqliteMetadata(db, NAME, new WriteTurns(NAME, {}), {}),
    reader: new SqliteTaskReader(db, NAME),
  };
}
