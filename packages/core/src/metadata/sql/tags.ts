/** Queries about the tags that runs hold, and about the log of their moves. */
import type { RunStatus } from "../../events/run-record.ts";
import { type Query, query } from "./query.ts";
import type { TagEventTable } from "./schema.ts";

export const tagsOfRun = query<{ run: number }>()((db, arg) =>
  db.selectFrom("run_tag").select("tag").where("run", "=", arg("run")).orderBy("tag"),
);

export const insertRunTag = query<{ run: number; tag: string; flow: number; status: RunStatus }>()((db, arg) =>
  db
    .insertInto("run_tag")
    .values({ run: arg("run"), tag: arg("tag"), flow: arg("flow"), status: arg("status") })
    .onConflict((conflict) => conflict.columns(["run", "tag"]).doNothing()),
);

export const deleteRunTag = query<{ run: number; tag: string }>()((db, arg) =>
  db.deleteFrom("run_tag").where("run", "=", arg("run")).where("tag", "=", arg("tag")),
);

export const setRunTagStatus = query<{ run: number; status: RunStatus }>()((db, arg) =>
  db
    .updateTable("run_tag")
    .set({ status: arg("status") })
    .where("run", "=", arg("run")),
);

export interface TagCount {
  readonly tag: string;
  readonly runs: number;
  readonly newest: number;
}

export const tagCounts = query<Record<never, never>>()((db) =>
  db
    .selectFrom("run_tag")
    .select((of) => ["tag", of.fn.countAll<number>().as("runs"), of.fn.max("run").as("newest")])
    .groupBy("tag")
    .orderBy("runs", "desc")
    .orderBy("tag"),
);

export const tagCountsOfFlow = query<{ flow: number }>()((db, arg) =>
  db
    .selectFrom("run_tag")
    .select((of) => ["tag", of.fn.countAll<number>().as("runs"), of.fn.max("run").as("newest")])
    .where("flow", "=", arg("flow"))
    .groupBy("tag")
    .orderBy("runs", "desc")
    .orderBy("tag"),
);

const eventColumns = [
  "sequence",
  "at",
  "actor",
  "host",
  "verb",
  "tag",
  "run",
  "via",
  "reason",
  "previous",
  "digest",
] as const;

export const lastTagEvent = query<Record<never, never>>()((db) =>
  db.selectFrom("tag_event").select(["sequence", "digest"]).orderBy("sequence", "desc").limit(1),
);

export const insertTagEvent = query<TagEventTable>()((db, arg) =>
  db.insertInto("tag_event").values({
    sequence: arg("sequence"),
    at: arg("at"),
    actor: arg("actor"),
    host: arg("host"),
    verb: arg("verb"),
    tag: arg("tag"),
    run: arg("run"),
    via: arg("via"),
    reason: arg("reason"),
    previous: arg("previous"),
    digest: arg("digest"),
  }),
);

export interface TagEventShape {
  readonly run: boolean;
  readonly tag: boolean;
  readonly before: boolean;
  readonly limit: boolean;
}

export function tagEventPage(
  shape: TagEventShape,
): Query<{ run: string; tag: string; before: number; limit: number }, TagEventTable> {
  return {
    build: (db, arg) => {
      let rows = db.selectFrom("tag_event").select(eventColumns);
      if (shape.run) rows = rows.where("run", "=", arg("run"));
      if (shape.tag) rows = rows.where("tag", "=", arg("tag"));
      if (shape.before) rows = rows.where("sequence", "<", arg("before"));
      const ordered = rows.orderBy("sequence", "desc");
      return shape.limit ? ordered.limit(arg("limit")) : ordered;
    },
  };
}
