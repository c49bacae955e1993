/**
 * The fourth schema, described column by column in docs/formats/schema.md: policies of tags, tags that runs were asked to
 * take when they succeed, moves that say more than one run and one verb, and webhooks with what is still to be sent.
 *
 * The log of tags is made anew, because the verbs that it takes cannot be widened in place; its rows are copied as they
 * are, so that every digest holds. A program that still has schema 3 open goes on writing moves of the first format.
 */
export const tagsMigration: readonly string[] = [
  `CREATE TABLE tag_event_2 (
    sequence INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    host TEXT NOT NULL,
    verb TEXT NOT NULL CHECK (verb IN ('add', 'remove', 'set-policy', 'remove-policy')),
    tag TEXT NOT NULL,
    run TEXT,
    via TEXT NOT NULL,
    reason TEXT,
    move INTEGER,
    action TEXT,
    from_run TEXT,
    checks TEXT,
    policy TEXT,
    previous BLOB NOT NULL,
    digest BLOB NOT NULL
  ) STRICT`,
  `INSERT INTO tag_event_2 (sequence, at, actor, host, verb, tag, run, via, reason, previous, digest)
    SELECT sequence, at, actor, host, verb, tag, run, via, reason, previous, digest FROM tag_event ORDER BY sequence`,
  `DROP TABLE tag_event`,
  `ALTER TABLE tag_event_2 RENAME TO tag_event`,
  `CREATE INDEX tag_event_by_run ON tag_event (run, sequence)`,
  `CREATE INDEX tag_event_by_tag ON tag_event (tag, sequence)`,
  `CREATE TRIGGER tag_event_no_update BEFORE UPDATE ON tag_event
    BEGIN SELECT RAISE(ABORT, 'the tag log is append-only'); END`,
  `CREATE TRIGGER tag_event_no_delete BEFORE DELETE ON tag_event
    BEGIN SELECT RAISE(ABORT, 'the tag log is append-only'); END`,

  `CREATE TABLE tag_policy (
    pattern TEXT NOT NULL PRIMARY KEY,
    policy TEXT NOT NULL,
    event INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE tag_request (
    run INTEGER NOT NULL REFERENCES run (sequence),
    tag TEXT NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    host TEXT NOT NULL,
    via TEXT NOT NULL,
    reason TEXT,
    status TEXT NOT NULL CHECK (status IN ('waiting', 'moved', 'refused')),
    why TEXT,
    PRIMARY KEY (run, tag)
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE webhook (
    id INTEGER NOT NULL PRIMARY KEY,
    url TEXT NOT NULL,
    pattern TEXT,
    secret_env TEXT,
    created_at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    host TEXT NOT NULL,
    delivered_at INTEGER
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE webhook_delivery (
    webhook INTEGER NOT NULL REFERENCES webhook (id),
    event INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    last_error TEXT,
    PRIMARY KEY (webhook, event)
  ) STRICT, WITHOUT ROWID`,
  `CREATE INDEX webhook_delivery_by_time ON webhook_delivery (next_at, event, webhook)`,
];

/** Views that show a store of schema 3 as one of this schema, for readers that may not change it. */
export const schema3AsSchema4: readonly string[] = [
  `CREATE TEMP VIEW tag_event AS SELECT *, NULL AS move, NULL AS action, NULL AS from_run, NULL AS checks, NULL AS policy
    FROM main.tag_event`,
  `CREATE TEMP TABLE tag_policy (pattern, policy, event)`,
  `CREATE TEMP TABLE tag_request (run, tag, at, actor, host, via, reason, status, why)`,
  `CREATE TEMP TABLE webhook (id, url, pattern, secret_env, created_at, actor, host, delivered_at)`,
  `CREATE TEMP TABLE webhook_delivery (webhook, event, next_at, attempts, last_error)`,
];
