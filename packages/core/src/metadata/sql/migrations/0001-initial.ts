/**
 * The first schema, described column by column in docs/formats/schema.md. Statements run one after another in the
 * transaction that also writes the version; a migration that was released is never edited.
 */
export const initialMigration: readonly string[] = [
  `CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    store_id TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    next_task INTEGER NOT NULL
  ) STRICT`,

  `CREATE TABLE flow (
    id INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    last_number INTEGER NOT NULL,
    run_count INTEGER NOT NULL,
    newest_run INTEGER NOT NULL,
    UNIQUE (project, name)
  ) STRICT`,

  `CREATE TABLE flow_name (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    flow INTEGER NOT NULL REFERENCES flow (id),
    PRIMARY KEY (project, name)
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX flow_name_by_name ON flow_name (name, project)`,

  `CREATE TABLE blob (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    size_bytes INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    compression TEXT NOT NULL CHECK (compression IN ('none', 'zstd')),
    stored BLOB
  ) STRICT`,

  `CREATE TABLE code_package (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    manifest TEXT NOT NULL
  ) STRICT`,
  `CREATE TABLE code_package_blob (
    package BLOB NOT NULL REFERENCES code_package (digest),
    digest BLOB NOT NULL REFERENCES blob (digest),
    PRIMARY KEY (package, digest)
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE run (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    flow INTEGER NOT NULL REFERENCES flow (id),
    project TEXT NOT NULL,
    flow_name TEXT NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'lost')),
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    end_task INTEGER,
    package_digest BLOB,
    system_tags TEXT NOT NULL,
    parameters TEXT NOT NULL,
    secret_parameters TEXT NOT NULL,
    environment TEXT NOT NULL,
    failure TEXT
  ) STRICT`,
  `CREATE INDEX run_by_flow ON run (flow, sequence)`,
  `CREATE INDEX run_by_flow_status ON run (flow, status, sequence)`,
  `CREATE INDEX run_by_status ON run (status, sequence)`,
  `CREATE UNIQUE INDEX run_by_number ON run (flow, number, flow_name)`,

  `CREATE TABLE run_tag (
    run INTEGER NOT NULL REFERENCES run (sequence),
    tag TEXT NOT NULL,
    flow INTEGER NOT NULL,
    status TEXT NOT NULL,
    PRIMARY KEY (run, tag)
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX run_tag_by_status ON run_tag (tag, flow, status, run)`,
  `CREATE INDEX run_tag_by_flow ON run_tag (tag, flow, run)`,
  `CREATE INDEX run_tag_by_tag ON run_tag (tag, run)`,

  `CREATE TABLE run_parameter (
    run INTEGER NOT NULL REFERENCES run (sequence),
    name TEXT NOT NULL,
    value_digest BLOB NOT NULL,
    PRIMARY KEY (run, name)
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX run_parameter_by_value ON run_parameter (name, value_digest, run)`,

  `CREATE TABLE run_value (
    run INTEGER NOT NULL REFERENCES run (sequence),
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('parameter', 'constant', 'config', 'file')),
    codec TEXT NOT NULL,
    digest BLOB NOT NULL REFERENCES blob (digest),
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (run, name)
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE upstream (
    run INTEGER NOT NULL REFERENCES run (sequence),
    name TEXT NOT NULL,
    flow_project TEXT,
    flow_name TEXT NOT NULL,
    selector TEXT NOT NULL,
    producer TEXT,
    candidate_count INTEGER NOT NULL,
    candidates TEXT NOT NULL,
    resolved_at INTEGER NOT NULL,
    PRIMARY KEY (run, name)
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX upstream_by_producer ON upstream (producer, run)`,

  `CREATE TABLE task (
    sequence INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (sequence),
    step TEXT NOT NULL,
    path TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (
      status IN ('queued', 'running', 'succeeded', 'failed', 'caught', 'cancelled', 'lost', 'skipped')
    ),
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    inherits INTEGER CHECK (inherits < sequence),
    fan_out INTEGER,
    choice TEXT,
    error TEXT
  ) STRICT`,
  `CREATE UNIQUE INDEX task_by_path ON task (run, step, path, attempt)`,
  `CREATE INDEX task_by_run ON task (run, sequence)`,

  `CREATE TABLE artifact (
    task INTEGER NOT NULL REFERENCES task (sequence),
    name TEXT NOT NULL,
    codec TEXT NOT NULL,
    digest BLOB NOT NULL REFERENCES blob (digest),
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (task, name)
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE item_page (
    split INTEGER NOT NULL REFERENCES task (sequence),
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    codec TEXT NOT NULL,
    digest BLOB NOT NULL REFERENCES blob (digest),
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (split, first)
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE upstream_read (
    run INTEGER NOT NULL REFERENCES run (sequence),
    task INTEGER NOT NULL REFERENCES task (sequence),
    upstream TEXT NOT NULL,
    producer TEXT NOT NULL,
    artifact TEXT NOT NULL,
    codec TEXT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (run, task, upstream, producer, artifact)
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE log (
    sequence INTEGER PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task (sequence),
    attempt INTEGER NOT NULL,
    stream TEXT NOT NULL CHECK (stream IN ('stdout', 'stderr')),
    at INTEGER NOT NULL,
    text TEXT NOT NULL
  ) STRICT`,
  `CREATE INDEX log_by_task ON log (task, sequence)`,

  `CREATE TABLE tag_event (
    sequence INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    host TEXT NOT NULL,
    verb TEXT NOT NULL CHECK (verb IN ('add', 'remove')),
    tag TEXT NOT NULL,
    run TEXT NOT NULL,
    via TEXT NOT NULL,
    reason TEXT,
    previous BLOB NOT NULL,
    digest BLOB NOT NULL
  ) STRICT`,
  `CREATE INDEX tag_event_by_run ON tag_event (run, sequence)`,
  `CREATE INDEX tag_event_by_tag ON tag_event (tag, sequence)`,
  `CREATE TRIGGER tag_event_no_update BEFORE UPDATE ON tag_event
    BEGIN SELECT RAISE(ABORT, 'the tag log is append-only'); END`,
  `CREATE TRIGGER tag_event_no_delete BEFORE DELETE ON tag_event
    BEGIN SELECT RAISE(ABORT, 'the tag log is append-only'); END`,
];
