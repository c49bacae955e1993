import type { Signature } from "../../flow/public-types.ts";
import { runName } from "../../lineage/run-name.ts";
import type { MetadataReader, RunRow } from "../../metadata/metadata-store.ts";
import type { PublicKey } from "../../metadata/signing-key.ts";
import { signaturesOf } from "../signatures.ts";
import type { CheckSink } from "./report.ts";

/** Somebody's wish that a run be signed by one of some keys. */
export interface SignatureDemand {
  readonly keys: readonly PublicKey[];
  /** Who asks, for the evidence: `the policy "prod:*"`. */
  readonly by: string;
}

/**
 * V17: each demand is met by a signature of one of its keys over the run as it is recorded. Without a demand nothing is known
 * of who has signed, and only a signature of other records is a finding.
 */
export async function checkSignatures(
  metadata: MetadataReader,
  run: RunRow,
  demands: readonly SignatureDemand[],
  sink: CheckSink,
  upstream?: string,
): Promise<void> {
  const name = runName(run);
  const about = upstream === undefined ? {} : { upstream };
  if (demands.length === 0) {
    for (const signature of await signaturesOf(metadata, run, []))
      if (signature.verdict === "bad") sink.add("V17", "fail", `${describe(signature, name)}: ${signature.why}`, about);
    return;
  }
  for (const { keys, by } of demands) {
    const signatures = await signaturesOf(metadata, run, keys);
    const valid = signatures.filter(({ verdict }) => verdict === "valid");
    for (const signature of valid)
      sink.add("V17", "pass", `${name} is signed as ${by} asks: ${describe(signature, name)}`, about);
    for (const signature of signatures)
      if (signature.verdict === "bad")
        sink.add("V17", valid.length === 0 ? "fail" : "warn", `${describe(signature, name)}: ${signature.why}`, about);
    if (valid.length > 0 || signatures.some(({ verdict }) => verdict === "bad")) continue;
    const others = signatures.map(({ keyId }) => keyId).join(", ");
    sink.add(
      "V17",
      "fail",
      `${name} is not signed by ${keys.length === 1 ? "the key" : "any of the keys"} ${keys.map(({ keyId }) => keyId).join(", ")}, as ${by} asks${others === "" ? "" : `; it is signed by ${others}`}`,
      about,
    );
  }
}

function describe({ keyId, at, actor, host }: Signature, run: string): string {
  const by = at === undefined ? "" : `, ${at} by ${actor} on ${host}`;
  return `the signature of ${run} by the key ${keyId}${by}`;
}
