/** Queries about artifacts and pages of foreach items. */
import type { ExpressionBuilder } from "kysely";
import type { GoneReason } from "../../artifact/artifact.ts";
import { query, type SchemaBuilder } from "./query.ts";
import type { ArtifactTable, GoneArtifactTable, ItemPageTable, Schema } from "./schema.ts";

/** A chain of tasks that is longer than this can only be a circle in a damaged store. */
const MAX_CHAIN = 100_000;

export const insertArtifact = query<ArtifactTable>()((db, arg) =>
  db.insertInto("artifact").values({
    task: arg("task"),
    name: arg("name"),
    codec: arg("codec"),
    digest: arg("digest"),
    size_bytes: arg("size_bytes"),
  }),
);

/** An artifact whose value was given up before it came here. */
export const insertGone = query<GoneArtifactTable>()((db, arg) =>
  db.insertInto("gone_artifact").values({
    task: arg("task"),
    name: arg("name"),
    codec: arg("codec"),
    digest: arg("digest"),
    size_bytes: arg("size_bytes"),
    reason: arg("reason"),
    gone_at: arg("gone_at"),
  }),
);

export const ownArtifacts = query<{ task: number }>()((db, arg) =>
  db
    .selectFrom("artifact")
    .select((row) => [
      "name",
      "codec",
      "digest",
      "size_bytes",
      row.lit(null).$castTo<GoneReason | null>().as("reason"),
      row.lit(null).$castTo<number | null>().as("gone_at"),
    ])
    .where("task", "=", arg("task"))
    .unionAll(
      db
        .selectFrom("gone_artifact")
        .select((row) => [
          "name",
          "codec",
          "digest",
          "size_bytes",
          row.ref("reason").$castTo<GoneReason | null>().as("reason"),
          row.ref("gone_at").$castTo<number | null>().as("gone_at"),
        ])
        .where("task", "=", arg("task")),
    )
    .orderBy("name"),
);

/** A digest as text: see `VisibleRecord`. */
function digestText<Db, Tables extends keyof Db>(row: ExpressionBuilder<Db, Tables>, column: string) {
  const hex = row.fn<string>("hex", [column as never]);
  return row.fn<string>("lower", [hex]).as("digest");
}

type Chain = Schema & { chain: { task: number; depth: number } };

/** What is read of an artifact on the way along the chain, kept or given up. */
const kept = (row: ExpressionBuilder<Chain, "chain" | "artifact">) =>
  [
    "artifact.name",
    "artifact.codec",
    digestText(row, "artifact.digest"),
    "artifact.size_bytes",
    row.lit(null).$castTo<GoneReason | null>().as("reason"),
    row.lit(null).$castTo<number | null>().as("gone_at"),
    "chain.depth",
  ] as const;
const gone = (row: ExpressionBuilder<Omit<Chain, "gone"> & { gone: Schema["gone_artifact"] }, "chain" | "gone">) =>
  [
    "gone.name",
    "gone.codec",
    digestText(row, "gone.digest"),
    "gone.size_bytes",
    row.ref("gone.reason").$castTo<GoneReason | null>().as("reason"),
    row.ref("gone.gone_at").$castTo<number | null>().as("gone_at"),
    "chain.depth",
  ] as const;

/** The artifacts of a task and of those whose artifacts it inherits, nearest task first. */
export const visibleArtifacts = query<{ task: number }>()((db, arg) =>
  chainOf(db, arg("task"))
    .innerJoin("artifact", "artifact.task", "chain.task")
    .select(kept)
    .unionAll((of) => of.selectFrom("chain").innerJoin("gone_artifact as gone", "gone.task", "chain.task").select(gone))
    .orderBy("depth"),
);

export const visibleArtifact = query<{ task: number; name: string }>()((db, arg) =>
  chainOf(db, arg("task"))
    .innerJoin("artifact", "artifact.task", "chain.task")
    .select(kept)
    .where("artifact.name", "=", arg("name"))
    .unionAll((of) =>
      of
        .selectFrom("chain")
        .innerJoin("gone_artifact as gone", "gone.task", "chain.task")
        .select(gone)
        .where("gone.name", "=", arg("name")),
    )
    .orderBy("depth")
    .limit(1),
);

function chainOf(db: SchemaBuilder, task: number) {
  return db
    .withRecursive("chain(task, depth)", (of) =>
      of
        .selectFrom("task")
        .select((row) => ["task.sequence as task", row.lit(0).as("depth")])
        .where("task.sequence", "=", task)
        .unionAll(
          of
            .selectFrom("chain")
            .innerJoin("task", "task.sequence", "chain.task")
            .select((row) => [
              row.ref("task.inherits").$castTo<number>().as("task"),
              row("chain.depth", "+", row.lit(1)).as("depth"),
            ])
            .where("task.inherits", "is not", null)
            .where((row) => row("chain.depth", "<", row.lit(MAX_CHAIN))),
        ),
    )
    .selectFrom("chain");
}

export const insertItemPage = query<ItemPageTable>()((db, arg) =>
  db.insertInto("item_page").values({
    split: arg("split"),
    first: arg("first"),
    count: arg("count"),
    codec: arg("codec"),
    digest: arg("digest"),
    size_bytes: arg("size_bytes"),
  }),
);

export const itemPages = query<{ split: number }>()((db, arg) =>
  db
    .selectFrom("item_page")
    .select(["first", "count", "codec", "digest"])
    .where("split", "=", arg("split"))
    .orderBy("first"),
);

/** A task whose outcome is that of another one gets copies of its rows: the values are the same blobs. */
export const copyArtifacts = query<{ task: number; from: number }>()((db, arg) =>
  db
    .insertInto("artifact")
    .columns(["task", "name", "codec", "digest", "size_bytes"])
    .expression((of) =>
      of
        .selectFrom("artifact")
        .select((row) => [row.val(arg("task")).as("task"), "name", "codec", "digest", "size_bytes"])
        .where("task", "=", arg("from")),
    ),
);

export const copyItemPages = query<{ task: number; from: number }>()((db, arg) =>
  db
    .insertInto("item_page")
    .columns(["split", "first", "count", "codec", "digest", "size_bytes"])
    .expression((of) =>
      of
        .selectFrom("item_page")
        .select((row) => [row.val(arg("task")).as("split"), "first", "count", "codec", "digest", "size_bytes"])
        .where("split", "=", arg("from")),
    ),
);

/** The last page that begins at or before an item; whether it reaches the item is seen from its count. */
export const itemPage = query<{ split: number; index: number }>()((db, arg) =>
  db
    .selectFrom("item_page")
    .select(["split", "first", "count", "codec", "digest", "size_bytes"])
    .where("split", "=", arg("split"))
    .where("first", "<=", arg("index"))
    .orderBy("first", "desc")
    .limit(1),
);
