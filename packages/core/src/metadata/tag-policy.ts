/**
 * Policies of tags: what a tag asks for before it moves. Kept in the store by pattern, so that they hold for everyone who
 * moves a tag there, whatever program or command it is.
 *
 * Several patterns may match one tag: the strictest of each property counts (`policyFor`). This file decides and knows no
 * store; the store asks it inside of the transaction that moves.
 */
import type { ErrorCode } from "../errors/code-table.ts";
import type { Problem } from "../errors/flow-error.ts";
import type { RunStatus } from "../events/run-record.ts";
import { MAX_TAG_LENGTH } from "../ids/names.ts";
import { formatDuration } from "../util/duration.ts";
import { canonicalJson } from "./canonical-json.ts";
import { keyIdOfText } from "./signing-key.ts";

export interface TagPolicy {
  /** `prod:*`: a star stands for any characters, also none; all else for itself. */
  readonly pattern: string;
  /** Of the runs of one flow, at most one holds the tag: a move to another run takes it from the one before. */
  readonly exclusive?: boolean;
  /** Only runs that succeeded may hold it. */
  readonly succeededOnly?: boolean;
  /** A run that holds it is not deleted; where nobody is named by `allow`, each move needs a reason. */
  readonly protected?: boolean;
  readonly reasonRequired?: boolean;
  /** Who may move it; absent: everybody. */
  readonly allow?: readonly string[];
  /** Checks of `flow validate` that must not fail for the run that is to hold it. */
  readonly requireChecks?: readonly string[];
  /** The greatest age, since its creation, of a run that is given the tag; milliseconds. */
  readonly maxAgeMs?: number;
  /** Public keys (SPKI, base64): the run that is to hold it is signed by one of them. Asks for check V17. */
  readonly signedBy?: readonly string[];
}

/** All policies that match one tag, as one. */
export interface EffectivePolicy extends Omit<TagPolicy, "pattern" | "signedBy"> {
  readonly patterns: readonly string[];
  /** Each of them asks for a signature by one of its keys. */
  readonly signatures?: readonly { readonly pattern: string; readonly keys: readonly string[] }[];
}

/** The check of `flow validate` that judges signatures. */
export const SIGNATURE_CHECK = "V17";

/** What a check of `flow validate` found when a tag moved, kept with the move. */
export interface TagCheck {
  readonly id: string;
  /** "none": there was nothing for it to look at. */
  readonly status: "pass" | "warn" | "fail" | "none";
  readonly evidence?: string;
}

/** Most policies of one store, so that a move looks at few rows. */
export const MAX_POLICIES = 200;
export const MAX_PATTERN_STARS = 10;
/** Keys of one policy: its text is read with each move. */
export const MAX_POLICY_KEYS = 50;

/** Why a text cannot be a pattern, or undefined when it can. */
export function patternProblem(pattern: string): string | undefined {
  if (pattern.length === 0) return "it is empty";
  if (pattern.length > MAX_TAG_LENGTH) return `it has ${pattern.length} characters, the limit is ${MAX_TAG_LENGTH}`;
  if (!pattern.isWellFormed() || /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(pattern))
    return "it holds control characters";
  const stars = pattern.split("*").length - 1;
  return stars > MAX_PATTERN_STARS ? `it has ${stars} stars, the limit is ${MAX_PATTERN_STARS}` : undefined;
}

/** Whether a tag is like a pattern. */
export function matchesPattern(pattern: string, tag: string): boolean {
  const [first = "", ...rest] = pattern.normalize("NFC").split("*");
  const last = rest.pop();
  if (last === undefined) return tag === first;
  if (!tag.startsWith(first) || tag.length < first.length + last.length || !tag.endsWith(last)) return false;
  let at = first.length;
  const end = tag.length - last.length;
  for (const part of rest) {
    const found = tag.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** What holds for a tag: of each property the strictest of all policies that match; undefined when none does. */
export function policyFor(policies: readonly TagPolicy[], tag: string): EffectivePolicy | undefined {
  const matching = policies.filter(({ pattern }) => matchesPattern(pattern, tag));
  if (matching.length === 0) return undefined;
  const lists = matching.flatMap(({ allow }) => (allow === undefined ? [] : [allow]));
  const allow = lists[0]?.filter((actor) => lists.every((list) => list.includes(actor)));
  const ages = matching.flatMap(({ maxAgeMs }) => (maxAgeMs === undefined ? [] : [maxAgeMs]));
  const signatures = matching.flatMap(({ pattern, signedBy }) =>
    signedBy === undefined ? [] : [{ pattern, keys: signedBy }],
  );
  const checks = matching.flatMap((policy) => policy.requireChecks ?? []);
  const requireChecks = [...new Set([...checks, ...(signatures.length === 0 ? [] : [SIGNATURE_CHECK])])].sort();
  const any = (is: (policy: TagPolicy) => boolean | undefined): boolean =>
    matching.some((policy) => is(policy) === true);
  return {
    patterns: matching.map(({ pattern }) => pattern),
    exclusive: any((policy) => policy.exclusive),
    succeededOnly: any((policy) => policy.succeededOnly),
    protected: any((policy) => policy.protected),
    reasonRequired: any((policy) => policy.reasonRequired),
    ...(allow === undefined ? {} : { allow }),
    ...(requireChecks.length === 0 ? {} : { requireChecks }),
    ...(ages.length === 0 ? {} : { maxAgeMs: Math.min(...ages) }),
    ...(signatures.length === 0 ? {} : { signatures }),
  };
}

/** A policy as the store keeps it: equal policies are equal texts, and what is not asked for is left out. */
export function policyText({ pattern, ...policy }: TagPolicy): string {
  const {
    exclusive,
    succeededOnly,
    protected: isProtected,
    reasonRequired,
    allow,
    requireChecks,
    maxAgeMs,
    signedBy,
  } = policy;
  return canonicalJson({
    pattern,
    ...(exclusive === true ? { exclusive } : {}),
    ...(succeededOnly === true ? { succeededOnly } : {}),
    ...(isProtected === true ? { protected: isProtected } : {}),
    ...(reasonRequired === true ? { reasonRequired } : {}),
    ...(allow === undefined ? {} : { allow: [...new Set(allow)].sort() }),
    ...(requireChecks === undefined || requireChecks.length === 0
      ? {}
      : { requireChecks: [...new Set(requireChecks)].sort() }),
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
    ...(signedBy === undefined || signedBy.length === 0 ? {} : { signedBy: [...new Set(signedBy)].sort() }),
  });
}

/** Who moves a tag, and why. */
export interface MoveClaim {
  readonly actor: string;
  readonly at: Date;
  readonly reason?: string;
  readonly checks?: readonly TagCheck[];
  /** Whether a run that is too old may be given the tag. */
  readonly forceAge?: boolean;
}

export interface MovedRun {
  readonly name: string;
  readonly status: RunStatus;
  readonly createdAt: Date;
}

/** What a policy has against somebody's moving a tag at all, whichever way. */
export function claimProblems(policy: EffectivePolicy, tag: string, claim: MoveClaim): readonly Problem[] {
  const of = ofPolicies(policy);
  const problems: Problem[] = [];
  const { allow } = policy;
  if (allow !== undefined && !allow.includes(claim.actor)) {
    const who = allow.length === 0 ? "nobody may, since no name is in all of them" : `${allow.join(", ")} may`;
    problems.push(
      problem(
        "FLOW_TAG_NOT_ALLOWED",
        `${claim.actor} may not move "${tag}": by ${of}, ${who}`,
        allow.length === 0
          ? "Look at the policies with flow tag policy list"
          : `Ask ${allow.join(" or ")}, or change the policy`,
      ),
    );
  }
  const needsReason = policy.reasonRequired === true || (policy.protected === true && allow === undefined);
  const reason = claim.reason?.trim() ?? "";
  if (needsReason && reason === "")
    problems.push(
      problem("FLOW_TAG_REASON_REQUIRED", `"${tag}" moves only with a reason, by ${of}`, "Say why with --reason"),
    );
  if (claim.forceAge === true && policy.maxAgeMs !== undefined && reason === "" && !needsReason)
    problems.push(
      problem(
        "FLOW_TAG_REASON_REQUIRED",
        `"${tag}" goes to a run that is too old only with a reason`,
        "Say why with --reason",
      ),
    );
  return problems;
}

/** What a policy has against a run's holding a tag. */
export function holderProblems(
  policy: EffectivePolicy,
  tag: string,
  run: MovedRun,
  claim: MoveClaim,
): readonly Problem[] {
  const of = ofPolicies(policy);
  const problems: Problem[] = [];
  if (policy.succeededOnly === true && run.status !== "succeeded")
    problems.push(
      problem(
        "FLOW_TAG_NOT_SUCCEEDED",
        `only a run that succeeded may hold "${tag}", by ${of}: ${run.name} is ${run.status}`,
        "Name a run that succeeded, or run the flow again with --tag",
      ),
    );
  const ageMs = claim.at.getTime() - run.createdAt.getTime();
  if (policy.maxAgeMs !== undefined && ageMs > policy.maxAgeMs && claim.forceAge !== true)
    problems.push(
      problem(
        "FLOW_TAG_TOO_OLD",
        `a run that is given "${tag}" may be ${formatDuration(policy.maxAgeMs)} old, by ${of}: ${run.name} was created ${formatDuration(ageMs)} before`,
        "Run the flow again, or insist with --force-age and a --reason",
      ),
    );
  // The evidence of this check names the key: a policy that was set since the check was made may ask for another one.
  const made = claim.checks?.find(({ id, status }) => id === SIGNATURE_CHECK && status !== "fail");
  for (const { pattern, keys } of made === undefined ? [] : (policy.signatures ?? []))
    if (!keys.some((key) => made?.evidence?.includes(keyIdOfText(key)) === true))
      problems.push(
        problem(
          "FLOW_TAG_CHECK_FAILED",
          `"${tag}" asks for a signature, by the policy "${pattern}", and nobody has looked for one of its keys on ${run.name}`,
          "Try again: the policy was set a moment ago",
        ),
      );
  for (const id of policy.requireChecks ?? []) {
    const check = claim.checks?.find((each) => each.id === id);
    if (check === undefined)
      problems.push(
        problem(
          "FLOW_TAG_CHECK_FAILED",
          `"${tag}" asks for check ${id}, by ${of}, and nobody has made it for ${run.name}`,
          "Try again: the policy was set a moment ago",
        ),
      );
    else if (check.status === "fail")
      problems.push(
        problem(
          "FLOW_TAG_CHECK_FAILED",
          `"${tag}" asks for check ${id}, by ${of}, which fails for ${run.name}${check.evidence === undefined ? "" : `: ${check.evidence}`}`,
          `Look at it with flow validate ${run.name}`,
        ),
      );
  }
  return problems;
}

function ofPolicies({ patterns }: EffectivePolicy): string {
  return `the polic${patterns.length === 1 ? "y" : "ies"} ${patterns.map((pattern) => `"${pattern}"`).join(", ")}`;
}

function problem(code: ErrorCode, message: string, hint: string): Problem {
  return { code, message, hint };
}
