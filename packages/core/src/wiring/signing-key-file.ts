/** Keys of signatures in files and variables. What is in a private one goes into no message, record or log. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { FlowError } from "../errors/flow-error.ts";
import { type PublicKey, publicKeyOf, readPrivateKey, readPublicKey } from "../metadata/signing-key.ts";

/** A key has some 120 bytes. */
const MAX_KEY_BYTES = 16 * 1024;
/** Rights of the group and of everybody. */
const OTHERS = 0o077;

export interface KeyPlace {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads the private key that runs are signed with.
 *
 * @param from `file`, or the name of a `variable` of the environment; in a variable a line feed may be written as `\n`
 * @throws FlowError FLOW_SIGN_NO_KEY, FLOW_SIGN_OPEN_KEY, FLOW_SIGN_BAD_KEY
 */
export function readSigningKey(
  from: { readonly file: string } | { readonly variable: string },
  { cwd, environment }: KeyPlace,
): KeyObject {
  if ("file" in from)
    return readPrivateKey(readKeyFile(path.resolve(cwd, from.file), from.file, true), `"${shownPlace(from.file)}"`);
  const text = environment[from.variable];
  const variable = shownPlace(from.variable);
  if (text === undefined || text === "") {
    throw new FlowError("FLOW_SIGN_NO_KEY", {
      message: `Cannot sign: the variable ${variable}, which is to hold the key, is not set`,
      hint: `Set ${variable} to the content of the key file, or name the file with --key`,
    });
  }
  return readPrivateKey(text.includes("\n") ? text : text.replaceAll("\\n", "\n"), `the variable ${variable}`);
}

/** @throws FlowError FLOW_SIGN_NO_KEY, FLOW_SIGN_BAD_KEY */
export function readPublicKeyFile(file: string, cwd: string): PublicKey {
  return readPublicKey(readKeyFile(path.resolve(cwd, file), file, false), `"${file}"`);
}

/**
 * Makes a pair of keys: `NAME.pem`, which its owner alone can read, and `NAME.pub`. Files that are there are left alone.
 *
 * @throws FlowError FLOW_SIGN_NO_KEY when one of the files cannot be written
 */
export function writeKeyPair(
  name: string,
  cwd: string,
): { readonly keyId: string; readonly privateFile: string; readonly publicFile: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const files = { privateFile: `${name}.pem`, publicFile: `${name}.pub` };
  const taken = Object.values(files).filter((file) => fs.existsSync(path.resolve(cwd, file)));
  if (taken.length > 0)
    throw notWritten(name, `${taken.join(" and ")} ${taken.length === 1 ? "is" : "are"} there already`);
  try {
    // "wx": whoever was faster keeps his key.
    const write = (file: string, text: string | Buffer, mode: number): void =>
      fs.writeFileSync(path.resolve(cwd, file), text, { flag: "wx", mode });
    write(files.privateFile, privateKey.export({ format: "pem", type: "pkcs8" }), 0o600);
    write(files.publicFile, publicKey.export({ format: "pem", type: "spki" }), 0o644);
  } catch (error) {
    throw notWritten(name, (error as NodeJS.ErrnoException).code ?? "it is not known why", error);
  }
  return { keyId: publicKeyOf(privateKey).keyId, ...files };
}

function notWritten(name: string, why: string, cause?: unknown): FlowError {
  return new FlowError("FLOW_SIGN_NO_KEY", {
    message: `Cannot make the keys "${name}": ${why}`,
    hint: "Give another name with -o: a key that is lost cannot be made again",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Where the key itself was given in place of its place, it is not said again. */
function shownPlace(text: string): string {
  return /[\n\r]|-----/.test(text) || text.length > 1_000 ? "…" : text;
}

/** A pipe may be read as well, so that a key need not lie in a file: `--key <(vault read …)`. */
function readKeyFile(file: string, shown: string, isPrivate: boolean): string {
  let handle: number | undefined;
  try {
    handle = fs.openSync(file, "r");
    const facts = fs.fstatSync(handle);
    // Windows has no such rights: every file looks as if all could read it.
    if (isPrivate && facts.isFile() && (facts.mode & OTHERS) !== 0 && process.platform !== "win32")
      throw openKey(shown, facts.mode);
    const buffer = Buffer.alloc(MAX_KEY_BYTES + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read)
      read = fs.readSync(handle, buffer, length, buffer.length - length, null);
    // What is longer is no key, and is refused as one that cannot be read.
    return length > MAX_KEY_BYTES ? "" : buffer.toString("utf8", 0, length);
  } catch (error) {
    if (error instanceof FlowError) throw error;
    const place = shownPlace(shown);
    const hint = isPrivate ? "Make one with flow sign keygen -o NAME" : "Give the .pub file of flow sign keygen";
    throw new FlowError("FLOW_SIGN_NO_KEY", {
      message: `Cannot read the key "${place}": ${(error as NodeJS.ErrnoException).code ?? "it is not known why"}`,
      hint: place === shown ? hint : "Give the path of the key's file, and not what is in it",
      ...(place === shown ? { cause: error } : {}), // It names the path.
    });
  } finally {
    if (handle !== undefined) fs.closeSync(handle);
  }
}

function openKey(shown: string, mode: number): FlowError {
  return new FlowError("FLOW_SIGN_OPEN_KEY", {
    message: `Cannot sign with the key "${shown}": others can read or change it (mode ${(mode & 0o777).toString(8)})`,
    hint: `Type chmod 600 ${shown}, and make a new key if somebody may have read it`,
  });
}
