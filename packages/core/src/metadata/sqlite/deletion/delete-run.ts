/**
 * One run with all that belongs to it, inside the caller's transaction; what is left is its tombstone and the tag log.
 *
 * The connection has no foreign keys on: SQLite would look for the children of each deleted row, over tables whose keys
 * begin with something else, again and again. That nothing is left behind is what the statements are for; tests hold the
 * store to `PRAGMA foreign_key_check` after each kill. Metrics go by a trigger on `run`, which programs that do not know
 * of them have as well.
 */
import type { Statement } from "better-sqlite3";
import type { DeletedBy } from "../../deletion-store.ts";
import type { RunSequence } from "../../metadata-store.ts";
import { runStatus } from "../../sql/runs.ts";
import { tagsOfRun } from "../../sql/tags.ts";
import type { Connection } from "../connection.ts";
import { moveTags, taggedRun } from "../move-tags.ts";
import type { Statements } from "../statements.ts";

const TASKS = "(SELECT sequence FROM task WHERE run = :run)";

const deletions = [
  `DELETE FROM cache_entry WHERE task IN ${TASKS}`,
  `DELETE FROM log WHERE task IN ${TASKS}`,
  `DELETE FROM artifact WHERE task IN ${TASKS}`,
  `DELETE FROM item_page WHERE split IN ${TASKS}`,
  `DELETE FROM gone_artifact WHERE task IN ${TASKS}`,
  "DELETE FROM artifact_term WHERE run = :run",
  "DELETE FROM tag_request WHERE run = :run",
  "DELETE FROM upstream_read WHERE run = :run",
  "DELETE FROM child_run WHERE run = :run",
  "DELETE FROM child_run WHERE child = :run",
  "DELETE FROM run_value WHERE run = :run",
  "DELETE FROM run_parameter WHERE run = :run",
  "DELETE FROM upstream WHERE run = :run",
  "DELETE FROM execution WHERE run = :run",
];
const tombstone = `
  INSERT INTO deleted_run (id, sequence, flow, project, flow_name, number, status, created_at, deleted_at, actor, host,
    via, reason)
  SELECT id, sequence, flow, project, flow_name, number, :status, created_at, :at, :actor, :host, :via, :reason
  FROM run WHERE sequence = :run`;
/** The numbers that were given stay given (`last_number`). */
const counters = `
  UPDATE flow SET run_count = run_count - 1,
    newest_run = CASE WHEN newest_run = :run
      THEN coalesce((SELECT max(sequence) FROM run WHERE flow = :flow AND sequence <> :run), 0) ELSE newest_run END
  WHERE id = :flow`;

/** Deletes runs through one connection; each statement is prepared once. */
export class RunDeleter {
  readonly #statements: Statements;
  readonly #deletions: readonly Statement[];
  readonly #tasks: Statement;
  readonly #tombstone: Statement;
  readonly #counters: Statement;
  readonly #run: Statement;

  constructor(db: Connection, statements: Statements) {
    this.#statements = statements;
    this.#deletions = deletions.map((text) => db.prepare(text));
    this.#tasks = db.prepare("DELETE FROM task WHERE run = ?");
    this.#tombstone = db.prepare(tombstone);
    this.#counters = db.prepare(counters);
    this.#run = db.prepare("DELETE FROM run WHERE sequence = ?");
  }

  /** Answers how many tasks it had. */
  delete(run: { readonly sequence: RunSequence; readonly status: string }, by: DeletedBy): number {
    const statements = this.#statements;
    const { sequence } = run;
    const stored = statements.get(runStatus, { sequence })!;
    // The tags that runs hold are what the log adds up to: it has to say that they are gone.
    const remove = statements.all(tagsOfRun, { run: sequence }).map(({ tag }) => tag);
    if (remove.length > 0)
      // What may keep the run was asked before: nothing holds it any more.
      moveTags(statements, taggedRun(statements, sequence), { add: [], remove, lift: true, ...by });
    for (const statement of this.#deletions) statement.run({ run: sequence });
    const tasks = this.#tasks.run(sequence).changes;
    const { actor, host, via, at, reason = null } = by;
    this.#tombstone.run({ run: sequence, status: run.status, at: at.getTime(), actor, host, via, reason });
    this.#counters.run({ run: sequence, flow: stored.flow });
    this.#run.run(sequence);
    return tasks;
  }
}
