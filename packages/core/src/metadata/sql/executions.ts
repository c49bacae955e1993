/** Queries about executions of runs, and about runs that were started inside steps. */
import type { ExecutionStatus } from "../execution.ts";
import { query, shapedQuery } from "./query.ts";
import type { ChildRunTable, ExecutionTable } from "./schema.ts";

export const insertExecution = query<ExecutionTable>()((db, arg) =>
  db.insertInto("execution").values({
    run: arg("run"),
    number: arg("number"),
    runner: arg("runner"),
    actor: arg("actor"),
    command: arg("command"),
    package_digest: arg("package_digest"),
    options: arg("options"),
    started_at: arg("started_at"),
    heartbeat_at: arg("heartbeat_at"),
    ended_at: arg("ended_at"),
    status: arg("status"),
    program_schema: arg("program_schema"),
  }),
);

/** What a run shows of its current execution. */
export const currentExecution = query<{ run: number; number: number }>()((db, arg) =>
  db
    .selectFrom("execution")
    .select(["runner", "started_at", "heartbeat_at"])
    .where("run", "=", arg("run"))
    .where("number", "=", arg("number")),
);

export const executionsOfRun = query<{ run: number }>()((db, arg) =>
  db
    .selectFrom("execution")
    .select([
      "run",
      "number",
      "runner",
      "actor",
      "command",
      "package_digest",
      "options",
      "started_at",
      "heartbeat_at",
      "ended_at",
      "status",
    ])
    .where("run", "=", arg("run"))
    .orderBy("number"),
);

/** Changes nothing when the execution is over. */
export const endExecution = query<{
  run: number;
  number: number;
  status: ExecutionStatus;
  ended_at: number;
  running: "running";
}>()((db, arg) =>
  db
    .updateTable("execution")
    .set({ status: arg("status"), ended_at: arg("ended_at") })
    .where("run", "=", arg("run"))
    .where("number", "=", arg("number"))
    .where("status", "=", arg("running")),
);

/** It was seen alive when it ended, and not by a beat that came while its end was being written. */
export const lastHeartbeat = query<{ heartbeat_at: number; run: number; number: number }>()((db, arg) =>
  db
    .updateTable("execution")
    .set({ heartbeat_at: arg("heartbeat_at") })
    .where("run", "=", arg("run"))
    .where("number", "=", arg("number")),
);

/** Changes nothing when the execution is over: whoever ended it or took its place did so in one transaction. */
export const heartbeat = query<{ heartbeat_at: number; run: number; number: number; running: "running" }>()((db, arg) =>
  db
    .updateTable("execution")
    .set({ heartbeat_at: arg("heartbeat_at") })
    .where("run", "=", arg("run"))
    .where("number", "=", arg("number"))
    .where("status", "=", arg("running")),
);

type CallArguments = Omit<ChildRunTable, "child">;

export const insertChildRun = query<ChildRunTable>()((db, arg) =>
  db.insertInto("child_run").values({
    run: arg("run"),
    step: arg("step"),
    path: arg("path"),
    call: arg("call"),
    inputs_digest: arg("inputs_digest"),
    child: arg("child"),
  }),
);

export const childRun = query<CallArguments>()((db, arg) =>
  db
    .selectFrom("child_run")
    .select("child")
    .where("run", "=", arg("run"))
    .where("step", "=", arg("step"))
    .where("path", "=", arg("path"))
    .where("call", "=", arg("call"))
    .where("inputs_digest", "=", arg("inputs_digest")),
);

/** The call that started a run. */
export const childCall = query<{ child: number }>()((db, arg) =>
  db.selectFrom("child_run").select(["run", "step", "path", "call", "inputs_digest"]).where("child", "=", arg("child")),
);

/** The run whose step has started a run, and forks that took it over with the call. */
export const parentRuns = query<{ id: string }>()((db, arg) =>
  db
    .selectFrom("run")
    .innerJoin("child_run", "child_run.child", "run.sequence")
    .select("child_run.run")
    .where("run.id", "=", arg("id")),
);

export const childRuns = shapedQuery<
  { readonly limit: boolean },
  { run: number; limit: number },
  { readonly child: number }
>([{ limit: false }, { limit: true }], (shape) => (db, arg) => {
  const rows = db.selectFrom("child_run").select("child").where("run", "=", arg("run")).orderBy("child");
  return shape.limit ? rows.limit(arg("limit")) : rows;
});

export const childRunCount = query<{ run: number }>()((db, arg) =>
  db
    .selectFrom("child_run")
    .select((of) => of.fn.countAll<number>().as("count"))
    .where("run", "=", arg("run")),
);
