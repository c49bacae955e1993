/** Signing runs, and judging signatures by the keys that somebody trusts. */
import type { KeyObject } from "node:crypto";
import { FlowError } from "../errors/flow-error.ts";
import type { Signature } from "../flow/public-types.ts";
import { fullRunName, runName } from "../lineage/run-name.ts";
import type { MetadataReader, MetadataStore, RunRow, RunSignature } from "../metadata/metadata-store.ts";
import {
  differingFacts,
  isSignedBy,
  MAX_STATEMENT_CHARACTERS,
  readStatement,
  type SignedFacts,
  signStatement,
} from "../metadata/run-signature.ts";
import { type PublicKey, publicKeyOf } from "../metadata/signing-key.ts";

/** Faults of records that one line of evidence tells. */
const MAX_FAULTS = 3;

/**
 * Signs a run and keeps the signature. The key goes nowhere.
 *
 * @returns the signature, and whether it is new: one that the same key has made and that still fits is there already
 * @throws FlowError FLOW_SIGN_NOT_SUCCEEDED, FLOW_SIGN_NO_DIGEST, FLOW_SIGN_TOO_MANY, FLOW_METADATA_CHANGED_RECORDS
 */
export async function signRun(
  metadata: MetadataStore,
  run: RunRow,
  key: KeyObject,
  by: { readonly at: Date; readonly actor: string; readonly host: string },
): Promise<{ readonly signature: Signature; readonly isNew: boolean }> {
  const facts = await factsToSign(metadata, run);
  const own = publicKeyOf(key);
  for (const known of await metadata.signatures(run.sequence)) {
    if (known.keyId !== own.keyId) continue;
    const shown = judge(known, [own], facts);
    if (shown.verdict === "valid") return { signature: shown, isNew: false };
  }
  const signed = signStatement(key, facts, by);
  if (signed.statement.length > MAX_STATEMENT_CHARACTERS) {
    throw new FlowError("FLOW_SIGN_TOO_MANY", {
      message: `Cannot sign ${runName(run)}: it left ${facts.artifacts.length} artifacts, which is too much for one statement`,
    });
  }
  await metadata.addSignature(run.sequence, signed);
  return { signature: judge(signed, [own], facts), isNew: true };
}

/** The signatures of a run in the order in which they were added, judged by the keys that are trusted. */
export async function signaturesOf(
  metadata: MetadataReader,
  run: RunRow,
  trusted: readonly PublicKey[],
): Promise<readonly Signature[]> {
  const all = await metadata.signatures(run.sequence);
  if (all.length === 0) return [];
  const facts = await factsOf(metadata, run);
  const faults = all.some(({ keyId }) => trusted.some((key) => key.keyId === keyId))
    ? await metadata.recordFaults(run.sequence)
    : [];
  return all.map((signature) => judge(signature, trusted, facts, faults));
}

function judge(
  signed: RunSignature,
  trusted: readonly PublicKey[],
  facts: SignedFacts | string,
  faults: readonly string[] = [],
): Signature {
  const statement = readStatement(signed.statement);
  const shown = {
    keyId: signed.keyId,
    ...(statement === undefined ? {} : { at: statement.at, actor: statement.actor, host: statement.host }),
    statement: signed.statement,
    signature: signed.signature,
  };
  const bad = (why: string): Signature => ({ ...shown, verdict: "bad", why });
  const key = trusted.find(({ keyId }) => keyId === signed.keyId);
  if (key !== undefined && !isSignedBy(signed, key))
    return bad("what is kept is not what the key has signed: the statement or the signature was changed");
  if (statement === undefined) return bad("its statement cannot be read");
  if (statement.keyId !== signed.keyId) return bad(`its statement names another key, ${statement.keyId}`);
  if (typeof facts === "string") return bad(facts);
  const others = differingFacts(statement, facts);
  if (others.length > 0) return bad(`it was signed of other records: ${others.join(", ")} of the statement differ`);
  if (faults.length > 0) return bad(`the records were changed since: ${faults.slice(0, MAX_FAULTS).join("; ")}`);
  return { ...shown, verdict: key === undefined ? "unknown-key" : "valid" };
}

/** @throws FlowError where a run cannot be signed */
async function factsToSign(metadata: MetadataReader, run: RunRow): Promise<SignedFacts> {
  if (run.status !== "succeeded") {
    throw new FlowError("FLOW_SIGN_NOT_SUCCEEDED", {
      message: `Cannot sign ${runName(run)}: it is ${run.status}, and only a run that succeeded never changes`,
      hint: run.status === "running" ? "Wait until it has succeeded" : `Go on with it: flow resume ${runName(run)}`,
    });
  }
  const facts = await factsOf(metadata, run);
  if (typeof facts === "string") {
    throw new FlowError("FLOW_SIGN_NO_DIGEST", {
      message: `Cannot sign ${runName(run)}: ${facts}`,
      hint: "Run the flow again and sign the new run",
    });
  }
  // Whoever signs vouches for what is recorded: it must at least fit itself.
  const faults = await metadata.recordFaults(run.sequence);
  if (faults.length === 0) return facts;
  throw new FlowError("FLOW_METADATA_CHANGED_RECORDS", {
    message: `Cannot sign ${runName(run)}: its records are not those that were written: ${faults.slice(0, MAX_FAULTS).join("; ")}`,
    hint: `Look at it with flow validate ${runName(run)}`,
  });
}

/** What can be said of a run in every store; or why it cannot. */
async function factsOf(metadata: MetadataReader, run: RunRow): Promise<SignedFacts | string> {
  const { start, end } = await metadata.recordDigests(run.sequence);
  if (start === undefined || end === undefined) return "it has no digest over its records";
  const visible = run.endTask === undefined ? [] : await metadata.visibleArtifacts(run.endTask);
  const left = [...visible, ...(await metadata.runValues(run.sequence))];
  return {
    run: {
      id: run.id,
      store: run.imported?.store ?? (await metadata.info()).storeId,
      name: run.imported?.run ?? fullRunName(run),
    },
    startDigest: start,
    endDigest: end,
    ...(run.packageDigest === undefined ? {} : { packageDigest: run.packageDigest }),
    artifacts: left
      .map(({ name, codec, digest }) => ({ name, codec, digest }))
      .sort((one, other) => (one.name < other.name ? -1 : 1)),
  };
}
