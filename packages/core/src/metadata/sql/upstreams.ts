/** Queries about the runs that a run reads from, and about what it read. */
import { query, shapedQuery } from "./query.ts";
import type { UpstreamReadTable, UpstreamTable } from "./schema.ts";

export const insertUpstream = query<UpstreamTable>()((db, arg) =>
  db.insertInto("upstream").values({
    run: arg("run"),
    name: arg("name"),
    flow_project: arg("flow_project"),
    flow_name: arg("flow_name"),
    selector: arg("selector"),
    producer: arg("producer"),
    candidate_count: arg("candidate_count"),
    candidates: arg("candidates"),
    resolved_at: arg("resolved_at"),
  }),
);

export const upstreamsOfRun = query<{ run: number }>()((db, arg) =>
  db
    .selectFrom("upstream")
    .select([
      "run",
      "name",
      "flow_project",
      "flow_name",
      "selector",
      "producer",
      "candidate_count",
      "candidates",
      "resolved_at",
    ])
    .where("run", "=", arg("run"))
    .orderBy("name"),
);

/** Sequences of the runs that name a producer, newest first. */
export const consumers = shapedQuery<
  { readonly limit: boolean },
  { producer: string; limit: number },
  { readonly run: number }
>([{ limit: false }, { limit: true }], (shape) => (db, arg) => {
  const rows = db
    .selectFrom("upstream")
    .select("run")
    .distinct()
    .where("producer", "=", arg("producer"))
    .orderBy("run", "desc");
  return shape.limit ? rows.limit(arg("limit")) : rows;
});

/** The run comes from the task; a read that is recorded already stays as it is. */
export const insertUpstreamRead = query<Omit<UpstreamReadTable, "run">>()((db, arg) =>
  db
    .insertInto("upstream_read")
    .columns(["run", "task", "upstream", "producer", "artifact", "codec", "digest"])
    .expression((of) =>
      of
        .selectFrom("task")
        .select((row) => [
          "task.run",
          "task.sequence",
          row.val(arg("upstream")).as("upstream"),
          row.val(arg("producer")).as("producer"),
          row.val(arg("artifact")).as("artifact"),
          row.val(arg("codec")).as("codec"),
          row.val(arg("digest")).as("digest"),
        ])
        .where("task.sequence", "=", arg("task")),
    )
    .onConflict((conflict) => conflict.columns(["run", "task", "upstream", "producer", "artifact"]).doNothing()),
);

export const readsOfRun = query<{ run: number }>()((db, arg) =>
  db
    .selectFrom("upstream_read")
    .select(["task", "upstream", "producer", "artifact", "codec", "digest"])
    .where("run", "=", arg("run"))
    .orderBy("task")
    .orderBy("upstream")
    .orderBy("producer")
    .orderBy("artifact"),
);
