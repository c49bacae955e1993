/** Queries about tasks whose outcome may be used again under a key. */
import { query } from "./query.ts";
import type { CacheEntryTable } from "./schema.ts";

export const insertCacheEntry = query<CacheEntryTable>()((db, arg) =>
  db
    .insertInto("cache_entry")
    .values({
      key: arg("key"),
      task: arg("task"),
      reads: arg("reads"),
      created_at: arg("created_at"),
      record_digest: arg("record_digest"),
    })
    .onConflict((conflict) => conflict.columns(["key", "task"]).doNothing()),
);

/** Newest first: task numbers grow. Tasks of one run can be left out: a run takes nothing from itself. */
export const cacheEntries = query<{ key: Uint8Array; exceptRun: number; limit: number }>()((db, arg) =>
  db
    .selectFrom("cache_entry")
    .innerJoin("task", "task.sequence", "cache_entry.task")
    .innerJoin("run", "run.sequence", "task.run")
    .select([
      "cache_entry.task",
      "task.run",
      "cache_entry.reads",
      "cache_entry.created_at",
      "cache_entry.record_digest",
      "task.record_digest as task_digest",
      "task.fan_out",
      "task.choice",
      "run.flow_name",
      "run.number",
      "task.step",
      "task.path",
    ])
    .where("cache_entry.key", "=", arg("key"))
    .where("task.status", "=", "succeeded")
    .where("task.run", "<>", arg("exceptRun"))
    // Offers are withdrawn with a value that is given up. Should one be left, nobody is to be sent after it again and again.
    .where((of) =>
      of.not(
        of.exists(of.selectFrom("gone_artifact").select("name").whereRef("gone_artifact.task", "=", "task.sequence")),
      ),
    )
    .orderBy("cache_entry.task", "desc")
    .limit(arg("limit")),
);

/** Where the bytes are kept that a task left: of its own artifacts and of the pages of its foreach. */
export const blobsOfTask = query<{ task: number; split: number }>()((db, arg) =>
  db
    .selectFrom("artifact")
    .innerJoin("blob", "blob.digest", "artifact.digest")
    .select((of) => [
      "blob.digest",
      "blob.compression",
      "blob.stored_bytes",
      of("blob.stored", "is not", null).as("is_inline"),
    ])
    .where("artifact.task", "=", arg("task"))
    .unionAll(
      db
        .selectFrom("item_page")
        .innerJoin("blob", "blob.digest", "item_page.digest")
        .select((of) => [
          "blob.digest",
          "blob.compression",
          "blob.stored_bytes",
          of("blob.stored", "is not", null).as("is_inline"),
        ])
        .where("item_page.split", "=", arg("split")),
    ),
);
