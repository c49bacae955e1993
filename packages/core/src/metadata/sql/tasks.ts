/** Queries about tasks. */
import type { ExpressionBuilder } from "kysely";
import type { TaskStatus } from "../../events/run-record.ts";
import { query, shapedQuery } from "./query.ts";
import type { Schema, TaskRecordColumns, TaskTable } from "./schema.ts";

const taskColumns = [
  "sequence",
  "run",
  "step",
  "path",
  "attempt",
  "status",
  "started_at",
  "finished_at",
  "inherits",
  "fan_out",
  "choice",
  "error",
  "origin",
  "origin_kind",
  "value_reads",
  "cancelled_by",
  "duration_ms",
] as const;

export const taskBySequence = query<{ sequence: number }>()((db, arg) =>
  db.selectFrom("task").select(taskColumns).where("sequence", "=", arg("sequence")),
);

/** What a task's digest covers besides its artifacts, and the digest. */
export const recordOfTask = query<{ sequence: number }>()((db, arg) =>
  db.selectFrom("task").select(["terms", "record_digest"]).where("sequence", "=", arg("sequence")),
);

export interface TaskPageShape {
  readonly step: boolean;
  readonly path: boolean;
  readonly status: boolean;
  /** Those that are lost in a run whose runner is: the ones that were running too. */
  readonly lost: boolean;
  readonly newest: boolean;
  readonly after: boolean;
  readonly limit: boolean;
}

export interface TaskPageArguments {
  readonly run: number;
  readonly step: string;
  readonly path: string;
  readonly status: TaskStatus;
  readonly after: number;
  readonly limit: number;
}

const usualPages = [false, true].flatMap((step) =>
  [false, true].flatMap((path) =>
    [false, true].flatMap((newest) =>
      [false, true].map((limit) => ({ step, path, status: false, lost: false, newest, after: false, limit })),
    ),
  ),
);

export const taskPage = shapedQuery<TaskPageShape, TaskPageArguments, TaskTable>(usualPages, (shape) => (db, arg) => {
  let rows = db.selectFrom("task").select(taskColumns).where("run", "=", arg("run"));
  if (shape.step) rows = rows.where("step", "=", arg("step"));
  if (shape.path) rows = rows.where("path", "=", arg("path"));
  if (shape.status) rows = rows.where("status", "=", arg("status"));
  if (shape.lost) rows = rows.where("status", "in", ["lost", "running"]);
  if (shape.newest) rows = rows.where((of) => of.not(newerAttempt(of)));
  if (shape.after) rows = rows.where("sequence", ">", arg("after"));
  const ordered = rows.orderBy("sequence");
  return shape.limit ? ordered.limit(arg("limit")) : ordered;
});

/** Whether a row of `task` has a newer attempt at the same place. */
function newerAttempt(of: ExpressionBuilder<Schema, "task">) {
  return of.exists(
    of
      .selectFrom("task as newer")
      .select("newer.sequence")
      .whereRef("newer.run", "=", "task.run")
      .whereRef("newer.step", "=", "task.step")
      .whereRef("newer.path", "=", "task.path")
      .whereRef("newer.attempt", ">", "task.attempt"),
  );
}

/** All attempts at all tasks of a run, those of one task one after another, the newest last. */
export const attemptsOfRun = query<{ run: number }>()((db, arg) =>
  db
    .selectFrom("task")
    .select(["sequence", "step", "path", "attempt", "status", "fan_out", "choice", "value_reads"])
    .where("run", "=", arg("run"))
    .orderBy("step")
    .orderBy("path")
    .orderBy("attempt"),
);

/** Newest attempts by step and status; a task is its newest attempt, and `attempts` counts the older ones too. */
export const taskCounts = query<{ run: number }>()((db, arg) =>
  db
    .selectFrom("task")
    .select((of) => [
      "step",
      "status",
      of.fn.countAll<number>().as("count"),
      of.fn
        .sum<number>(
          of
            .selectFrom("task as every")
            .select((each) => each.fn.countAll<number>().as("attempts"))
            .whereRef("every.run", "=", "task.run")
            .whereRef("every.step", "=", "task.step")
            .whereRef("every.path", "=", "task.path"),
        )
        .as("attempts"),
      of.fn.count<number>(of.case().when("origin_kind", "=", "cache").then(1).end()).as("cached"),
    ])
    .where("run", "=", arg("run"))
    .where((of) => of.not(newerAttempt(of)))
    .groupBy(["step", "status"])
    .orderBy("step")
    .orderBy("status"),
);

/** Whether a task belongs to a run and its successors can build on it: only such a task can be the end of the run. */
export const completeTask = query<{ sequence: number; run: number }>()((db, arg) =>
  db
    .selectFrom("task")
    .select("sequence")
    .where("sequence", "=", arg("sequence"))
    .where("run", "=", arg("run"))
    .where("status", "in", ["succeeded", "caught", "skipped"]),
);

export const reserveTasks = query<{ count: number }>()((db, arg) =>
  db
    .updateTable("store")
    .set((of) => ({ next_task: of("next_task", "+", arg("count")) }))
    .where("id", "=", 1)
    .returning("next_task"),
);

export const insertTask = query<TaskTable & TaskRecordColumns>()((db, arg) =>
  db.insertInto("task").values({
    sequence: arg("sequence"),
    run: arg("run"),
    step: arg("step"),
    path: arg("path"),
    attempt: arg("attempt"),
    status: arg("status"),
    started_at: arg("started_at"),
    finished_at: arg("finished_at"),
    inherits: arg("inherits"),
    fan_out: arg("fan_out"),
    choice: arg("choice"),
    error: arg("error"),
    origin: arg("origin"),
    origin_kind: arg("origin_kind"),
    value_reads: arg("value_reads"),
    cancelled_by: arg("cancelled_by"),
    duration_ms: arg("duration_ms"),
    terms: arg("terms"),
    record_digest: arg("record_digest"),
  }),
);

/** A task that began and succeeded, and of which there is no more to say: a thousand siblings of a foreach are such. */
export const insertPlainTask = query<
  Pick<
    TaskTable & TaskRecordColumns,
    | "sequence"
    | "run"
    | "step"
    | "path"
    | "attempt"
    | "status"
    | "started_at"
    | "finished_at"
    | "inherits"
    | "value_reads"
    | "duration_ms"
    | "record_digest"
  >
>()((db, arg) =>
  db.insertInto("task").values({
    sequence: arg("sequence"),
    run: arg("run"),
    step: arg("step"),
    path: arg("path"),
    attempt: arg("attempt"),
    status: arg("status"),
    started_at: arg("started_at"),
    finished_at: arg("finished_at"),
    inherits: arg("inherits"),
    value_reads: arg("value_reads"),
    duration_ms: arg("duration_ms"),
    record_digest: arg("record_digest"),
  }),
);

/** `running` is an argument so that the statement has no constants and can be run by position. */
type FinishTaskArguments = Omit<TaskTable, "step" | "path" | "attempt" | "started_at" | "inherits"> &
  TaskRecordColumns & {
    readonly running: "running";
  };

/** Changes nothing when the task is finished or of another run: a late result of a given-up attempt is refused. */
export const finishTask = query<FinishTaskArguments>()((db, arg) =>
  db
    .updateTable("task")
    .set({
      status: arg("status"),
      finished_at: arg("finished_at"),
      fan_out: arg("fan_out"),
      choice: arg("choice"),
      error: arg("error"),
      origin: arg("origin"),
      origin_kind: arg("origin_kind"),
      value_reads: arg("value_reads"),
      cancelled_by: arg("cancelled_by"),
      duration_ms: arg("duration_ms"),
      terms: arg("terms"),
      record_digest: arg("record_digest"),
    })
    .where("sequence", "=", arg("sequence"))
    .where("run", "=", arg("run"))
    .where("status", "=", arg("running")),
);

/** An attempt by its place, in a run by its id: how tasks of other runs are named between stores. */
export const taskByPlace = query<{ id: string; step: string; path: string; attempt: number }>()((db, arg) =>
  db
    .selectFrom("run")
    .innerJoin("task", "task.run", "run.sequence")
    .select("task.sequence")
    .where("run.id", "=", arg("id"))
    .where("task.step", "=", arg("step"))
    .where("task.path", "=", arg("path"))
    .where("task.attempt", "=", arg("attempt")),
);

export const setTaskRecord = query<{ sequence: number } & TaskRecordColumns>()((db, arg) =>
  db
    .updateTable("task")
    .set({ terms: arg("terms"), record_digest: arg("record_digest") })
    .where("sequence", "=", arg("sequence")),
);

export const setTaskOrigin = query<{ sequence: number; origin: number }>()((db, arg) =>
  db
    .updateTable("task")
    .set({ origin: arg("origin") })
    .where("sequence", "=", arg("sequence")),
);

interface EndTasksArguments {
  readonly run: number;
  readonly running: "running";
  readonly status: "cancelled" | "lost";
  readonly finished_at: number;
  readonly cancelled_by: string | null;
}

/** For a run that ends without success, or goes on elsewhere: what was begun and never reported has been given up. */
export const endTasks = query<EndTasksArguments>()((db, arg) =>
  db
    .updateTable("task")
    .set({ status: arg("status"), finished_at: arg("finished_at"), cancelled_by: arg("cancelled_by") })
    .where("run", "=", arg("run"))
    .where("status", "=", arg("running")),
);
