/** Queries about what tasks wrote to their output. */
import { query, shapedQuery } from "./query.ts";
import type { LogTable } from "./schema.ts";

export const insertLog = query<Omit<LogTable, "sequence">>()((db, arg) =>
  db.insertInto("log").values({
    task: arg("task"),
    attempt: arg("attempt"),
    stream: arg("stream"),
    at: arg("at"),
    text: arg("text"),
  }),
);

const logColumns = ["sequence", "task", "attempt", "stream", "at", "text"] as const;

/** A row as it is read: it has its number. */
export type LogRowTable = Omit<LogTable, "sequence"> & { readonly sequence: number };

export interface LogShape {
  readonly attempt: boolean;
  readonly stream: boolean;
  readonly after: boolean;
  readonly limit: boolean;
}

export interface LogArguments {
  readonly task: number;
  readonly attempt: number;
  readonly stream: "stdout" | "stderr";
  readonly after: number;
  readonly limit: number;
}

const usualChunks = [false, true].flatMap((attempt) =>
  [false, true].flatMap((after) => [false, true].map((limit) => ({ attempt, stream: false, after, limit }))),
);

/** In the order in which the chunks came. */
export const logChunks = shapedQuery<LogShape, LogArguments, LogRowTable>(usualChunks, (shape) => (db, arg) => {
  let rows = db.selectFrom("log").select(logColumns).where("task", "=", arg("task"));
  if (shape.attempt) rows = rows.where("attempt", "=", arg("attempt"));
  if (shape.stream) rows = rows.where("stream", "=", arg("stream"));
  if (shape.after) rows = rows.where("sequence", ">", arg("after"));
  const ordered = rows.orderBy("sequence");
  return shape.limit ? ordered.limit(arg("limit")) : ordered;
});

/**
 * Of all tasks of a run, by the number of the row. The run is asked for in a condition of its own and not by a join, so
 * that no database begins with the run's tasks and sorts all that they ever wrote for each page.
 */
export const runLogChunks = query<{ run: number; after: number; limit: number }>()<LogRowTable>((db, arg) =>
  db
    .selectFrom("log")
    .select(logColumns)
    .where("sequence", ">", arg("after"))
    .where((of) =>
      of(of.selectFrom("task").select("task.run").whereRef("task.sequence", "=", "log.task"), "=", arg("run")),
    )
    .orderBy("sequence")
    .limit(arg("limit")),
);

/** The number of the newest row; null in an empty table. */
export const lastLogChunk = query<Record<never, never>>()((db) =>
  db.selectFrom("log").select((of) => of.fn.max<number | null>("sequence").as("sequence")),
);
