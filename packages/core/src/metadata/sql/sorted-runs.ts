/** Queries for runs in the order of a metric or a parameter. */
import type { Query, SchemaBuilder } from "./query.ts";
import type { RunRecord } from "./rows.ts";
import { filteredRuns, type RunPageArguments, type RunPageShape, runColumns } from "./runs.ts";

type Order = "descending" | "ascending";
type Rows = ReturnType<typeof filteredRuns>;

export interface SortedRunArguments extends RunPageArguments {
  /** Name of a metric, or the path of a parameter in the JSON of a run's parameters. */
  readonly sort: string;
}

interface SortedRecord extends RunRecord {
  /** Null where it has none. */
  readonly sort_value: number | string | null;
}

/** Runs whose last value of a metric is a number, the highest or lowest first, of equal ones the newer first. */
export function runsByMetric(shape: RunPageShape, order: Order): Query<SortedRunArguments, SortedRecord> {
  return {
    build: (db, arg) => {
      const start = shape.tags > 0 ? undefined : (ledByMetric(db) as unknown as Rows);
      // With tags, those lead: few runs hold a tag. The types of both ways are those of the second.
      const found = filteredRuns(db, arg, shape, start);
      const rows =
        start === undefined
          ? found.innerJoin("run_metric as rm", "rm.run", "run.sequence")
          : (found as unknown as ReturnType<typeof withMetric>);
      const named = rows.where("rm.name", "=", arg("sort")).where("rm.value", "is not", null);
      return (shape.flow ? named.where("rm.flow", "=", arg("flow")) : named)
        .select([...runColumns, "rm.value as sort_value"])
        .orderBy("rm.value", order === "descending" ? "desc" : "asc")
        .orderBy("rm.run", "desc")
        .limit(arg("limit"));
    },
  };
}

/** The index of values leads, as a CROSS JOIN of SQLite keeps its order: it is read until there are enough runs. */
function ledByMetric(db: SchemaBuilder) {
  return db.selectFrom("run_metric as rm").crossJoin("run").whereRef("run.sequence", "=", "rm.run");
}

/** Only for its type. */
function withMetric(rows: Rows) {
  return rows.innerJoin("run_metric as rm", "rm.run", "run.sequence");
}

/** Runs without a number as the last value of a metric, the newest first. */
export function runsWithoutMetric(shape: RunPageShape): Query<SortedRunArguments, SortedRecord> {
  return {
    build: (db, arg) =>
      filteredRuns(db, arg, shape)
        .where((of) =>
          of.not(
            of.exists(
              of
                .selectFrom("run_metric as rm")
                .select("rm.run")
                .whereRef("rm.run", "=", "run.sequence")
                .where("rm.name", "=", arg("sort"))
                .where("rm.value", "is not", null),
            ),
          ),
        )
        .select((of) => [...runColumns, of.lit(null).as("sort_value")])
        .orderBy("run.sequence", "desc")
        .limit(arg("limit")),
  };
}

/**
 * Runs by a parameter as it is recorded: numbers before texts, each in their order. It looks at every run that fits the
 * rest of the query: parameters are JSON, and any of them may be asked for.
 */
export function runsByParameter(shape: RunPageShape, order: Order): Query<SortedRunArguments, SortedRecord> {
  return {
    build: (db, arg) =>
      filteredRuns(db, arg, shape)
        .select((of) => [
          ...runColumns,
          of.fn<number | string | null>("json_extract", ["run.parameters", of.val(arg("sort"))]).as("sort_value"),
        ])
        .orderBy("sort_value", (by) => (order === "descending" ? by.desc() : by.asc()).nullsLast())
        .orderBy("run.sequence", "desc")
        .limit(arg("limit")),
  };
}
