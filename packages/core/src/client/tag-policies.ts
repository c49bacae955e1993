import { FlowError } from "../errors/flow-error.ts";
import { runName } from "../lineage/run-name.ts";
import type { MetadataStore, TagEvent } from "../metadata/metadata-store.ts";
import { publicKeyText, readPublicKey } from "../metadata/signing-key.ts";
import type { TagPolicyChange } from "../metadata/tag-event.ts";
import { holderProblems, matchesPattern, policyFor } from "../metadata/tag-policy.ts";
import { checkRun, policyChecks, type ValidatingStores } from "./tag-checks.ts";
import { CHECKS } from "./validate/report.ts";

/** Runs of one tag that are looked at when a policy is set: a tag that more runs hold is no tag of production. */
const MAX_HOLDERS = 100;

/** A run that holds a tag which it would not be given by the policies as they are now. */
export interface HeldAgainst {
  readonly run: string;
  readonly runId: string;
  readonly tag: string;
  readonly why: readonly string[];
}

/**
 * Sets the policy of a pattern, in place of the one before; every change is in the log of tags.
 *
 * @returns the new events: none when the policy is there as it is
 * @throws FlowError FLOW_TAG_BAD_POLICY, FLOW_TAG_SEVERAL_HOLDERS, FLOW_SIGN_BAD_KEY
 */
export async function setTagPolicy(metadata: MetadataStore, change: TagPolicyChange): Promise<readonly TagEvent[]> {
  const known = policyChecks();
  const unknown = (change.policy.requireChecks ?? []).filter((id) => !known.includes(id));
  if (unknown.length > 0) {
    throw new FlowError("FLOW_TAG_BAD_POLICY", {
      message: `Cannot set the policy "${change.policy.pattern}": ${unknown.map((id) => (id in CHECKS ? `${id} judges what a command is given` : `there is no check ${id}`)).join(", ")}`,
      hint: `A policy can ask for ${known.join(", ")}; the others are flags of flow validate`,
      context: { pattern: change.policy.pattern, unknown },
    });
  }
  const { pattern, signedBy } = change.policy;
  // Whatever form a key comes in, it is kept in one, and a private one never.
  const keys = signedBy?.map((key) => publicKeyText(readPublicKey(key, `the policy "${pattern}"`)));
  const policy = {
    ...change.policy,
    pattern: pattern.normalize("NFC"),
    ...(keys === undefined ? {} : { signedBy: keys }),
  };
  return await metadata.setTagPolicy({ ...change, policy });
}

/**
 * The runs that hold a tag of a pattern although the policies are against it: they were given it before. They keep it; a policy is
 * asked when tags move.
 *
 * @param at of what time the age of runs is judged
 */
export async function heldAgainst(
  stores: ValidatingStores,
  pattern: string,
  at: Date,
): Promise<readonly HeldAgainst[]> {
  const { metadata } = stores;
  const policies = await metadata.tagPolicies();
  const found: HeldAgainst[] = [];
  for (const { tag } of await metadata.tags({})) {
    const policy = matchesPattern(pattern, tag) ? policyFor(policies, tag) : undefined;
    if (policy === undefined) continue;
    const { requireChecks = [], signatures: _, ...rest } = policy;
    for (const run of await metadata.runs({ tags: [tag], limit: MAX_HOLDERS })) {
      // A run that did not succeed cannot be checked, and need not be: that is what the policy has against it.
      const isDone = run.status === "succeeded";
      const checks =
        isDone && requireChecks.length > 0 ? await checkRun(stores, run, requireChecks, { tags: [tag], at }) : [];
      const asked = isDone ? policy : { ...rest, requireChecks: [] };
      const by = { actor: "", at, checks };
      const moved = { name: runName(run), status: run.status, createdAt: run.createdAt };
      const why = holderProblems(asked, tag, moved, by).map(({ message }) => message);
      if (why.length > 0) found.push({ run: runName(run), runId: run.id, tag, why });
    }
  }
  return found;
}
