/**
 * Signatures of runs. What is signed is a text, the statement: which run it is, the digests over its records, and what it left. It
 * is kept to the last character, so that `openssl pkeyutl -verify` can check it without this program (docs/formats/schema.md,
 * docs/adr/0044).
 */
import { type KeyObject, sign, verify } from "node:crypto";
import type { Digest } from "../artifact/artifact.ts";
import type { RunId } from "../ids/run-id.ts";
import { canonicalJson } from "./canonical-json.ts";
import { type PublicKey, publicKeyOf } from "./signing-key.ts";

/** Tells these statements from everything else that the same key may sign. */
const SCHEMA = "millrace-run-statement 1";
/** Of one run. Each person or machine that vouches for it needs one. */
export const MAX_SIGNATURES = 100;
/** Some 10,000 artifacts. */
export const MAX_STATEMENT_CHARACTERS = 2 * 1024 * 1024;

/** What a signature says of a run: facts that mean the same in every store. */
export interface SignedFacts {
  /** `store` and `name` are those of the store that ran it: `shop/Train/17`. */
  readonly run: { readonly id: RunId; readonly store: string; readonly name: string };
  readonly startDigest: Digest;
  readonly endDigest: Digest;
  readonly packageDigest?: Digest;
  /** What it left: artifacts and values, by name. */
  readonly artifacts: readonly { readonly name: string; readonly codec: string; readonly digest: Digest }[];
}

/** What was signed, by whom and when; time, actor and host are what the signer said of himself. */
export interface RunStatement extends SignedFacts {
  readonly keyId: Digest;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly actor: string;
  readonly host: string;
}

/** A signature as it is kept. */
export interface RunSignature {
  readonly keyId: Digest;
  readonly statement: string;
  /** 64 bytes, lower-case hex. */
  readonly signature: string;
}

export function signStatement(
  key: KeyObject,
  facts: SignedFacts,
  by: { readonly at: Date; readonly actor: string; readonly host: string },
): RunSignature {
  const { keyId } = publicKeyOf(key);
  const { at, actor, host } = by;
  const statement = canonicalJson({ schema: SCHEMA, ...facts, keyId, at: at.toISOString(), actor, host });
  return { keyId, statement, signature: sign(null, Buffer.from(statement), key).toString("hex") };
}

/** Whether this key has signed this text. */
export function isSignedBy({ statement, signature }: RunSignature, { key }: PublicKey): boolean {
  return verify(null, Buffer.from(statement), key, Buffer.from(signature, "hex"));
}

/** The statement of a text; undefined for a text that is none. */
export function readStatement(text: string): RunStatement | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const found = value as Partial<RunStatement & { readonly schema: string }> | null;
  if (typeof found !== "object" || found === null || found.schema !== SCHEMA) return undefined;
  const { run, startDigest, endDigest, packageDigest = "", artifacts, keyId, at, actor, host } = found;
  const texts: readonly unknown[] = [
    run?.id,
    run?.store,
    run?.name,
    startDigest,
    endDigest,
    packageDigest,
    keyId,
    at,
    actor,
    host,
  ];
  if (!texts.every((each) => typeof each === "string") || !Array.isArray(artifacts)) return undefined;
  return found as RunStatement;
}

/** The facts in which two differ, as words of the statement; none when they are the same. */
export function differingFacts(left: SignedFacts, right: SignedFacts): readonly string[] {
  const names = ["run", "startDigest", "endDigest", "packageDigest", "artifacts"] as const;
  return names.filter((name) => canonicalJson(left[name] ?? null) !== canonicalJson(right[name] ?? null));
}
