/** Queries about the tags that runs hold, and about the log of their moves. */
import type { RunStatus } from "../../events/run-record.ts";
import { query, shapedQuery } from "./query.ts";
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

/** Tags in their order from one on: each is found behind the one before it, however many runs hold that one. */
export const tagNames = query<{ flow: number; from: string; limit: number }>()((db, arg) =>
  db
    .withRecursive("name(tag)", (of) =>
      of
        .selectFrom("run_tag")
        .select((row) => row.fn.min<string | null>("tag").as("tag"))
        .where("tag", ">=", arg("from"))
        .unionAll(
          of
            .selectFrom("name")
            .select((row) =>
              row
                .selectFrom("run_tag")
                .select((tag) => tag.fn.min<string | null>("run_tag.tag").as("tag"))
                .whereRef("run_tag.tag", ">", "name.tag")
                .as("tag"),
            )
            .where("name.tag", "is not", null)
            .limit(arg("limit")),
        ),
    )
    .selectFrom("name")
    .select("name.tag")
    .where("name.tag", "is not", null)
    .where((of) =>
      of.exists(
        of
          .selectFrom("run_tag")
          .select("run_tag.run")
          .whereRef("run_tag.tag", "=", "name.tag")
          .where("run_tag.flow", "=", arg("flow")),
      ),
    ),
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
  "move",
  "action",
  "from_run",
  "checks",
  "policy",
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
    move: arg("move"),
    action: arg("action"),
    from_run: arg("from_run"),
    checks: arg("checks"),
    policy: arg("policy"),
    previous: arg("previous"),
    digest: arg("digest"),
  }),
);

export interface TagEventShape {
  readonly run: boolean;
  readonly tag: boolean;
  readonly before: boolean;
  readonly after: boolean;
  readonly limit: boolean;
}

const usualEvents = [false, true].flatMap((run) =>
  [false, true].flatMap((tag) => [false, true].map((limit) => ({ run, tag, before: false, after: false, limit }))),
);

/** Newest first; with `after`, oldest first. */
export const tagEventPage = shapedQuery<
  TagEventShape,
  { run: string; tag: string; before: number; after: number; limit: number },
  TagEventTable
>(usualEvents, (shape) => (db, arg) => {
  let rows = db.selectFrom("tag_event").select(eventColumns);
  if (shape.run) rows = rows.where("run", "=", arg("run"));
  if (shape.tag) rows = rows.where("tag", "=", arg("tag"));
  if (shape.before) rows = rows.where("sequence", "<", arg("before"));
  if (shape.after) rows = rows.where("sequence", ">", arg("after"));
  const ordered = rows.orderBy("sequence", shape.after ? "asc" : "desc");
  return shape.limit ? ordered.limit(arg("limit")) : ordered;
});

export const tagEventBySequence = query<{ sequence: number }>()((db, arg) =>
  db.selectFrom("tag_event").select(eventColumns).where("sequence", "=", arg("sequence")),
);

/** Runs of one flow that hold a tag, oldest first. */
export const holdersOfTag = query<{ tag: string; flow: number }>()((db, arg) =>
  db
    .selectFrom("run_tag")
    .innerJoin("run", "run.sequence", "run_tag.run")
    .select(["run.sequence", "run.id", "run.flow_name", "run.number"])
    .where("run_tag.tag", "=", arg("tag"))
    .where("run_tag.flow", "=", arg("flow"))
    .orderBy("run_tag.run"),
);

/** The tags that more than one run of a flow holds, with those runs, oldest first. */
export const sharedTags = query<Record<never, never>>()((db) =>
  db
    .selectFrom("run_tag as t")
    .innerJoin("run", "run.sequence", "t.run")
    .select(["t.tag", "t.flow", "run.sequence", "run.id", "run.flow_name", "run.number", "run.status"])
    .where((of) =>
      of.exists(
        of
          .selectFrom("run_tag as other")
          .select("other.run")
          .whereRef("other.tag", "=", "t.tag")
          .whereRef("other.flow", "=", "t.flow")
          .whereRef("other.run", "<>", "t.run"),
      ),
    )
    .orderBy("t.tag")
    .orderBy("t.flow")
    .orderBy("t.run"),
);

/** A run as whoever moves its tags needs it. */
export const taggedRun = query<{ sequence: number }>()((db, arg) =>
  db
    .selectFrom("run")
    .select(["sequence", "id", "flow", "flow_name", "number", "status", "created_at"])
    .where("sequence", "=", arg("sequence")),
);
