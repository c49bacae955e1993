/** The log of tags as a chain, and the tags that runs hold against what the log gave them. */
import type { RecordFault } from "../../record-audit.ts";
import { toTagEvent } from "../../sql/rows.ts";
import type { TagEventTable } from "../../sql/schema.ts";
import { type TagLogReport, verifyTagLog } from "../../tag-chain.ts";
import type { Connection } from "../connection.ts";
import type { RecordCheck } from "./reference-checks.ts";

/** Follows the chain of the whole log, event by event. */
export function tagLogReport(db: Connection): TagLogReport {
  const rows = db.prepare("SELECT * FROM tag_event ORDER BY sequence").iterate() as Iterable<TagEventTable>;
  return verifyTagLog(events(rows));
}

function* events(rows: Iterable<TagEventTable>) {
  for (const row of rows) yield toTagEvent(row);
}

export function tagLogFaults(db: Connection): readonly RecordFault[] {
  const report = tagLogReport(db);
  if (report.kind === "whole") return [];
  return [
    {
      check: "S08",
      kind: "damage",
      evidence: `event ${report.sequence} of the log of tags: ${report.reason}`,
      subject: { table: "tag_event" },
      remedy: "copy",
    },
  ];
}

/** What the log says that runs hold now: the last move of a tag on a run put it there. */
const HELD = `SELECT run.sequence AS run, event.tag, run.flow, run.status FROM tag_event AS event JOIN run ON run.id = event.run
  WHERE event.verb = 'add' AND NOT EXISTS (
    SELECT 1 FROM tag_event AS later WHERE later.run = event.run AND later.tag = event.tag AND later.sequence > event.sequence)`;

const LOST = `FROM (${HELD}) AS x WHERE NOT EXISTS (SELECT 1 FROM run_tag AS y WHERE y.run = x.run AND y.tag = x.tag)`;

const COLUMNS = "x.run AS run, NULL AS task, NULL AS artifact, NULL AS digest, x.tag AS found, NULL AS wanted";

export const heldTagChecks: readonly RecordCheck[] = [
  {
    check: "S08",
    table: "run_tag",
    sql: `SELECT ${COLUMNS} ${LOST}`,
    remedy: "repair",
    say: ({ found }) => `{run} does not hold "${found}", which the log of tags gave it and never took`,
  },
  {
    check: "S08",
    table: "run_tag",
    sql: `SELECT ${COLUMNS} FROM run_tag AS x JOIN run AS y ON y.sequence = x.run
      WHERE NOT EXISTS (SELECT 1 FROM (${HELD}) AS z WHERE z.run = x.run AND z.tag = x.tag)`,
    remedy: "copy",
    say: ({ found }) => `{run} holds "${found}", which the log of tags never gave it`,
  },
];

/** What the log says of each pattern last. */
const POLICIES = `SELECT tag, verb, policy FROM tag_event AS event WHERE verb IN ('set-policy', 'remove-policy') AND NOT EXISTS (
    SELECT 1 FROM tag_event AS later
    WHERE later.tag = event.tag AND later.sequence > event.sequence AND later.verb IN ('set-policy', 'remove-policy'))`;

/** Policies that are not those which the log adds up to: somebody has changed the rules past the log. */
export function policyFaults(db: Connection): readonly RecordFault[] {
  const rows = db
    .prepare(
      `SELECT tag AS pattern FROM (${POLICIES}) AS x WHERE verb = 'set-policy' AND NOT EXISTS (
        SELECT 1 FROM tag_policy AS y WHERE y.pattern = x.tag AND y.policy = x.policy)
      UNION SELECT pattern FROM tag_policy AS y WHERE NOT EXISTS (
        SELECT 1 FROM (${POLICIES}) AS x WHERE x.tag = y.pattern AND x.verb = 'set-policy' AND x.policy = y.policy)`,
    )
    .all() as readonly { readonly pattern: string }[];
  return rows.map(({ pattern }) => ({
    check: "S08",
    kind: "damage",
    evidence: `the policy "${pattern}" is not as the log of tags says`,
    subject: { table: "tag_policy" },
    remedy: "copy",
  }));
}

/** Gives runs the tags that the log says they hold; takes none away, since the newest events of a log may have been cut off. */
export const restoreHeldTags = `INSERT INTO run_tag (run, tag, flow, status) SELECT x.run, x.tag, x.flow, x.status ${LOST}`;
