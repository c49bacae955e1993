/** Queries about tasks. */
import type { TaskStatus } from "../../events/run-record.ts";
import { type Query, query } from "./query.ts";
import type { TaskTable } from "./schema.ts";

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
] as const;

export const taskBySequence = query<{ sequence: number }>()((db, arg) =>
  db.selectFrom("task").select(taskColumns).where("sequence", "=", arg("sequence")),
);

export interface TaskPageShape {
  readonly step: boolean;
  readonly path: boolean;
  readonly status: boolean;
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

export function taskPage(shape: TaskPageShape): Query<TaskPageArguments, TaskTable> {
  return {
    build: (db, arg) => {
      let rows = db.selectFrom("task").select(taskColumns).where("run", "=", arg("run"));
      if (shape.step) rows = rows.where("step", "=", arg("step"));
      if (shape.path) rows = rows.where("path", "=", arg("path"));
      if (shape.status) rows = rows.where("status", "=", arg("status"));
      if (shape.after) rows = rows.where("sequence", ">", arg("after"));
      const ordered = rows.orderBy("sequence");
      return shape.limit ? ordered.limit(arg("limit")) : ordered;
    },
  };
}

export const taskCounts = query<{ run: number }>()((db, arg) =>
  db
    .selectFrom("task")
    .select((of) => ["step", "status", of.fn.countAll<number>().as("count")])
    .where("run", "=", arg("run"))
    .groupBy(["step", "status"])
    .orderBy("step")
    .orderBy("status"),
);

/** Whether a task belongs to a run and succeeded: only such a task can be the end of the run. */
export const succeededTask = query<{ sequence: number; run: number }>()((db, arg) =>
  db
    .selectFrom("task")
    .select("sequence")
    .where("sequence", "=", arg("sequence"))
    .where("run", "=", arg("run"))
    .where("status", "=", "succeeded"),
);

export const reserveTasks = query<{ count: number }>()((db, arg) =>
  db
    .updateTable("store")
    .set((of) => ({ next_task: of("next_task", "+", arg("count")) }))
    .where("id", "=", 1)
    .returning("next_task"),
);

export const insertTask = query<TaskTable>()((db, arg) =>
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
  }),
);

/** `running` is an argument so that the statement has no constants and can be run by position. */
type FinishTaskArguments = Pick<TaskTable, "sequence" | "status" | "finished_at" | "fan_out" | "choice" | "error"> & {
  readonly running: "running";
};

/** Changes nothing when the task is finished, or when its run is: a late result of a given-up attempt is refused. */
export const finishTask = query<FinishTaskArguments>()((db, arg) =>
  db
    .updateTable("task")
    .set({
      status: arg("status"),
      finished_at: arg("finished_at"),
      fan_out: arg("fan_out"),
      choice: arg("choice"),
      error: arg("error"),
    })
    .where("sequence", "=", arg("sequence"))
    .where("status", "=", arg("running"))
    .where((of) =>
      of(of.selectFrom("run").select("run.status").whereRef("run.sequence", "=", "task.run"), "=", arg("running")),
    ),
);

interface CancelTasksArguments {
  readonly run: number;
  readonly running: "running";
  readonly cancelled: "cancelled";
  readonly finished_at: number;
}

/** For a run that ends without success: what was begun and never reported has been given up. */
export const cancelTasks = query<CancelTasksArguments>()((db, arg) =>
  db
    .updateTable("task")
    .set({ status: arg("cancelled"), finished_at: arg("finished_at") })
    .where("run", "=", arg("run"))
    .where("status", "=", arg("running")),
);
