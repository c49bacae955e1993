import type { Digest } from "../../../artifact/artifact.ts";
import type { BlobUse, BlobUses } from "../../record-audit.ts";
import { digestOfBytes } from "../../sql/rows.ts";
import type { Connection } from "../connection.ts";
import { BROKEN_PAGES } from "../record-faults.ts";
import { TASK_NAME } from "./row-names.ts";

/** Records of one value that are named; the others are counted. */
const MAX_NAMED = 20;

const WANTED = "x.digest IN (SELECT unhex(value) FROM json_each(?))";
const RUN =
  "run.flow_name || '/' || run.number AS run, run.id AS run_id, run.id IS NOT NULL AND run.package_digest IS NULL AS is_put";

/** The tables that name values. None has an index by digest, which only a damaged store would use: each is read once for all. */
const SOURCES: readonly (readonly [kind: BlobUse["kind"], sql: string])[] = [
  [
    "artifact",
    `SELECT x.digest, x.name, x.size_bytes, ${RUN}, coalesce(${TASK_NAME}, 'task number ' || x.task) AS task, task.step, task.sequence AS number
     FROM artifact AS x LEFT JOIN task ON task.sequence = x.task LEFT JOIN run ON run.sequence = task.run WHERE ${WANTED}`,
  ],
  [
    "items",
    `SELECT x.digest, 'items ' || x.first || ' to ' || (x.first + x.count - 1) AS name, x.size_bytes, ${RUN},
       coalesce(${TASK_NAME}, 'task number ' || x.split) AS task, task.step, task.sequence AS number
     FROM item_page AS x LEFT JOIN task ON task.sequence = x.split LEFT JOIN run ON run.sequence = task.run WHERE ${WANTED}`,
  ],
  [
    "value",
    `SELECT x.digest, x.name, x.size_bytes, ${RUN}, NULL AS task, NULL AS step, NULL AS number
     FROM run_value AS x LEFT JOIN run ON run.sequence = x.run WHERE ${WANTED}`,
  ],
  [
    "package",
    `SELECT x.digest, NULL AS name, NULL AS size_bytes, ${RUN}, NULL AS task, NULL AS step, NULL AS number
     FROM code_package_blob AS x
     LEFT JOIN run ON run.sequence = (SELECT min(sequence) FROM run WHERE package_digest = x.package) WHERE ${WANTED}`,
  ],
];

interface Row {
  readonly digest: Uint8Array;
  readonly name: string | null;
  readonly size_bytes: number | null;
  readonly run: string | null;
  readonly run_id: string | null;
  readonly is_put: 0 | 1;
  readonly task: string | null;
  readonly step: string | null;
  readonly number: number | null;
}

/** The records that name some values, by digest. */
export function readUses(db: Connection, digests: readonly Digest[]): ReadonlyMap<Digest, BlobUses> {
  const uses = new Map<Digest, { first: BlobUse[]; count: number }>();
  const wanted = JSON.stringify(digests);
  for (const [kind, sql] of SOURCES) {
    for (const row of db.prepare(sql).iterate(wanted) as Iterable<Row>) {
      const digest = digestOfBytes(row.digest);
      const use = uses.get(digest) ?? { first: [], count: 0 };
      uses.set(digest, use);
      use.count++;
      if (use.first.length < MAX_NAMED) use.first.push(toUse(kind, row));
    }
  }
  return uses;
}

/** Records of one run that only say what is lost; so many are enough to say what to do. */
const MAX_LOST = 1_000;

/** Tasks that split into items which their pages do not hold. */
export function readLostItems(db: Connection): readonly BlobUse[] {
  const { from, where, having } = BROKEN_PAGES;
  const sql = `SELECT NULL AS digest, NULL AS name, NULL AS size_bytes, ${RUN}, ${TASK_NAME} AS task, task.step, task.sequence AS number
    FROM (SELECT x.sequence ${from} WHERE ${where} ${having} LIMIT ${MAX_LOST}) AS broken
    JOIN task ON task.sequence = broken.sequence LEFT JOIN run ON run.sequence = task.run ORDER BY number`;
  return (db.prepare(sql).all() as (Row & { readonly task: string })[]).map((row) => ({
    ...toUse("items", row),
    what: `the items of ${row.task}`,
  }));
}

function toUse(
  kind: BlobUse["kind"],
  { name, size_bytes, run, run_id, is_put, task, step, number }: Omit<Row, "digest">,
): BlobUse {
  return {
    kind,
    ...(is_put === 1 ? { isPut: true } : {}),
    ...(run === null ? {} : { run }),
    ...(run_id === null ? {} : { runId: run_id }),
    ...(task === null ? {} : { task }),
    ...(step === null ? {} : { step }),
    ...(number === null ? {} : { number }),
    ...(name === null ? {} : { artifact: name }),
    ...(size_bytes === null ? {} : { sizeBytes: size_bytes }),
    what: inWords(kind, name, task ?? run),
  };
}

function inWords(kind: BlobUse["kind"], name: string | null, owner: string | null): string {
  const of = owner === null ? "" : ` of ${owner}`;
  switch (kind) {
    case "items":
      return `the ${name}${of}`;
    case "package":
      return `a file of the code package${owner === null ? " of no run" : of}`;
    default:
      return `"${name}"${of}`;
  }
}
