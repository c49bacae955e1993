/** Times that cannot be, of all rows. */
import { isWrongTime, TIME_TABLES, wrongTime } from "../record-times.ts";
import type { RecordCheck } from "./reference-checks.ts";

export const timeChecks: readonly RecordCheck[] = TIME_TABLES.map((times): RecordCheck => {
  const { table, by, run = "NULL", task = "NULL", what = "NULL", schema } = times;
  const window = by === undefined ? "" : ` AND x.${by} > :after AND x.${by} <= :upTo`;
  return {
    check: "S06",
    table,
    ...(by === undefined ? {} : { by }),
    ...(schema === undefined ? {} : { schema }),
    sql: `SELECT ${run} AS run, ${task} AS task, NULL AS artifact, NULL AS digest, ${wrongTime(times)} AS found,
        ${what} AS wanted FROM ${table} AS x WHERE ${isWrongTime(times)}${window}`,
    remedy: "copy",
    say: ({ found, wanted, run: ofRun, task: ofTask }) =>
      `${ofTask !== null ? "{task}" : ofRun !== null ? "{run}" : (wanted ?? `a row of ${table}`)} has a time that cannot be: ${found}`,
  };
});
