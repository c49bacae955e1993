import type { Problem } from "../../errors/flow-error.ts";
import type { TagRequestTable } from "../sql/schema.ts";
import * as policies from "../sql/tag-policies.ts";
import { tagsOfRun } from "../sql/tags.ts";
import { policyFor, type TagCheck } from "../tag-policy.ts";
import { countProblems, gainOf, readPolicies, refusals, type TagChange, type TaggedRun, write } from "./move-tags.ts";
import type { Statements } from "./statements.ts";

/**
 * Gives a run that has just succeeded the tags that it was asked to take, inside the transaction that makes it so. What a
 * policy refuses by now is kept with the reason: it is no cause for a run to fail.
 *
 * @param checks what `flow validate` has found of the run, by tag that asks for it
 */
export function grantRequests(
  statements: Statements,
  run: TaggedRun,
  at: Date,
  checks: Readonly<Record<string, readonly TagCheck[]>>,
): void {
  const known = readPolicies(statements);
  for (const request of statements.all(policies.tagRequestsOfRun, { run: run.sequence })) {
    if (request.status !== "waiting") continue;
    const { tag } = request;
    const policy = policyFor(known, tag);
    const change = changeOf(request, at, checks[tag]);
    const held = new Set(statements.all(tagsOfRun, { run: run.sequence }).map((row) => row.tag));
    const against = [...refusals(policy, tag, run, change), ...countProblems(run, held, [tag], [])];
    settle(statements, run, tag, against);
    if (against.length === 0)
      write(statements, run, change, [gainOf(statements, run, tag, policy?.exclusive === true)], []);
  }
}

/** A request as the move that it becomes: of whoever asked, and at the end of the run. */
function changeOf(request: TagRequestTable, at: Date, checks: readonly TagCheck[] | undefined): TagChange {
  const { tag, actor, host, via, reason } = request;
  return {
    add: [tag],
    remove: [],
    actor,
    host,
    at,
    via,
    action: "request",
    ...(reason === null ? {} : { reason }),
    ...(checks === undefined ? {} : { checks }),
  };
}

function settle(statements: Statements, run: TaggedRun, tag: string, against: readonly Problem[]): void {
  const why = against.map(({ message }) => message).join("; ");
  statements.run(policies.settleTagRequest, {
    run: run.sequence,
    tag,
    status: against.length === 0 ? "moved" : "refused",
    why: against.length === 0 ? null : why,
  });
}
