/** The digests of runs, computed from the rows as they are now; all functions expect to stand inside a transaction. */
import { canonicalJson } from "../canonical-json.ts";
import { EndDigest, startDigest } from "../record-digest.ts";
import { readObject, readPlace } from "../stored-json.ts";
import type { Connection } from "./connection.ts";

const START = `SELECT id, project, flow_name, lower(hex(package_digest)) AS package, system_tags, parameters, secret_parameters,
    environment, origin, origin_facts, parent FROM run WHERE sequence = ?`;
const VALUES = "SELECT name, kind, codec, lower(hex(digest)) FROM run_value WHERE run = ? ORDER BY name";
const UPSTREAMS = `SELECT name, flow_project, flow_name, selector, producer, candidate_count, candidates
  FROM upstream WHERE run = ? ORDER BY name`;
const END = `SELECT lower(hex(x.start_digest)) AS start, x.status, y.step, y.path, y.attempt
  FROM run AS x LEFT JOIN task AS y ON y.sequence = x.end_task WHERE x.sequence = ?`;
/** Lines as `JSON.stringify` writes them, joined by the database: a row to JavaScript costs as much as its task's own digest. */
const TASKS = `SELECT max(sequence) AS last,
    group_concat(json_array(step, path, attempt, status, lower(hex(record_digest))), char(10) ORDER BY sequence) AS lines
  FROM (SELECT sequence, step, path, attempt, status, record_digest FROM task WHERE run = ? AND sequence > ? ORDER BY sequence LIMIT 10000)`;
const READS = `SELECT y.step, y.path, y.attempt, x.upstream, x.producer, x.artifact, x.codec, lower(hex(x.digest))
  FROM upstream_read AS x LEFT JOIN task AS y ON y.sequence = x.task WHERE x.run = ?
  ORDER BY x.task, x.upstream, x.producer, x.artifact`;

/**
 * What a run was given: its code, parameters, values and upstreams, where it comes from, and in which environment.
 *
 * @returns lower-case hex
 * @throws FlowError FLOW_METADATA_CORRUPT for a column that is no JSON
 */
export function startDigestOf(db: Connection, run: number): string {
  const row = db.prepare(START).get(run) as Readonly<Record<string, string | null>>;
  const canonical = (column: string) => canonicalJson(readJson(row[column] ?? "null", `run.${column}`));
  const { imported: _, ...facts } = readObject<{ readonly imported?: unknown }>(
    row.origin_facts ?? "{}",
    "run.origin_facts",
  );
  const upstreams = (db.prepare(UPSTREAMS).raw().all(run) as unknown[][]).map((upstream) =>
    upstream.map((value, index) =>
      index === 3 || index === 6 ? canonicalJson(readJson(String(value), "upstream.selector")) : value,
    ),
  );
  return startDigest([
    row.id,
    row.project,
    row.flow_name,
    row.package === "" ? null : row.package,
    ...["system_tags", "parameters", "secret_parameters", "environment"].map(canonical),
    row.origin,
    canonicalJson(facts),
    canonical("parent"),
    db.prepare(VALUES).raw().all(run),
    upstreams,
  ]);
}

/**
 * How a run ended: with which task, after which tasks, and what they had read.
 *
 * @returns lower-case hex
 */
export function endDigestOf(db: Connection, run: number): string {
  const row = db.prepare(END).get(run) as Readonly<Record<string, string | number | null>>;
  const sum = new EndDigest([row.start === "" ? null : row.start, row.status, row.step, row.path, row.attempt]);
  const tasks = db.prepare(TASKS);
  for (let after = Number.MIN_SAFE_INTEGER; ; ) {
    const { last, lines } = tasks.get(run, after) as { readonly last: number | null; readonly lines: string | null };
    if (last === null || lines === null) break;
    sum.addLines(lines);
    after = readPlace(last, "task.sequence");
  }
  for (const read of db.prepare(READS).raw().iterate(run) as Iterable<unknown[]>) sum.add(read);
  return sum.end();
}

/** Records what a run was given, once it is written as a whole. */
export function writeStartDigest(db: Connection, run: number): void {
  const digest = Buffer.from(startDigestOf(db, run), "hex");
  db.prepare("UPDATE run SET start_digest = ? WHERE sequence = ?").run(digest, run);
}

/** Records how an execution ended its run. */
export function writeEndDigest(db: Connection, run: number, execution: number): void {
  const digest = Buffer.from(endDigestOf(db, run), "hex");
  db.prepare("UPDATE execution SET end_digest = ? WHERE run = ? AND number = ?").run(digest, run, execution);
}

function readJson(text: string, column: string): unknown {
  return readObject<{ readonly value: unknown }>(`{"value":${text}}`, column).value;
}
