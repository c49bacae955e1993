/**
 * Giving up the values of artifacts on purpose, inside the caller's transaction: the row moves to where it names no blob
 * any more, so that the blob is garbage when nothing else names it, and what the value was stays known. Its task is no
 * longer offered to others: they could not have all that it left.
 *
 * Written as text because one condition stands in three statements.
 */
import type { GoneReason } from "../../artifact/artifact.ts";
import type { Connection } from "./connection.ts";

/**
 * Whether the task itself said that an artifact may be given up, as its record has it: a row of `artifact_term` alone, which
 * may be wrong, takes nothing away, and neither does a record that is no JSON. Tasks of programs without digests said nothing, and are believed.
 */
export function isAgreed(term: string, reason: GoneReason): string {
  return `EXISTS (SELECT 1 FROM task WHERE task.sequence = ${term}.task AND (task.record_digest IS NULL OR EXISTS (
    SELECT 1 FROM json_each(CASE WHEN json_valid(task.terms) THEN task.terms END, '$."' || ${term}.name || '"') AS agreed WHERE agreed.value = '${reason}')))`;
}

/** Artifacts by their row in `artifact_term`: `condition` is one on it. */
function statements(condition: string, reason: GoneReason) {
  const due = `${condition} AND ${isAgreed("artifact_term", reason)}`;
  return {
    offers: `DELETE FROM cache_entry WHERE task IN (SELECT task FROM artifact_term WHERE ${due})`,
    move: `
      INSERT OR REPLACE INTO gone_artifact (task, name, codec, digest, size_bytes, reason, gone_at)
      SELECT artifact.task, artifact.name, artifact.codec, artifact.digest, artifact.size_bytes, :reason, :at
      FROM (SELECT task, name FROM artifact_term WHERE ${due}) AS term
        CROSS JOIN artifact ON artifact.task = term.task AND artifact.name = term.name`,
    forget: `DELETE FROM artifact WHERE (task, name) IN (SELECT task, name FROM artifact_term WHERE ${due})`,
    terms: `DELETE FROM artifact_term WHERE ${due}`,
  };
}

const transient = statements("run = :run AND transient = 1", "transient");
const one = statements("run = :run AND task = :task AND name = :name", "ttl");

/** Transient artifacts of a run that has succeeded. */
export function giveUpTransient(db: Connection, run: number, at: Date): void {
  const any = db.prepare("SELECT 1 FROM artifact_term WHERE run = ? AND transient = 1 LIMIT 1").get(run);
  if (any === undefined) return;
  execute(db, transient, { run }, "transient", at.getTime());
}

/** One artifact whose time is over. */
export function giveUpArtifact(
  db: Connection,
  artifact: { readonly run: number; readonly task: number; readonly name: string },
  at: number,
): void {
  execute(db, one, artifact, "ttl", at);
}

function execute(
  db: Connection,
  text: ReturnType<typeof statements>,
  which: Readonly<Record<string, number | string>>,
  reason: GoneReason,
  at: number,
): void {
  db.prepare(text.offers).run(which);
  db.prepare(text.move).run({ ...which, reason, at });
  db.prepare(text.forget).run(which);
  db.prepare(text.terms).run(which);
}
