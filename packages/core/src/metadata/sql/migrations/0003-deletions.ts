/**
 * The third schema, described column by column in docs/formats/schema.md: runs that were deleted, what garbage collection
 * has marked, artifacts that are not kept for ever, and digests over records. Tables and columns are only added, and the triggers hold for programs of an
 * older schema too, so that one which still has the store open goes on undisturbed (docs/adr/0035).
 */
export const deletionsMigration: readonly string[] = [
  `CREATE TABLE deleted_run (
    id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    flow INTEGER NOT NULL,
    project TEXT NOT NULL,
    flow_name TEXT NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    host TEXT NOT NULL,
    via TEXT NOT NULL,
    reason TEXT,
    PRIMARY KEY (id, number)
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX deleted_run_by_number ON deleted_run (flow, number)`,

  `CREATE TABLE garbage (
    kind TEXT NOT NULL CHECK (kind IN ('blob', 'package')),
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    marked_at INTEGER NOT NULL,
    PRIMARY KEY (kind, digest)
  ) STRICT, WITHOUT ROWID`,
  // Whoever names a value takes its mark away, whatever program it is: what is still marked is named by nobody.
  ...(
    [
      ["blob", "BEFORE", "blob", "digest"],
      ["artifact", "AFTER", "blob", "digest"],
      ["item_page", "AFTER", "blob", "digest"],
      ["run_value", "AFTER", "blob", "digest"],
      ["code_package_blob", "AFTER", "blob", "digest"],
      ["code_package", "BEFORE", "package", "digest"],
      ["run", "AFTER", "package", "package_digest"],
      ["execution", "AFTER", "package", "package_digest"],
    ] as const
  ).map(
    ([table, when, kind, column]) => `CREATE TRIGGER ${table}_is_no_garbage ${when} INSERT ON ${table}
    BEGIN DELETE FROM garbage WHERE kind = '${kind}' AND digest = NEW.${column}; END`,
  ),

  `CREATE TABLE artifact_term (
    run INTEGER NOT NULL REFERENCES run (sequence),
    task INTEGER NOT NULL REFERENCES task (sequence),
    name TEXT NOT NULL,
    transient INTEGER NOT NULL CHECK (transient IN (0, 1)),
    expires_at INTEGER,
    PRIMARY KEY (run, task, name)
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX artifact_term_by_end ON artifact_term (expires_at) WHERE expires_at IS NOT NULL`,
  `CREATE TABLE gone_artifact (
    task INTEGER NOT NULL REFERENCES task (sequence),
    name TEXT NOT NULL,
    codec TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    size_bytes INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('transient', 'ttl')),
    gone_at INTEGER NOT NULL,
    PRIMARY KEY (task, name)
  ) STRICT, WITHOUT ROWID`,

  // Null in rows of programs that know no schema 3: they do not look again whether a value is there when they commit.
  `ALTER TABLE execution ADD COLUMN program_schema INTEGER`,
  `CREATE INDEX cache_entry_by_task ON cache_entry (task)`,

  // Null in what programs of an older schema write, and in what was there before: it is not judged by them.
  `ALTER TABLE task ADD COLUMN terms TEXT`,
  `ALTER TABLE task ADD COLUMN record_digest BLOB`,
  `ALTER TABLE run ADD COLUMN start_digest BLOB`,
  // Of the execution and not of the run: one that an older program goes on with has a new execution without a digest.
  `ALTER TABLE execution ADD COLUMN end_digest BLOB`,
];

/** Shows the tasks of a store of schema 2 as those of this schema. */
export const withoutTaskDigests: readonly string[] = [
  `CREATE TEMP VIEW task AS SELECT *, NULL AS terms, NULL AS record_digest FROM main.task`,
];

/** Views that show a store of schema 2 as one of this schema, for readers that may not change it. */
export const schema2AsSchema3: readonly string[] = [
  `CREATE TEMP TABLE deleted_run (id, sequence, flow, project, flow_name, number, status, created_at, deleted_at, actor,
    host, via, reason)`,
  `CREATE TEMP TABLE gone_artifact (task, name, codec, digest, size_bytes, reason, gone_at)`,
];
