/** Queries about metrics. */
import { query } from "./query.ts";
import type { MetricTable, RunMetricTable } from "./schema.ts";

export const insertMetric = query<MetricTable>()((db, arg) =>
  db.insertInto("metric").values({
    run: arg("run"),
    name: arg("name"),
    task: arg("task"),
    position: arg("position"),
    step: arg("step"),
    value: arg("value"),
  }),
);

/** What a task recorded last, unless a later one did already. */
export const insertRunMetric = query<Omit<RunMetricTable, "flow">>()((db, arg) =>
  db
    .insertInto("run_metric")
    .values((of) => ({
      run: arg("run"),
      name: arg("name"),
      flow: of.selectFrom("run").select("flow").where("sequence", "=", arg("run")).$asScalar().$notNull(),
      task: arg("task"),
      step: arg("step"),
      value: arg("value"),
    }))
    .onConflict((conflict) =>
      conflict
        .columns(["run", "name"])
        .doUpdateSet((of) => ({
          task: of.ref("excluded.task"),
          step: of.ref("excluded.step"),
          value: of.ref("excluded.value"),
        }))
        .whereRef("excluded.task", ">=", "run_metric.task"),
    ),
);

export const metricsOfRun = query<{ run: number }>()((db, arg) =>
  db.selectFrom("run_metric").select(["name", "task", "step", "value"]).where("run", "=", arg("run")).orderBy("name"),
);

/** What is asked for of a metric; one compiled statement for each shape. */
export interface MetricPageShape {
  readonly task: boolean;
  readonly after: boolean;
  readonly limit: boolean;
}

export function metricPage(shape: MetricPageShape) {
  return query<{
    run: number;
    name: string;
    task: number;
    afterTask: number;
    afterPosition: number;
    limit: number;
  }>()((db, arg) => {
    let rows = db
      .selectFrom("metric")
      .select(["task", "position", "step", "value"])
      .where("run", "=", arg("run"))
      .where("name", "=", arg("name"));
    if (shape.task) rows = rows.where("task", "=", arg("task"));
    if (shape.after)
      rows = rows.where((of) =>
        of(of.refTuple("task", "position"), ">", of.tuple(of.val(arg("afterTask")), of.val(arg("afterPosition")))),
      );
    const ordered = rows.orderBy("task").orderBy("position");
    return shape.limit ? ordered.limit(arg("limit")) : ordered;
  });
}

/** Values of a task as those of another one, which has none of this name. */
export const copyMetric = query<{ run: number; task: number; fromRun: number; from: number; name: string }>()(
  (db, arg) =>
    db
      .insertInto("metric")
      .columns(["run", "name", "task", "position", "step", "value"])
      .expression((of) =>
        of
          .selectFrom("metric")
          .select((row) => [
            row.val(arg("run")).as("run"),
            "name",
            row.val(arg("task")).as("task"),
            "position",
            "step",
            "value",
          ])
          .where("run", "=", arg("fromRun"))
          .where("name", "=", arg("name"))
          .where("task", "=", arg("from")),
      ),
);

/** The last value of a name that a task recorded. */
export const lastOfTask = query<{ run: number; name: string; task: number }>()((db, arg) =>
  db
    .selectFrom("metric")
    .select(["step", "value"])
    .where("run", "=", arg("run"))
    .where("name", "=", arg("name"))
    .where("task", "=", arg("task"))
    .orderBy("position", "desc")
    .limit(1),
);
