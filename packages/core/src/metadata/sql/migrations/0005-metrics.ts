/**
 * Metrics: the numbers that tasks recorded, and of each run the last one of each name, by which runs are sorted and found
 * (docs/adr/0043). Tables are only added, and the triggers hold for programs of an older schema too: one that still has
 * the store open renames flows and deletes runs without knowing of them.
 */
export const metricsMigration: readonly string[] = [
  // Ordered by name first: a series is one range. A value that is not a number is null, which is what SQLite makes of it.
  `CREATE TABLE metric (
    run INTEGER NOT NULL REFERENCES run (sequence),
    name TEXT NOT NULL,
    task INTEGER NOT NULL REFERENCES task (sequence),
    position INTEGER NOT NULL CHECK (position >= 0),
    step INTEGER CHECK (step >= 0),
    value REAL,
    PRIMARY KEY (run, name, task, position)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE run_metric (
    run INTEGER NOT NULL REFERENCES run (sequence),
    name TEXT NOT NULL,
    flow INTEGER NOT NULL,
    task INTEGER NOT NULL,
    step INTEGER,
    value REAL,
    PRIMARY KEY (run, name)
  ) STRICT, WITHOUT ROWID`,
  // The flow comes last: all of them are sorted too, and those of others are passed over within the index.
  `CREATE INDEX run_metric_by_value ON run_metric (name, value, flow)`,
  `CREATE TRIGGER run_metric_follows_flow AFTER UPDATE OF flow ON run
    BEGIN UPDATE run_metric SET flow = NEW.flow WHERE run = NEW.sequence; END`,
  `CREATE TRIGGER metric_goes_with_run AFTER DELETE ON run
    BEGIN
      DELETE FROM metric WHERE run = OLD.sequence;
      DELETE FROM run_metric WHERE run = OLD.sequence;
    END`,
];

/** Tables that show a store without metrics as one of this schema, for readers that may not change it. */
export const withoutMetrics: readonly string[] = [
  `CREATE TEMP TABLE metric (run, name, task, position, step, value)`,
  `CREATE TEMP TABLE run_metric (run, name, flow, task, step, value)`,
];
