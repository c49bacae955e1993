import { FlowError } from "../errors/flow-error.ts";
import type { MetadataStore, TagEvent } from "../metadata/metadata-store.ts";
import { publicKeyText, readPublicKey } from "../metadata/signing-key.ts";
import type { TagPolicyChange } from "../metadata/tag-event.ts";
import { knownChecks } from "./tag-checks.ts";

/**
 * Sets the policy of a pattern, in place of the one before; every change is in the log of tags.
 *
 * @returns the new events: none when the policy is there as it is
 * @throws FlowError FLOW_TAG_BAD_POLICY, FLOW_TAG_SEVERAL_HOLDERS, FLOW_SIGN_BAD_KEY
 */
export async function setTagPolicy(metadata: MetadataStore, change: TagPolicyChange): Promise<readonly TagEvent[]> {
  const known = knownChecks();
  const unknown = (change.policy.requireChecks ?? []).filter((id) => !known.includes(id));
  if (unknown.length > 0) {
    throw new FlowError("FLOW_TAG_BAD_POLICY", {
      message: `Cannot set the policy "${change.policy.pattern}": there is no check ${unknown.join(", ")}`,
      hint: `There are ${known.join(", ")}`,
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
