/** Queries about runs, flows and parameters of runs. */
import type { RunStatus } from "../../events/run-record.ts";
import type { MetricCondition } from "../metric.ts";
import { type Query, query, type SchemaBuilder, shapedQuery } from "./query.ts";
import type { RunRecord } from "./rows.ts";

export const runColumns = [
  "run.sequence",
  "run.id",
  "run.flow",
  "run.project",
  "run.flow_name",
  "run.number",
  "run.status",
  "run.created_at",
  "run.started_at",
  "run.finished_at",
  "run.end_task",
  "run.package_digest",
  "run.system_tags",
  "run.parameters",
  "run.secret_parameters",
  "run.environment",
  "run.failure",
  "run.execution",
  "run.origin",
  "run.origin_facts",
  "run.parent",
] as const;

export const runBySequence = query<{ sequence: number }>()((db, arg) =>
  db.selectFrom("run").select(runColumns).where("run.sequence", "=", arg("sequence")),
);

export const runById = query<{ id: string }>()((db, arg) =>
  db.selectFrom("run").select(runColumns).where("run.id", "=", arg("id")),
);

export const runsByNumber = query<{ flow: number; number: number }>()((db, arg) =>
  db
    .selectFrom("run")
    .select(runColumns)
    .where("run.flow", "=", arg("flow"))
    .where("run.number", "=", arg("number"))
    // By a term that no index has: in the order of "sequence" SQLite walks all runs of the flow, to sort one or two.
    .orderBy((of) => of("run.sequence", "+", of.lit(0))),
);

/** What a page of runs is filtered by; one compiled statement for each shape. */
export interface RunPageShape {
  readonly flow: boolean;
  readonly status: boolean;
  readonly tags: number;
  readonly parameters: number;
  /** How the last value of each named metric is compared. */
  readonly metrics: readonly MetricCondition["is"][];
  readonly before: boolean;
}

export interface RunPageArguments {
  readonly flow: number;
  readonly status: RunStatus;
  readonly before: number;
  readonly limit: number;
  readonly [tag: `tag${number}`]: string;
  readonly [parameter: `parameter${number}`]: string;
  readonly [value: `value${number}`]: Uint8Array;
  readonly [metric: `metric${number}`]: string;
  readonly [bound: `bound${number}`]: number;
}

const newest: RunPageShape = { flow: false, status: false, tags: 0, parameters: 0, metrics: [], before: false };

const usualPages: readonly RunPageShape[] = [0, 1].flatMap((tags) =>
  [false, true].flatMap((flow) => [false, true].map((status) => ({ ...newest, flow, status, tags }))),
);

/**
 * Newest runs first. With tags, the first tag leads: its index holds flow, status and sequence, so the newest succeeded
 * run of a flow with a tag is the first entry that is looked at.
 */
export const runPage = shapedQuery<RunPageShape, RunPageArguments, RunRecord>(
  usualPages,
  (shape) => (db, arg) => newestRuns(db, arg, shape).select(runColumns),
);

/** The same runs, by name alone. */
export const runNamePage = shapedQuery<RunPageShape, RunPageArguments, RunNameRecord>(
  usualPages,
  (shape) => (db, arg) =>
    newestRuns(db, arg, shape).select(["run.sequence", "run.project", "run.flow_name", "run.number"]),
);

export type RunNameRecord = Pick<RunRecord, "sequence" | "project" | "flow_name" | "number">;

function newestRuns(db: SchemaBuilder, arg: RunArgumentOf, shape: RunPageShape) {
  const rows = filteredRuns(db, arg, shape);
  const ordered = shape.tags > 0 ? rows.orderBy("t0.run", "desc") : rows.orderBy("run.sequence", "desc");
  return ordered.limit(arg("limit"));
}

export interface RunCountShape extends RunPageShape {
  /** Whether counting ends at the limit. */
  readonly isBounded: boolean;
}

/** How many runs fit, from indexes alone. */
export const runCount = shapedQuery<RunCountShape, RunPageArguments, { readonly count: number }>(
  usualPages.flatMap((shape) => [false, true].map((isBounded) => ({ ...shape, isBounded }))),
  (shape) => (db, arg) => {
    const tagged = db.selectFrom("run_tag as t0") as unknown as ReturnType<typeof runsWithTag>;
    const found = shape.tags > 0 ? filteredRuns(db, arg, shape, tagged) : filteredRuns(db, arg, shape);
    if (!shape.isBounded) return found.select((of) => of.fn.countAll<number>().as("count"));
    const some = found.select((of) => of.lit(1).as("one")).limit(arg("limit"));
    return db.selectFrom(some.as("found")).select((of) => of.fn.countAll<number>().as("count"));
  },
);

export type RunArgumentOf = Parameters<Query<RunPageArguments, unknown>["build"]>[1];

/** @param start what the query begins with; default all runs, or those that hold the first tag */
export function filteredRuns(
  db: SchemaBuilder,
  arg: RunArgumentOf,
  shape: RunPageShape,
  start?: ReturnType<typeof runsWithTag>,
) {
  // "t0" is the tag that leads. It stands in the types of both branches, and in the statement only when there is one.
  const all = db.selectFrom("run") as unknown as ReturnType<typeof runsWithTag>;
  let rows = start ?? (shape.tags > 0 ? runsWithTag(db) : all);
  if (shape.tags > 0) rows = rows.where("t0.tag", "=", arg("tag0"));
  const key = shape.tags > 0 ? ("t0.run" as const) : ("run.sequence" as const);
  if (shape.flow) rows = rows.where(shape.tags > 0 ? "t0.flow" : "run.flow", "=", arg("flow"));
  if (shape.status) rows = rows.where(shape.tags > 0 ? "t0.status" : "run.status", "=", arg("status"));
  if (shape.before) rows = rows.where(key, "<", arg("before"));
  for (let index = 1; index < shape.tags; index++) {
    rows = rows.where((of) =>
      of.exists(
        of
          .selectFrom("run_tag as other")
          .select("other.run")
          .whereRef("other.run", "=", key)
          .where("other.tag", "=", arg(`tag${index}`)),
      ),
    );
  }
  for (let index = 0; index < shape.parameters; index++) {
    rows = rows.where(
      key,
      "in",
      db
        .selectFrom("run_parameter as p")
        .select("p.run")
        .where("p.name", "=", arg(`parameter${index}`))
        .where("p.value_digest", "=", arg(`value${index}`)),
    );
  }
  // Looked up run by run, where the first page of many that fit is what is asked for: a list of them all, as of
  // parameters, was measured ten times as slow at its worst, and no better than 28 ms of 100,000 runs at its best.
  for (const [index, is] of shape.metrics.entries()) {
    rows = rows.where((of) =>
      of.exists(
        of
          .selectFrom("run_metric as m")
          .select("m.run")
          .whereRef("m.run", "=", key)
          .where("m.name", "=", arg(`metric${index}`))
          .where("m.value", is, arg(`bound${index}`)),
      ),
    );
  }
  return rows;
}

function runsWithTag(db: SchemaBuilder) {
  return db.selectFrom("run_tag as t0").innerJoin("run", "run.sequence", "t0.run");
}

/** Runs of a flow that are stored as running and are forks of a run, newest first. */
export const runningForks = query<{ flow: number; running: "running"; origin: string }>()((db, arg) =>
  db
    .selectFrom("run")
    .select(runColumns)
    .where("run.flow", "=", arg("flow"))
    .where("run.status", "=", arg("running"))
    .where("run.origin", "=", arg("origin"))
    .orderBy("run.sequence", "desc"),
);

export const insertRun = query<Omit<RunRecord, "sequence" | "finished_at" | "end_task" | "failure">>()((db, arg) =>
  db
    .insertInto("run")
    .values({
      id: arg("id"),
      flow: arg("flow"),
      project: arg("project"),
      flow_name: arg("flow_name"),
      number: arg("number"),
      status: arg("status"),
      created_at: arg("created_at"),
      started_at: arg("started_at"),
      package_digest: arg("package_digest"),
      system_tags: arg("system_tags"),
      parameters: arg("parameters"),
      secret_parameters: arg("secret_parameters"),
      environment: arg("environment"),
      execution: arg("execution"),
      origin: arg("origin"),
      origin_facts: arg("origin_facts"),
      parent: arg("parent"),
    })
    .returning("sequence"),
);

/** The lowest number of all runs: imported ones go below it. */
export const lowestRun = query<Record<never, never>>()((db) =>
  db.selectFrom("run").select((of) => of.fn.min<number | null>("sequence").as("sequence")),
);

/** A run that is over, with everything that it ended with, under a number that the caller chose. */
export const insertOverRun = query<RunRecord>()((db, arg) =>
  db.insertInto("run").values({
    sequence: arg("sequence"),
    id: arg("id"),
    flow: arg("flow"),
    project: arg("project"),
    flow_name: arg("flow_name"),
    number: arg("number"),
    status: arg("status"),
    created_at: arg("created_at"),
    started_at: arg("started_at"),
    finished_at: arg("finished_at"),
    end_task: arg("end_task"),
    package_digest: arg("package_digest"),
    system_tags: arg("system_tags"),
    parameters: arg("parameters"),
    secret_parameters: arg("secret_parameters"),
    environment: arg("environment"),
    failure: arg("failure"),
    execution: arg("execution"),
    origin: arg("origin"),
    origin_facts: arg("origin_facts"),
    parent: arg("parent"),
  }),
);

export const insertRunParameter = query<{ run: number; name: string; value_digest: Uint8Array }>()((db, arg) =>
  db.insertInto("run_parameter").values({ run: arg("run"), name: arg("name"), value_digest: arg("value_digest") }),
);

export const insertRunValue = query<{
  run: number;
  name: string;
  kind: "parameter" | "constant" | "config" | "file";
  codec: string;
  digest: Uint8Array;
  size_bytes: number;
}>()((db, arg) =>
  db.insertInto("run_value").values({
    run: arg("run"),
    name: arg("name"),
    kind: arg("kind"),
    codec: arg("codec"),
    digest: arg("digest"),
    size_bytes: arg("size_bytes"),
  }),
);

export const runValues = query<{ run: number }>()((db, arg) =>
  db
    .selectFrom("run_value")
    .select(["name", "kind", "codec", "digest", "size_bytes"])
    .where("run", "=", arg("run"))
    .orderBy("name"),
);

export const runStatus = query<{ sequence: number }>()((db, arg) =>
  db.selectFrom("run").select(["id", "flow", "status", "execution"]).where("sequence", "=", arg("sequence")),
);

/** Changes nothing when the run is over. */
export const finishRun = query<{
  sequence: number;
  status: RunStatus;
  finished_at: number;
  end_task: number | null;
  failure: string | null;
}>()((db, arg) =>
  db
    .updateTable("run")
    .set({ status: arg("status"), finished_at: arg("finished_at"), end_task: arg("end_task"), failure: arg("failure") })
    .where("sequence", "=", arg("sequence"))
    .where("status", "in", ["queued", "running", "lost"]),
);

/** A run that goes on: what it ended with is taken back. */
export const continueRun = query<{ sequence: number; execution: number; running: "running"; none: null }>()((db, arg) =>
  db
    .updateTable("run")
    .set({
      status: arg("running"),
      execution: arg("execution"),
      finished_at: arg("none"),
      end_task: arg("none"),
      failure: arg("none"),
    })
    .where("sequence", "=", arg("sequence")),
);

export const flowsByName = query<{ name: string }>()((db, arg) =>
  db.selectFrom("flow_name").select(["project", "flow"]).where("name", "=", arg("name")).orderBy("project"),
);

export const flowOf = query<{ project: string; name: string }>()((db, arg) =>
  db.selectFrom("flow_name").select("flow").where("project", "=", arg("project")).where("name", "=", arg("name")),
);

export const flows = query<Record<never, never>>()((db) =>
  db
    .selectFrom("flow")
    .select(["id", "project", "name", "run_count", "newest_run"])
    .where("run_count", ">", 0)
    .orderBy("name")
    .orderBy("project"),
);

export const insertFlow = query<{ project: string; name: string }>()((db, arg) =>
  db
    .insertInto("flow")
    .values({ project: arg("project"), name: arg("name"), last_number: 0, run_count: 0, newest_run: 0 })
    .returning("id"),
);

export const insertFlowName = query<{ project: string; name: string; flow: number }>()((db, arg) =>
  db.insertInto("flow_name").values({ project: arg("project"), name: arg("name"), flow: arg("flow") }),
);

export const renameFlow = query<{ id: number; name: string }>()((db, arg) =>
  db
    .updateTable("flow")
    .set({ name: arg("name") })
    .where("id", "=", arg("id")),
);

export const nextNumber = query<{ id: number }>()((db, arg) =>
  db
    .updateTable("flow")
    .set((of) => ({ last_number: of("last_number", "+", 1), run_count: of("run_count", "+", 1) }))
    .where("id", "=", arg("id"))
    .returning("last_number"),
);

export const setNewestRun = query<{ id: number; run: number }>()((db, arg) =>
  db
    .updateTable("flow")
    .set({ newest_run: arg("run") })
    .where("id", "=", arg("id")),
);

/** The four statements by which one flow takes over the history of another. */
export const flowCounters = query<{ id: number }>()((db, arg) =>
  db.selectFrom("flow").select(["last_number", "run_count", "newest_run"]).where("id", "=", arg("id")),
);

export const setFlowCounters = query<{ id: number; last_number: number; run_count: number; newest_run: number }>()(
  (db, arg) =>
    db
      .updateTable("flow")
      .set({ last_number: arg("last_number"), run_count: arg("run_count"), newest_run: arg("newest_run") })
      .where("id", "=", arg("id")),
);

export const moveRuns = query<{ from: number; to: number }>()((db, arg) =>
  db
    .updateTable("run")
    .set({ flow: arg("to") })
    .where("flow", "=", arg("from")),
);

export const moveRunTags = query<{ from: number; to: number }>()((db, arg) =>
  db
    .updateTable("run_tag")
    .set({ flow: arg("to") })
    .where("run", "in", db.selectFrom("run").select("sequence").where("flow", "=", arg("to")))
    .where("flow", "=", arg("from")),
);

export const moveFlowNames = query<{ from: number; to: number }>()((db, arg) =>
  db
    .updateTable("flow_name")
    .set({ flow: arg("to") })
    .where("flow", "=", arg("from")),
);

export const deleteFlow = query<{ id: number }>()((db, arg) => db.deleteFrom("flow").where("id", "=", arg("id")));
