import { FlowError, type Problem, problemsError } from "../../errors/flow-error.ts";
import type { RunStatus } from "../../events/run-record.ts";
import type { RunId } from "../../ids/run-id.ts";
import { shellWord } from "../../util/shell-word.ts";
import { MAX_WORDS_BYTES } from "../check-words.ts";
import { deleteTagPolicy, putTagPolicy } from "../sql/tag-policies.ts";
import { deleteRunTag, sharedTags } from "../sql/tags.ts";
import type { TagActor, TagEvent, TagPolicyChange } from "../tag-event.ts";
import {
  MAX_POLICIES,
  MAX_POLICY_KEYS,
  matchesPattern,
  patternProblem,
  policyText,
  type TagPolicy,
} from "../tag-policy.ts";
import { readPolicies } from "./move-tags.ts";
import type { Statements } from "./statements.ts";
import { TagLogWriter } from "./tag-log-writer.ts";

/**
 * Sets the policy of a pattern, in place of the one before, inside the caller's transaction. One that is already as it is
 * asked to be is no event.
 */
export function setTagPolicy(statements: Statements, change: TagPolicyChange): readonly TagEvent[] {
  const { policy, keepNewest = false, ...by } = change;
  checkPolicy(policy);
  const known = readPolicies(statements);
  const before = known.find(({ pattern }) => pattern === policy.pattern);
  const losers = policy.exclusive === true ? losersOf(statements, policy.pattern) : [];
  if (losers.length > 0 && !keepNewest) throw severalHolders(policy.pattern, losers);
  const isSame = before !== undefined && policyText(before) === policyText(policy);
  if (isSame && losers.length === 0) return [];
  if (before === undefined && known.length >= MAX_POLICIES)
    throw badPolicy(policy.pattern, `the store has ${known.length} policies, which is the limit`, "Remove one first");
  const log = new TagLogWriter(statements, by, false);
  if (!isSame) {
    const stored = JSON.parse(policyText(policy)) as TagPolicy;
    const { sequence } = log.append({ verb: "set-policy", tag: policy.pattern, policy: stored });
    statements.run(putTagPolicy, { pattern: policy.pattern, policy: policyText(policy), event: sequence });
  }
  for (const { tag, sequence, id } of losers) {
    statements.run(deleteRunTag, { run: sequence, tag });
    log.append({ verb: "remove", tag, run: id as RunId });
  }
  return log.events;
}

/** @throws FlowError FLOW_TAG_NO_POLICY */
export function removeTagPolicy(statements: Statements, pattern: string, by: TagActor): readonly TagEvent[] {
  if (statements.run(deleteTagPolicy, { pattern }) === 0) {
    const patterns = readPolicies(statements).map((policy) => policy.pattern);
    throw new FlowError("FLOW_TAG_NO_POLICY", {
      message: `Cannot remove the policy "${pattern}": there is none of this pattern`,
      hint: patterns.length === 0 ? "There are none" : `There are ${patterns.slice(0, 20).join(", ")}`,
      context: { pattern },
    });
  }
  const log = new TagLogWriter(statements, by, false);
  log.append({ verb: "remove-policy", tag: pattern });
  return log.events;
}

interface Loser {
  readonly tag: string;
  readonly sequence: number;
  readonly id: string;
  readonly name: string;
  readonly keeper: string;
}

/** Of each flow and tag that several runs hold: all but the newest successful run, or else but the newest. */
function losersOf(statements: Statements, pattern: string): readonly Loser[] {
  const rows = statements.all(sharedTags, {}).filter(({ tag }) => matchesPattern(pattern, tag));
  const nameOf = (row: (typeof rows)[number]): string => `${row.flow_name}/${row.number}`;
  return [...Map.groupBy(rows, ({ flow, tag }) => `${flow} ${tag}`).values()].flatMap((holders) => {
    const isDone = ({ status }: { readonly status: string }): boolean => (status as RunStatus) === "succeeded";
    const keeper = holders.findLast(isDone) ?? holders.at(-1)!;
    return holders
      .filter((holder) => holder !== keeper)
      .map((row) => ({ tag: row.tag, sequence: row.sequence, id: row.id, name: nameOf(row), keeper: nameOf(keeper) }));
  });
}

function severalHolders(pattern: string, losers: readonly Loser[]): Error {
  const problems = [...Map.groupBy(losers, ({ tag, keeper }) => `${keeper} ${tag}`).values()].map((group): Problem => {
    const { tag, keeper } = group[0]!;
    const others = group.map(({ name }) => name);
    return {
      code: "FLOW_TAG_SEVERAL_HOLDERS",
      message: `"${tag}" is held by ${[...others, keeper].join(", ")}, and one run of a flow alone may hold it`,
      hint: `Take it from ${others.join(", ")} with ${others.map((name) => `flow tag remove ${name} ${shellWord(tag)}`).join("; ")}, or let ${keeper} keep it with --keep newest`,
    };
  });
  return problemsError(`Cannot make "${pattern}" exclusive`, problems);
}

function checkPolicy(policy: TagPolicy): void {
  const { pattern, maxAgeMs, allow, signedBy } = policy;
  const why = patternProblem(pattern);
  if (why !== undefined) throw badPolicy(pattern, why, "Write a tag, with * for any characters");
  if (allow?.some((actor) => actor.trim() === "") === true) throw badPolicy(pattern, "a name in it is empty");
  const bytes = Buffer.byteLength(allow?.join("") ?? "");
  if (bytes > MAX_WORDS_BYTES)
    throw badPolicy(pattern, `its names have ${bytes} bytes, the limit is ${MAX_WORDS_BYTES}`);
  if ((signedBy?.length ?? 0) > MAX_POLICY_KEYS)
    throw badPolicy(pattern, `it has ${signedBy!.length} keys, the limit is ${MAX_POLICY_KEYS}`);
  if (maxAgeMs !== undefined && !(Number.isSafeInteger(maxAgeMs) && maxAgeMs > 0))
    throw badPolicy(pattern, `${maxAgeMs} is no age`, "Write a duration such as 7d or 12h");
  if (Object.keys(JSON.parse(policyText(policy))).length === 1)
    throw badPolicy(pattern, "it asks for nothing", "Say what it asks for, such as --exclusive");
}

export function badPolicy(pattern: string, why: string, hint?: string): FlowError {
  return new FlowError("FLOW_TAG_BAD_POLICY", {
    message: `Cannot set the policy ${JSON.stringify(pattern.slice(0, 200))}: ${why}`,
    ...(hint === undefined ? {} : { hint }),
    context: { pattern: pattern.slice(0, 500) },
  });
}
