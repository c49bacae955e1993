/** Queries about tasks whose outcome may be used again under a key. */
import { query } from "./query.ts";
import type { CacheEntryTable } from "./schema.ts";

export const insertCacheEntry = query<CacheEntryTable>()((db, arg) =>
  db
    .insertInto("cache_entry")
    .values({ key: arg("key"), task: arg("task"), reads: arg("reads"), created_at: arg("created_at") })
    .onConflict((conflict) => conflict.columns(["key", "task"]).doNothing()),
);

/** Newest first: task numbers grow. */
export const cacheEntries = query<{ key: Uint8Array; limit: number }>()((db, arg) =>
  db
    .selectFrom("cache_entry")
    .innerJoin("task", "task.sequence", "cache_entry.task")
    .select([
      "cache_entry.task",
      "task.run",
      "cache_entry.reads",
      "cache_entry.created_at",
      "task.fan_out",
      "task.choice",
    ])
    .where("cache_entry.key", "=", arg("key"))
    .where("task.status", "=", "succeeded")
    .orderBy("cache_entry.task", "desc")
    .limit(arg("limit")),
);
