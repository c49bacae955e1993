/**
 * Moves tags of a run and writes the events, inside the caller's transaction: what a policy asks for is looked at where
 * nobody else can move the tag or change the policy any more. What changes nothing is no event.
 *
 * A tag under a policy that is given to a run which is not over becomes a request: it moves when the run succeeds, in the
 * transaction that makes it succeeded (`grantRequests`). All other tags are held at once.
 */
import { FlowError, type Problem, problemsError } from "../../errors/flow-error.ts";
import type { RunStatus } from "../../events/run-record.ts";
import { tagProblem } from "../../ids/names.ts";
import type { RunId } from "../../ids/run-id.ts";
import { shellWord } from "../../util/shell-word.ts";
import type { TagEvent, TagMove } from "../metadata-store.ts";
import { isOver } from "../run-state.ts";
import { toTagPolicy } from "../sql/rows.ts";
import * as policies from "../sql/tag-policies.ts";
import * as tags from "../sql/tags.ts";
import {
  claimProblems,
  type EffectivePolicy,
  holderProblems,
  type MovedRun,
  policyFor,
  type TagPolicy,
} from "../tag-policy.ts";
import { noRun } from "./run-errors.ts";
import type { Statements } from "./statements.ts";
import { TagLogWriter } from "./tag-log-writer.ts";

/** Most tags that one run may hold. The same limit as Metaflow's, so that a page of runs stays small. */
const MAX_HELD = 50;

/** The run whose tags move, as it stands. */
export interface TaggedRun extends MovedRun {
  readonly sequence: number;
  readonly id: RunId;
  readonly flow: number;
}

/**
 * `lift`: the policies are not asked. For what Millrace itself does and must not be stopped: taking the tags of a run
 * that is deleted.
 */
export type TagChange = Omit<TagMove, "run"> & { readonly lift?: boolean };

/** @throws FlowError FLOW_METADATA_NO_RUN */
export function taggedRun(statements: Statements, sequence: number): TaggedRun {
  const row = statements.get(tags.taggedRun, { sequence });
  if (row === undefined) throw noRun(sequence);
  return {
    sequence,
    id: row.id as RunId,
    flow: row.flow,
    name: `${row.flow_name}/${row.number}`,
    status: row.status as RunStatus,
    createdAt: new Date(row.created_at),
  };
}

export function readPolicies(statements: Statements): readonly TagPolicy[] {
  return statements.all(policies.tagPolicies, {}).map(toTagPolicy);
}

/** @throws FlowError FLOW_METADATA_BAD_ARGUMENT, FLOW_TAG_… with everything that is against the move */
export function moveTags(statements: Statements, run: TaggedRun, change: TagChange): readonly TagEvent[] {
  checkTags(change);
  const known = change.lift === true ? [] : readPolicies(statements);
  const held = new Set(statements.all(tags.tagsOfRun, { run: run.sequence }).map(({ tag }) => tag));
  const requests: string[] = [];
  const gains: Gain[] = [];
  const problems: Problem[] = [];
  for (const tag of new Set(change.add)) {
    const policy = policyFor(known, tag);
    if (policy !== undefined && !isOver(run.status)) {
      problems.push(...claimProblems(policy, tag, change), ...expectProblems(statements, run, tag, change));
      if (!held.has(tag)) requests.push(tag);
      continue;
    }
    problems.push(...expectProblems(statements, run, tag, change));
    const takesAll = change.take === true || policy?.exclusive === true;
    const gain = gainOf(statements, run, tag, takesAll);
    if (held.has(tag) && gain.from.length === 0) continue;
    problems.push(...refusals(policy, tag, run, change));
    gains.push(gain);
  }
  const losses = [...new Set(change.remove)].filter((tag) => held.has(tag));
  for (const tag of losses) {
    const policy = policyFor(known, tag);
    if (policy !== undefined) problems.push(...claimProblems(policy, tag, change));
  }
  // Taking a request back is a move as well: what the policy asks of whoever moves the tag holds for it.
  const waiting = new Set(
    statements
      .all(policies.tagRequestsOfRun, { run: run.sequence })
      .filter(({ status }) => status === "waiting")
      .map(({ tag }) => tag),
  );
  for (const tag of new Set(change.remove)) {
    const policy = !held.has(tag) && waiting.has(tag) ? policyFor(known, tag) : undefined;
    if (policy !== undefined) problems.push(...claimProblems(policy, tag, change));
  }
  problems.push(...countProblems(run, held, [...gains.map(({ tag }) => tag), ...requests], losses));
  if (problems.length > 0) throw problemsError(`Cannot move tags of ${run.name}`, problems);
  // What was asked for before is settled by a move that says what is to be.
  for (const tag of [...change.remove, ...gains.map((gain) => gain.tag)])
    statements.run(policies.deleteTagRequest, { run: run.sequence, tag });
  for (const tag of requests) keepRequest(statements, run, tag, change);
  return write(statements, run, change, gains, losses);
}

/** A tag that a run gets, and the runs that lose it. */
export interface Gain {
  readonly tag: string;
  readonly from: readonly { readonly sequence: number; readonly id: string }[];
}

export function gainOf(statements: Statements, run: TaggedRun, tag: string, takesAll: boolean): Gain {
  const others = takesAll
    ? holdersOf(statements, run.flow, tag).filter(({ sequence }) => sequence !== run.sequence)
    : [];
  return { tag, from: others };
}

export function holdersOf(statements: Statements, flow: number, tag: string) {
  return statements.all(tags.holdersOfTag, { tag, flow });
}

/** Writes the moves and their events, which the caller has found to be allowed. */
export function write(
  statements: Statements,
  run: TaggedRun,
  change: TagChange,
  gains: readonly Gain[],
  losses: readonly string[],
): readonly TagEvent[] {
  if (gains.length === 0 && losses.length === 0) return [];
  const isPlain =
    change.action === undefined && change.checks === undefined && gains.every(({ from }) => from.length === 0);
  const log = new TagLogWriter(statements, change, isPlain);
  for (const tag of losses) {
    statements.run(tags.deleteRunTag, { run: run.sequence, tag });
    log.append({ verb: "remove", tag, run: run.id });
  }
  for (const { tag, from } of gains) {
    const row = { run: run.sequence, tag, flow: run.flow, status: run.status };
    // Where the run held the tag already, others lose it and nobody gets it.
    const isNew = statements.run(tags.insertRunTag, row) > 0;
    for (const loser of from) {
      statements.run(tags.deleteRunTag, { run: loser.sequence, tag });
      log.append({ verb: "remove", tag, run: loser.id as RunId, isTaken: isNew });
    }
    if (!isNew) continue;
    const newest = from.at(-1);
    log.append({
      verb: "add",
      tag,
      run: run.id,
      ...(newest === undefined ? {} : { from: newest.id as RunId }),
      ...(change.checks === undefined ? {} : { checks: change.checks }),
    });
  }
  return log.events;
}

function keepRequest(statements: Statements, run: TaggedRun, tag: string, change: TagChange): void {
  statements.run(policies.putTagRequest, {
    run: run.sequence,
    tag,
    at: change.at.getTime(),
    actor: change.actor,
    host: change.host,
    via: change.via,
    reason: change.reason ?? null,
    status: "waiting",
    why: null,
  });
}

function expectProblems(
  statements: Statements,
  run: TaggedRun,
  tag: string,
  { expect }: TagChange,
): readonly Problem[] {
  if (expect === undefined) return [];
  const holders = holdersOf(statements, run.flow, tag);
  const expected = expect === "none" ? [] : [expect].flat();
  if (holders.length === expected.length && holders.every(({ id }) => expected.includes(id as RunId))) return [];
  const names = holders.map(({ flow_name, number }) => `${flow_name}/${number}`);
  return [
    {
      code: "FLOW_TAG_NOT_EXPECTED",
      message: `"${tag}" is not where it was expected: ${names.length === 0 ? "no run holds it" : `${names.join(", ")} ${names.length === 1 ? "holds" : "hold"} it`}`,
      hint:
        names.length > 1
          ? `Name all of them to take it from all: ${names.map((name) => `--expect ${name}`).join(" ")}`
          : `See who moved it with flow tag log ${shellWord(tag)}, and decide anew`,
    },
  ];
}

/** More than the limit may stay and shrink, and not grow. */
export function countProblems(
  run: TaggedRun,
  held: ReadonlySet<string>,
  gains: readonly string[],
  losses: readonly string[],
): readonly Problem[] {
  const after = new Set([...held, ...gains]);
  for (const tag of losses) after.delete(tag);
  if (after.size <= MAX_HELD || after.size <= held.size) return [];
  return [
    {
      code: "FLOW_TAG_TOO_MANY",
      message: `${run.name} would hold ${after.size} tags, and a run holds at most ${MAX_HELD}`,
      hint: "Take some away with flow tag remove first",
    },
  ];
}

/** Whether a policy lets a run have a tag, as problems; none when it does. */
export function refusals(
  policy: EffectivePolicy | undefined,
  tag: string,
  run: TaggedRun,
  change: TagChange,
): readonly Problem[] {
  if (policy === undefined) return [];
  return [...claimProblems(policy, tag, change), ...holderProblems(policy, tag, run, change)];
}

function checkTags(change: TagChange): void {
  for (const tag of [...change.add, ...change.remove]) {
    const problem = tagProblem(tag);
    if (problem === undefined) continue;
    throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", {
      message: `Cannot use ${JSON.stringify(tag.slice(0, 200))} as a tag: ${problem}`,
    });
  }
  const both = change.add.find((tag) => change.remove.includes(tag));
  if (both === undefined) return;
  throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", { message: `Cannot add and remove the tag "${both}" in one move` });
}
