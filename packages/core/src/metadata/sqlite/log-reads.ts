/** Reading what tasks wrote. All functions expect to stand inside a transaction. */
import type { LogQuery, LogRow, LogSequence, RunSequence } from "../metadata-store.ts";
import * as logs from "../sql/logs.ts";
import { toLogRow } from "../sql/rows.ts";
import type { Statements } from "./statements.ts";

export function readLogs(on: Statements, query: LogQuery): readonly LogRow[] {
  const shape = {
    attempt: query.attempt !== undefined,
    stream: query.stream !== undefined,
    after: query.after !== undefined,
    limit: query.limit !== undefined,
  };
  const chunks = on.shaped(`logs ${JSON.stringify(shape)}`, () => logs.logChunks(shape));
  return on.all(chunks, query as logs.LogArguments).map(toLogRow);
}

export function readRunLogs(
  on: Statements,
  query: { readonly run: RunSequence; readonly after: LogSequence; readonly limit: number },
): { readonly rows: readonly LogRow[]; readonly next: LogSequence } {
  const rows = on.all(logs.runLogChunks, query).map(toLogRow);
  // A page that is not full has seen all there is; both statements see one state of the store.
  const next = rows.length === query.limit ? rows.at(-1)!.sequence : lastLog(on);
  return { rows, next: Math.max(next, query.after) as LogSequence };
}

export function lastLog(on: Statements): LogSequence {
  return (on.get(logs.lastLogChunk, {})?.sequence ?? 0) as LogSequence;
}
