/** What runs are found by when a parameter's value is asked for, computed again from the parameters of each run. */

import { readPlace } from "../../stored-json.ts";
import type { Connection } from "../connection.ts";
import { parameterDigest } from "../parameter-digest.ts";
import { DIGEST_SCHEMA, isAsGiven } from "../record-faults.ts";

const PAGE = 1_000;

/**
 * Runs, a page at a time, whose rows in `run_parameter` are not what their parameters give; with what they give, and whether the
 * parameters are known to be those that the run was given: otherwise either may have been changed.
 */
export function* wrongParameters(db: Connection): Generator<{
  readonly run: number;
  readonly rows: ReadonlyMap<string, string>;
  readonly isAsGiven: boolean;
}> {
  const hasDigests = (db.prepare("SELECT schema_version FROM store").pluck().get() as number) >= DIGEST_SCHEMA;
  const page = db
    .prepare(
      `SELECT sequence, parameters, (SELECT json_group_object(name, lower(hex(value_digest))) FROM run_parameter
         WHERE run_parameter.run = run.sequence) AS kept
       FROM run WHERE sequence > ? AND json_valid(parameters) ORDER BY sequence LIMIT ${PAGE}`,
    )
    .raw();
  for (let after = Number.MIN_SAFE_INTEGER; ; ) {
    const runs = page.all(after) as (readonly [number, string, string])[];
    for (const [run, parameters, kept] of runs) {
      const rows = digestsOf(JSON.parse(parameters));
      if (!isSame(rows, JSON.parse(kept))) yield { run, rows, isAsGiven: hasDigests && isAsGiven(db, run) === true };
    }
    if (runs.length < PAGE) return;
    after = readPlace(runs.at(-1)![0], "run.sequence");
  }
}

function digestsOf(parameters: unknown): ReadonlyMap<string, string> {
  if (typeof parameters !== "object" || parameters === null) return new Map();
  return new Map(
    Object.entries(parameters).map(([name, value]) => [name, parameterDigest(name, value).toString("hex")]),
  );
}

function isSame(wanted: ReadonlyMap<string, string>, kept: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(kept);
  return names.length === wanted.size && names.every((name) => wanted.get(name) === kept[name]);
}
