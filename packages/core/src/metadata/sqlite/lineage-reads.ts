import type { RunId } from "../../ids/run-id.ts";
import type { LineageLinkRow, LineageQuery, LineageReadRow, LineageRows, LineageRuns } from "../lineage-rows.ts";
import type { Liveness } from "../liveness.ts";
import type { TaskSequence } from "../metadata-store.ts";
import { deletedRunById } from "../sql/deletions.ts";
import * as map from "../sql/rows.ts";
import * as runs from "../sql/runs.ts";
import type { RunValueTable } from "../sql/schema.ts";
import { readColumn } from "../stored-columns.ts";
import type { Connection } from "./connection.ts";
import { withTags } from "./run-reads.ts";
import type { Statements } from "./statements.ts";

const WANTED = "json_each(:runs) AS wanted";
const WANTED_RUNS = `${WANTED} CROSS JOIN run ON run.id = wanted.value`;
const READ_COLUMNS = `seen.upstream, seen.artifact, seen.codec, seen.digest, count(*) AS tasks, min(task.step || '/' || task.path) AS task,
  json_group_array(DISTINCT task.step) AS steps`;
const READ_GROUPS = "seen.upstream, seen.artifact, seen.codec, seen.digest";

/** @internal shown to the tests of query plans */
export const lineageSql = {
  up: {
    upstream: `SELECT u.producer AS "from", run.id AS "to", u.name, u.selector
      FROM ${WANTED_RUNS} CROSS JOIN upstream AS u ON u.run = run.sequence WHERE u.producer IS NOT NULL`,
    call: `SELECT child.id AS "from", run.id AS "to", call.step, call.path
      FROM ${WANTED_RUNS} CROSS JOIN child_run AS call ON call.run = run.sequence
        CROSS JOIN run AS child ON child.sequence = call.child`,
    start: `SELECT json_extract(run.parent, '$.run') AS "from", run.id AS "to",
        json_extract(run.parent, '$.step') AS step, json_extract(run.parent, '$.path') AS path
      FROM ${WANTED_RUNS} WHERE run.parent IS NOT NULL`,
    fork: `SELECT run.origin AS "from", run.id AS "to" FROM ${WANTED_RUNS} WHERE run.origin IS NOT NULL`,
    cache: `SELECT source_run.id AS "from", run.id AS "to", count(*) AS tasks
      FROM ${WANTED_RUNS} CROSS JOIN task ON task.run = run.sequence AND task.origin_kind = 'cache'
        CROSS JOIN task AS source ON source.sequence = task.origin
        CROSS JOIN run AS source_run ON source_run.sequence = source.run
      WHERE source.run <> task.run GROUP BY source_run.id, run.id`,
    reads: `SELECT seen.producer AS "from", run.id AS "to", ${READ_COLUMNS}
      FROM ${WANTED_RUNS} CROSS JOIN upstream_read AS seen ON seen.run = run.sequence
        CROSS JOIN task ON task.sequence = seen.task
      GROUP BY run.id, seen.producer, ${READ_GROUPS}`,
  },
  down: {
    upstream: `SELECT u.producer AS "from", run.id AS "to", u.name, u.selector
      FROM ${WANTED} CROSS JOIN upstream AS u ON u.producer = wanted.value CROSS JOIN run ON run.sequence = u.run`,
    call: `SELECT child.id AS "from", run.id AS "to", call.step, call.path
      FROM ${WANTED} CROSS JOIN run AS child ON child.id = wanted.value
        CROSS JOIN child_run AS call ON call.child = child.sequence CROSS JOIN run ON run.sequence = call.run`,
    start: `SELECT run.id AS "from", child.id AS "to", call.step, call.path
      FROM ${WANTED_RUNS} CROSS JOIN child_run AS call ON call.run = run.sequence
        CROSS JOIN run AS child ON child.sequence = call.child
      WHERE json_extract(child.parent, '$.run') = run.id`,
    fork: `SELECT run.origin AS "from", run.id AS "to" FROM ${WANTED} CROSS JOIN run ON run.origin = wanted.value`,
    cache: `SELECT run.id AS "from", taker.id AS "to", count(*) AS tasks
      FROM ${WANTED_RUNS} CROSS JOIN task AS source ON source.run = run.sequence
        CROSS JOIN task ON task.origin = source.sequence AND task.origin_kind = 'cache'
        CROSS JOIN run AS taker ON taker.sequence = task.run
      WHERE source.run <> task.run GROUP BY run.id, taker.id`,
    reads: `SELECT seen.producer AS "from", run.id AS "to", ${READ_COLUMNS}
      FROM ${WANTED} CROSS JOIN upstream_read AS seen ON seen.producer = wanted.value
        CROSS JOIN run ON run.sequence = seen.run CROSS JOIN task ON task.sequence = seen.task
      GROUP BY seen.producer, run.id, ${READ_GROUPS}`,
  },
  artifactReads: `SELECT seen.producer AS "from", run.id AS "to", ${READ_COLUMNS}
    FROM ${WANTED} CROSS JOIN upstream_read AS seen ON seen.producer = wanted.value AND seen.artifact = :artifact
      CROSS JOIN run ON run.sequence = seen.run CROSS JOIN task ON task.sequence = seen.task
    GROUP BY seen.producer, run.id, ${READ_GROUPS}`,
  values: `SELECT run.id AS run, v.name, v.kind, v.codec, v.digest, v.size_bytes
    FROM ${WANTED_RUNS} CROSS JOIN run_value AS v ON v.run = run.sequence
    WHERE v.kind IN ('config', 'file') ORDER BY v.name`,
  // As in sql/artifacts.ts: a longer chain can only be a circle in a damaged store.
  artifactTask: `
    WITH RECURSIVE chain (task, depth) AS (
      SELECT sequence, 0 FROM task WHERE sequence = :task
      UNION ALL
      SELECT task.inherits, depth + 1 FROM chain CROSS JOIN task ON task.sequence = chain.task
      WHERE task.inherits IS NOT NULL AND depth < 100000
    )
    SELECT chain.task FROM chain
    WHERE EXISTS (SELECT 1 FROM artifact WHERE artifact.task = chain.task AND artifact.name = :name)
      OR EXISTS (SELECT 1 FROM gone_artifact AS gone WHERE gone.task = chain.task AND gone.name = :name)
    ORDER BY depth LIMIT 1`,
  taskReads: "SELECT reads FROM cache_entry WHERE task = ? AND reads <> '{}' LIMIT 1",
} as const;

/** Prepared once for each connection: a long chain of runs asks the same few thousand times. */
const prepared = new WeakMap<Connection, Map<string, ReturnType<Connection["prepare"]>>>();

function statement(db: Connection, text: string): ReturnType<Connection["prepare"]> {
  const known = prepared.get(db) ?? new Map<string, ReturnType<Connection["prepare"]>>();
  prepared.set(db, known);
  const made = known.get(text) ?? db.prepare(text);
  known.set(text, made);
  return made;
}

interface Ends {
  readonly from: RunId;
  readonly to: RunId;
}

/** All links and reads of some runs. To be called inside a read transaction. */
export function readLineage(db: Connection, { runs: ids, direction, artifact }: LineageQuery): LineageRows {
  const args = { runs: JSON.stringify(ids) };
  if (artifact !== undefined)
    return {
      links: [],
      reads: db
        .prepare(lineageSql.artifactReads)
        .all({ ...args, artifact })
        .map(toRead),
    };
  const sql = lineageSql[direction];
  const all = <Row>(text: string): readonly Row[] => statement(db, text).all(args) as Row[];
  const links: LineageLinkRow[] = [
    ...all<Ends & { readonly name: string; readonly selector: string }>(sql.upstream).map(
      ({ selector, ...row }) =>
        ({ ...row, kind: "upstream", selector: readColumn("upstream.selector", selector) }) as const,
    ),
    ...all<Ends & { readonly step: string; readonly path: string }>(sql.call).map(
      (row) => ({ ...row, kind: "call" }) as const,
    ),
    ...all<Ends & { readonly step: string; readonly path: string }>(sql.start).map(
      (row) => ({ ...row, kind: "start" }) as const,
    ),
    ...all<Ends>(sql.fork).map((row) => ({ ...row, kind: "fork" }) as const),
    ...all<Ends & { readonly tasks: number }>(sql.cache).map((row) => ({ ...row, kind: "cache" }) as const),
  ];
  return { links, reads: all(sql.reads).map(toRead) };
}

/** Runs by id, with what they were given. To be called inside a read transaction. */
export function readLineageRuns(
  db: Connection,
  on: Statements,
  ids: readonly RunId[],
  here: Liveness | undefined,
): LineageRuns {
  const known = new Map<RunId, LineageRuns["runs"][number]>();
  const deleted: LineageRuns["deleted"][number][] = [];
  for (const id of new Set(ids)) {
    const row = on.get(runs.runById, { id });
    if (row !== undefined) known.set(id, withTags(on, row, here));
    else {
      const gone = on.get(deletedRunById, { id });
      if (gone !== undefined) deleted.push(map.toDeletedRun(gone));
    }
  }
  const values = statement(db, lineageSql.values).all({ runs: JSON.stringify([...known.keys()]) }) as (Omit<
    RunValueTable,
    "run"
  > & { readonly run: RunId })[];
  return {
    runs: [...known.values()],
    deleted,
    values: values.map(({ run, ...row }) => ({ run, ...map.toRunValue(row) })),
  };
}

export function readArtifactTask(db: Connection, task: TaskSequence, name: string): TaskSequence | undefined {
  return db.prepare(lineageSql.artifactTask).pluck().get({ task, name }) as TaskSequence | undefined;
}

export function readTaskReads(db: Connection, task: TaskSequence): readonly string[] | undefined {
  const reads = db.prepare(lineageSql.taskReads).pluck().get(task) as string | undefined;
  return reads === undefined ? undefined : Object.keys(readColumn("cache_entry.reads", reads));
}

function toRead(row: unknown): LineageReadRow {
  const { upstream, digest, task, steps, ...rest } = row as Ends & {
    readonly upstream: string;
    readonly artifact: string;
    readonly codec: string;
    readonly digest: Uint8Array;
    readonly tasks: number;
    readonly task: string;
    readonly steps: string;
  };
  return {
    ...rest,
    ...(upstream === "" ? {} : { upstream }),
    digest: map.digestOfBytes(digest),
    steps: (JSON.parse(steps) as string[]).sort(),
    task: task.replace(/\/$/, ""),
  };
}
