import type { Connection } from "../connection.ts";

/** Names of runs and tasks for findings, from their numbers; what leads nowhere is called by its number. */
export class RowNames {
  readonly #db: Connection;

  constructor(db: Connection) {
    this.#db = db;
  }

  /** `Train/17` */
  run(sequence: number): string {
    const sql = "SELECT flow_name || '/' || number FROM run WHERE sequence = ?";
    return this.#text(sql, sequence) ?? `run number ${sequence}`;
  }

  /** `Train/17/evaluate/3`, with the attempt behind it when it is not the first: `#2`. */
  task(sequence: number): string {
    const sql = `SELECT ${TASK_NAME} FROM task LEFT JOIN run ON run.sequence = task.run WHERE task.sequence = ?`;
    return this.#text(sql, sequence) ?? `task number ${sequence}`;
  }

  #text(sql: string, sequence: number): string | undefined {
    try {
      return (this.#db.prepare(sql).pluck().get(sequence) as string | null | undefined) ?? undefined;
    } catch {
      return undefined; // On a page that cannot be read: that is told by the check that reads it.
    }
  }
}

/** A task's name over `task` and its `run`. */
export const TASK_NAME = `coalesce(run.flow_name || '/' || run.number, 'run number ' || task.run) || '/' || task.step
  || CASE task.path WHEN '' THEN '' ELSE '/' || task.path END || CASE task.attempt WHEN 1 THEN '' ELSE '#' || task.attempt END`;
