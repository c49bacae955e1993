/** Keys of signatures: Ed25519 alone, read from PEM or from the text that a tag policy keeps. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import type { Digest } from "../artifact/artifact.ts";
import { FlowError } from "../errors/flow-error.ts";

/** A key that proves who has signed. */
export interface PublicKey {
  /** SHA-256 of its SPKI form, lower-case hex: what names the key everywhere. */
  readonly keyId: Digest;
  readonly key: KeyObject;
}

/** Longer texts are no keys. */
const MAX_KEY_CHARACTERS = 16 * 1024;
const PRIVATE_MARK = "PRIVATE KEY-----";

/**
 * Reads a private key.
 *
 * @param text PEM (PKCS #8), as `flow sign keygen` and `openssl genpkey -algorithm ed25519` write it
 * @param from where it comes from, for the message: a file or a variable. Nothing of the text is told
 * @throws FlowError FLOW_SIGN_BAD_KEY
 */
export function readPrivateKey(text: string, from: string): KeyObject {
  if (/ENCRYPTED/.test(text.slice(0, MAX_KEY_CHARACTERS)))
    throw badKey(from, "it is encrypted", "Decrypt it where it is used: openssl pkey -in key.pem -out plain.pem");
  const key = parsed(() => createPrivateKey(bounded(text)));
  if (key?.asymmetricKeyType === "ed25519") return key;
  throw badKey(
    from,
    key === undefined ? "it is no private key in PEM form" : `it is a key of ${key.asymmetricKeyType}, not of ed25519`,
    "Make one with flow sign keygen -o NAME",
  );
}

/**
 * Reads a public key.
 *
 * @param text PEM (SPKI), as `flow sign keygen` and `openssl pkey -pubout` write it; or the same in base64, as policies keep it
 * @throws FlowError FLOW_SIGN_BAD_KEY
 */
export function readPublicKey(text: string, from: string): PublicKey {
  // Node would derive the public key; whoever hands a private key around does not mean to.
  if (text.includes(PRIVATE_MARK))
    throw badKey(
      from,
      "it is a private key, which nobody else must see",
      "Give the public one: openssl pkey -in key.pem -pubout -out key.pub",
    );
  const isPem = text.includes("-----BEGIN");
  const key = parsed(() =>
    isPem
      ? createPublicKey(bounded(text))
      : createPublicKey({ key: Buffer.from(bounded(text), "base64"), format: "der", type: "spki" }),
  );
  if (key?.asymmetricKeyType === "ed25519") return { keyId: keyIdOf(key), key };
  throw badKey(
    from,
    key === undefined ? "it is no public key in PEM form" : `it is a key of ${key.asymmetricKeyType}, not of ed25519`,
    "Give the .pub file of flow sign keygen",
  );
}

/** The public half of a private key. */
export function publicKeyOf(key: KeyObject): PublicKey {
  const half = createPublicKey(key);
  return { keyId: keyIdOf(half), key: half };
}

/** A public key as policies keep it: its SPKI form in base64. */
export function publicKeyText({ key }: PublicKey): string {
  return key.export({ format: "der", type: "spki" }).toString("base64");
}

/** The id of a key as policies keep it. */
export function keyIdOfText(text: string): Digest {
  return createHash("sha256").update(Buffer.from(text, "base64")).digest("hex") as Digest;
}

function keyIdOf(key: KeyObject): Digest {
  return keyIdOfText(key.export({ format: "der", type: "spki" }).toString("base64"));
}

function bounded(text: string): string {
  return text.length > MAX_KEY_CHARACTERS ? "" : text;
}

function parsed(parse: () => KeyObject): KeyObject | undefined {
  try {
    return parse();
  } catch {
    return undefined; // What OpenSSL says of a text that is no key helps nobody, and might tell of the text.
  }
}

function badKey(from: string, why: string, hint: string): FlowError {
  return new FlowError("FLOW_SIGN_BAD_KEY", { message: `Cannot use the key of ${from}: ${why}`, hint });
}
