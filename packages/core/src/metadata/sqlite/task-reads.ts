/** Reading tasks, as they are shown: what was running in a run whose runner is dead is lost. */
import type { Liveness } from "../liveness.ts";
import type { TaskCount, TaskQuery, TaskRow } from "../metadata-store.ts";
import { toTaskRow } from "../sql/rows.ts";
import type { TaskTable } from "../sql/schema.ts";
import * as tasks from "../sql/tasks.ts";
import { isLost } from "./run-reads.ts";
import type { Statements } from "./statements.ts";

export function readTask(statements: Statements, sequence: number, here: Liveness | undefined): TaskRow | undefined {
  const row = statements.get(tasks.taskBySequence, { sequence });
  if (row === undefined) return undefined;
  return shown(row, row.status === "running" && isLost(statements, row.run, here));
}

export function readTasks(statements: Statements, query: TaskQuery, here: Liveness | undefined): readonly TaskRow[] {
  const lost = isLost(statements, query.run, here);
  if (lost && query.status === "running") return [];
  const wantsLost = lost && query.status === "lost";
  const shape = {
    step: query.step !== undefined,
    path: query.path !== undefined,
    status: query.status !== undefined && !wantsLost,
    lost: wantsLost,
    newest: query.newest === true,
    after: query.after !== undefined,
    limit: query.limit !== undefined,
  };
  const rows = statements.all(
    statements.shaped(`tasks ${JSON.stringify(shape)}`, () => tasks.taskPage(shape)),
    query as tasks.TaskPageArguments,
  );
  return rows.map((row) => shown(row, lost));
}

export function readTaskCounts(statements: Statements, run: number, here: Liveness | undefined): readonly TaskCount[] {
  const counts = statements.all(tasks.taskCounts, { run });
  if (!isLost(statements, run, here)) return counts;
  const merged = new Map<string, TaskCount>();
  for (const { step, status: stored, count, attempts, cached } of counts) {
    const status = stored === "running" ? "lost" : stored;
    const known = merged.get(`${step} ${status}`) ?? { count: 0, attempts: 0, cached: 0 };
    merged.set(`${step} ${status}`, {
      step,
      status,
      count: known.count + count,
      attempts: known.attempts + attempts,
      cached: known.cached + cached,
    });
  }
  return [...merged.values()].sort((left, right) =>
    left.step === right.step ? (left.status < right.status ? -1 : 1) : left.step < right.step ? -1 : 1,
  );
}

function shown(row: TaskTable, isRunLost: boolean): TaskRow {
  return toTaskRow(row, isRunLost && row.status === "running" ? "lost" : row.status);
}
