/**
 * Stores whose values lie in a bucket: how far the bucket has been told, and what it is still to be told (docs/formats/bucket.md). A line is
 * written by a trigger, in the transaction that makes it true and by programs of an older schema too. Stores without a bucket write none.
 *
 * The lines are the stored format of the bucket's log: keys in their order, what a column holds.
 */

/** A line that tells of a row, whose columns are named `row.column`. */
export const newsLine = {
  flow: (row: string) => `json_object('id', ${row}.id, 'kind', 'flow', 'name', ${row}.name, 'project', ${row}.project)`,
  flowName: (row: string) =>
    `json_object('flow', ${row}.flow, 'kind', 'flow-name', 'name', ${row}.name, 'project', ${row}.project)`,
  begun: (row: string) =>
    `json_object('createdAt', ${row}.created_at, 'flow', ${row}.flow, 'id', ${row}.id, 'kind', 'begun', 'name', ${row}.flow_name, 'number', ${row}.number, 'project', ${row}.project, 'sequence', ${row}.sequence)`,
  /** Told to nobody: the bucket is owed the manifest. */
  ended: (row: string) =>
    `json_object('execution', ${row}.execution, 'kind', 'ended', 'run', ${row}.id, 'status', ${row}.status)`,
  event: (row: string) =>
    `json_object('action', ${row}.action, 'actor', ${row}.actor, 'at', ${row}.at, 'checks', ${row}.checks, 'digest', lower(hex(${row}.digest)), 'from', ${row}.from_run, 'host', ${row}.host, 'kind', 'event', 'move', ${row}.move, 'policy', ${row}.policy, 'previous', lower(hex(${row}.previous)), 'reason', ${row}.reason, 'run', ${row}.run, 'sequence', ${row}.sequence, 'tag', ${row}.tag, 'verb', ${row}.verb, 'via', ${row}.via)`,
  signature: (row: string) =>
    `json_object('keyId', lower(hex(${row}.key_id)), 'kind', 'signature', 'position', ${row}.position, 'run', (SELECT id FROM run WHERE sequence = ${row}.run), 'signature', lower(hex(${row}.signature)), 'statement', ${row}.statement)`,
  gone: (row: string) =>
    `(SELECT json_object('at', ${row}.gone_at, 'attempt', task.attempt, 'kind', 'gone', 'name', ${row}.name, 'path', task.path, 'reason', ${row}.reason, 'run', run.id, 'step', task.step) FROM task JOIN run ON run.sequence = task.run WHERE task.sequence = ${row}.task)`,
  deleted: (row: string) =>
    `json_object('actor', ${row}.actor, 'createdAt', ${row}.created_at, 'deletedAt', ${row}.deleted_at, 'flow', ${row}.flow, 'host', ${row}.host, 'id', ${row}.id, 'kind', 'deleted', 'name', ${row}.flow_name, 'number', ${row}.number, 'project', ${row}.project, 'reason', ${row}.reason, 'sequence', ${row}.sequence, 'status', ${row}.status, 'via', ${row}.via)`,
  request: (row: string) =>
    `json_object('actor', ${row}.actor, 'at', ${row}.at, 'host', ${row}.host, 'kind', 'request', 'reason', ${row}.reason, 'run', (SELECT id FROM run WHERE sequence = ${row}.run), 'status', ${row}.status, 'tag', ${row}.tag, 'via', ${row}.via, 'why', ${row}.why)`,
  noRequest: (row: string) =>
    `json_object('kind', 'request', 'run', (SELECT id FROM run WHERE sequence = ${row}.run), 'tag', ${row}.tag)`,
} as const;

/** `on`: what SQLite calls the event; NEW or OLD in `line`. */
function tell(name: string, on: string, line: string, when = "1"): string {
  return `CREATE TRIGGER bucket_hears_of_${name} AFTER ${on} WHEN ${when} AND EXISTS (SELECT 1 FROM bucket)
    BEGIN INSERT INTO bucket_news (line) VALUES (${line}); END`;
}

const IS_OVER = "NEW.status NOT IN ('queued', 'running')";

export const bucketsMigration: readonly string[] = [
  // No row: the values lie in a folder. The last object of the bucket's log that holds nothing but what this store said.
  `CREATE TABLE bucket (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    log_number INTEGER NOT NULL,
    log_digest BLOB NOT NULL CHECK (length(log_digest) = 32)
  ) STRICT`,
  `CREATE TABLE bucket_news (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    line TEXT NOT NULL
  ) STRICT`,
  tell("flow", "INSERT ON flow", newsLine.flow("NEW")),
  tell("renamed_flow", "UPDATE OF name ON flow", newsLine.flow("NEW")),
  tell("flow_name", "INSERT ON flow_name", newsLine.flowName("NEW")),
  tell("moved_flow_name", "UPDATE OF flow ON flow_name", newsLine.flowName("NEW")),
  tell("run", "INSERT ON run", newsLine.begun("NEW")),
  tell("ended_run", "UPDATE OF status ON run", newsLine.ended("NEW"), IS_OVER),
  tell("run_that_is_over", "INSERT ON run", newsLine.ended("NEW"), IS_OVER),
  tell("event", "INSERT ON tag_event", newsLine.event("NEW")),
  tell("signature", "INSERT ON run_signature", newsLine.signature("NEW")),
  // What is given up when a run succeeds stands in its manifest.
  tell("gone_artifact", "INSERT ON gone_artifact", newsLine.gone("NEW"), "NEW.reason = 'ttl'"),
  tell("deleted_run", "INSERT ON deleted_run", newsLine.deleted("NEW")),
  tell("request", "INSERT ON tag_request", newsLine.request("NEW")),
  tell("changed_request", "UPDATE ON tag_request", newsLine.request("NEW")),
  tell("request_taken_back", "DELETE ON tag_request", newsLine.noRequest("OLD")),
];

/** Tables that show a store of an older schema as one of this schema, for readers that may not change it. */
export const withoutBucket: readonly string[] = [
  `CREATE TEMP TABLE bucket (id, log_number, log_digest)`,
  `CREATE TEMP TABLE bucket_news (number, line)`,
];
