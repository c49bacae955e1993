/**
 * The second schema, described column by column in docs/formats/schema.md: executions of runs, where runs and tasks come
 * from, flows started inside steps, and the step cache. Columns are only added, so that a program which still has an
 * older schema open goes on undisturbed.
 */
export const executionsMigration: readonly string[] = [
  `CREATE TABLE execution (
    run INTEGER NOT NULL REFERENCES run (sequence),
    number INTEGER NOT NULL,
    runner TEXT NOT NULL,
    actor TEXT NOT NULL,
    command TEXT NOT NULL,
    package_digest BLOB,
    options TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL,
    ended_at INTEGER,
    status TEXT NOT NULL CHECK (status IN ('running', 'succeeded', 'failed', 'cancelled', 'lost')),
    PRIMARY KEY (run, number)
  ) STRICT, WITHOUT ROWID`,
  `INSERT INTO execution ${executionsOfSchema1("run")}`,

  `ALTER TABLE run ADD COLUMN execution INTEGER NOT NULL DEFAULT 1`,
  `ALTER TABLE run ADD COLUMN origin TEXT`,
  `ALTER TABLE run ADD COLUMN origin_facts TEXT`,
  `ALTER TABLE run ADD COLUMN parent TEXT`,

  `ALTER TABLE task ADD COLUMN origin INTEGER`,
  `ALTER TABLE task ADD COLUMN origin_kind TEXT CHECK (origin_kind IN ('resume', 'cache'))`,
  `ALTER TABLE task ADD COLUMN value_reads TEXT`,
  `ALTER TABLE task ADD COLUMN cancelled_by TEXT`,
  `ALTER TABLE task ADD COLUMN item_digest BLOB`,
  `ALTER TABLE task ADD COLUMN duration_ms REAL`,

  `CREATE TABLE child_run (
    run INTEGER NOT NULL REFERENCES run (sequence),
    step TEXT NOT NULL,
    path TEXT NOT NULL,
    call INTEGER NOT NULL,
    inputs_digest BLOB NOT NULL CHECK (length(inputs_digest) = 32),
    child INTEGER NOT NULL REFERENCES run (sequence),
    PRIMARY KEY (run, step, path, call, inputs_digest)
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX child_run_by_child ON child_run (child)`,

  `CREATE TABLE cache_entry (
    key BLOB NOT NULL CHECK (length(key) = 32),
    task INTEGER NOT NULL REFERENCES task (sequence),
    reads TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (key, task)
  ) STRICT, WITHOUT ROWID`,
];

/**
 * Views that show a store of schema 1 as one of this schema, for readers that may not change it. They belong to the
 * connection and hide the tables of their names.
 */
export const schema1AsSchema2: readonly string[] = [
  `CREATE TEMP VIEW execution AS ${executionsOfSchema1("main.run")}`,
  `CREATE TEMP VIEW run AS SELECT *, 1 AS execution, NULL AS origin, NULL AS origin_facts, NULL AS parent FROM main.run`,
  `CREATE TEMP VIEW task AS SELECT *, NULL AS origin, NULL AS origin_kind, NULL AS value_reads, NULL AS cancelled_by,
    NULL AS item_digest, NULL AS duration_ms, NULL AS terms, NULL AS record_digest FROM main.task`,
  `CREATE TEMP TABLE child_run (run, step, path, call, inputs_digest, child)`,
  `CREATE TEMP TABLE cache_entry (key, task, reads, created_at)`,
];

/**
 * The one execution that each run of schema 1 had. No process is known of it (pid 0), and its only heartbeat is its
 * begin: a run that did not end is lost.
 */
function executionsOfSchema1(run: string): string {
  return `SELECT sequence AS run, 1 AS number,
      json_object('host', coalesce(json_extract(environment, '$.host'), ''), 'pid', 0) AS runner,
      coalesce(json_extract(environment, '$.actor'), '') AS actor,
      coalesce(json_extract(environment, '$.command'), '[]') AS command,
      package_digest, '{}' AS options,
      coalesce(started_at, created_at) AS started_at, coalesce(started_at, created_at) AS heartbeat_at,
      finished_at AS ended_at, CASE status WHEN 'queued' THEN 'running' ELSE status END AS status
    FROM ${run}`;
}
