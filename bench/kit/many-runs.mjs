/**
 * A store of many runs, in seconds: two runs are made by Millrace, and the rows of the first are copied. Every table that names
 * the run or its tasks is, so the indexes are as deep as in a store that has grown. What the copies say of themselves in
 * digests is that of the first: they can be found and listed, which is what is measured, and would not pass `flow store verify`.
 */
import path from "node:path";
import { Database } from "./records.mjs";

/** Columns that refer to tasks, by table; `run` refers to runs everywhere. */
const TASK_COLUMNS = {
  run: ["end_task"],
  task: ["sequence", "inherits"],
  artifact: ["task"],
  item_page: ["split"],
};
const TABLES = ["run", "execution", "run_value", "run_parameter", "task", "artifact", "item_page"];

/**
 * Puts copies of the newest run behind it.
 *
 * @param {string} store its folder; nobody else may have it open
 * @param {number} count how many copies
 * @param {{ status?: string, tag?: string }} [change] what the copies have in the place of the run's own
 */
export function copyNewestRun(store, count, { status, tag } = {}) {
  const db = new Database(path.join(store, "millrace.db"));
  db.pragma("synchronous = OFF"); // Only until the copies are there: nothing is measured meanwhile.
  db.pragma("cache_size = -262144");
  db.pragma("foreign_keys = OFF");
  const run = db.prepare("SELECT max(sequence) FROM run").pluck().get();
  const { first, last } = db
    .prepare("SELECT min(sequence) AS first, max(sequence) AS last FROM task WHERE run = ?")
    .get(run);
  const nextTask = db.prepare("SELECT next_task FROM store").pluck().get();
  const width = last - first + 1;
  const shift = nextTask - first - width;
  db.transaction(() => {
    for (const table of TABLES) copyRows(db, table, { run, count, width, shift, first, last, status });
    if (tag !== undefined)
      db.prepare(
        "INSERT INTO run_tag (run, tag, flow, status) SELECT sequence, ?, flow, status FROM run WHERE sequence > ?",
      ).run(tag, run);
    db.prepare("UPDATE store SET next_task = ?").run(nextTask + width * count);
    db.prepare(
      `UPDATE flow SET last_number = last_number + @count, run_count = run_count + @count, newest_run = newest_run + @count
       WHERE id = (SELECT flow FROM run WHERE sequence = @run)`,
    ).run({ count, run });
  })();
  db.pragma("wal_checkpoint(TRUNCATE)");
  db.close();
}

function copyRows(db, table, { run, count, width, shift, first, last, status }) {
  const columns = db.prepare(`SELECT name FROM pragma_table_info('${table}')`).pluck().all();
  const isOfRun = columns.includes("run") || table === "run";
  const taskColumns = TASK_COLUMNS[table] ?? [];
  const values = columns.map((column) => {
    if (taskColumns.includes(column)) return `${column} + ${shift} + ${width} * n.k`;
    if (table !== "run") return column === "run" ? "run + n.k" : column;
    if (column === "sequence" || column === "number") return `${column} + n.k`;
    if (column === "id") return "substr(id, 1, 24) || printf('%012x', sequence + n.k)";
    return column === "status" && status !== undefined ? `'${status}'` : column;
  });
  const owner = taskColumns[0];
  const where = isOfRun ? `${table === "run" ? "sequence" : "run"} = ${run}` : `${owner} BETWEEN ${first} AND ${last}`;
  db.prepare(
    `WITH RECURSIVE n (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < ${count})
     INSERT INTO ${table} (${columns}) SELECT ${values} FROM n CROSS JOIN ${table} WHERE ${where}`,
  ).run();
}
