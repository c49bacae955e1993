/** Queries about what tasks wrote to their output. */
import { type Query, query } from "./query.ts";
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

export interface LogShape {
  readonly attempt: boolean;
  readonly stream: boolean;
}

type LogArguments = Pick<LogTable, "task" | "attempt" | "stream">;

/** In the order in which the chunks came. */
export function logChunks(shape: LogShape): Query<LogArguments, Omit<LogTable, "sequence">> {
  return {
    build: (db, arg) => {
      let rows = db
        .selectFrom("log")
        .select(["task", "attempt", "stream", "at", "text"])
        .where("task", "=", arg("task"));
      if (shape.attempt) rows = rows.where("attempt", "=", arg("attempt"));
      if (shape.stream) rows = rows.where("stream", "=", arg("stream"));
      return rows.orderBy("sequence");
    },
  };
}
