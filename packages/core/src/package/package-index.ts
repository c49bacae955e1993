import fs from "node:fs";
import path from "node:path";
import type { Digest } from "../artifact/artifact.ts";
import { toolIdentity } from "./core-package.ts";
import type { FlowPackage, PackagedFlow } from "./flow-package.ts";
import { contentDigest } from "./package-digest.ts";
import { areInputsUnchanged, type PackageInputs } from "./package-inputs.ts";
import type { PackageRoot } from "./package-root.ts";
import { markUsed, packageFolder, readStoredPackage, replaceFile } from "./package-store.ts";

/** What is remembered about a flow file: on this machine only, so paths are absolute. */
interface IndexEntry {
  readonly schema: 1;
  readonly entry: string;
  readonly root: string;
  readonly lockfile: string | null;
  readonly tools: string;
  readonly digest: Digest;
  readonly inputs: PackageInputs;
  readonly flows: readonly PackagedFlow[];
  readonly installed?: Digest;
}

/** The package that an earlier call made for this file, if nothing that went into it has changed since. */
export function readIndexed(cacheFolder: string, entry: string, root: PackageRoot): FlowPackage | undefined {
  const indexed = readEntry(indexFile(cacheFolder, entry));
  if (
    indexed === undefined ||
    indexed.entry !== entry ||
    indexed.root !== root.folder ||
    indexed.lockfile !== (root.lockfile ?? null)
  )
    return undefined;
  if (indexed.tools !== toolIdentity() || !areInputsUnchanged(indexed.inputs)) return undefined;
  const manifest = readStoredPackage(cacheFolder, indexed.digest);
  if (manifest === undefined) return undefined;
  const folder = packageFolder(cacheFolder, indexed.digest);
  markUsed(folder);
  const { digest, flows, installed } = indexed;
  return { digest, folder, root: root.folder, manifest, flows, ...(installed === undefined ? {} : { installed }) };
}

export function writeIndexed(
  cacheFolder: string,
  entry: string,
  root: PackageRoot,
  inputs: PackageInputs,
  made: FlowPackage,
): void {
  const content: IndexEntry = {
    schema: 1,
    entry,
    root: root.folder,
    lockfile: root.lockfile ?? null,
    tools: toolIdentity(),
    digest: made.digest,
    inputs,
    flows: made.flows,
    ...(made.installed === undefined ? {} : { installed: made.installed }),
  };
  replaceFile(cacheFolder, indexFile(cacheFolder, entry), JSON.stringify(content));
}

function indexFile(cacheFolder: string, entry: string): string {
  return path.join(cacheFolder, "index", `${contentDigest(entry)}.json`);
}

function readEntry(file: string): IndexEntry | undefined {
  try {
    const content = JSON.parse(fs.readFileSync(file, "utf8")) as IndexEntry;
    const isWhole =
      content.schema === 1 &&
      Array.isArray(content.inputs.files) &&
      Array.isArray(content.inputs.absent) &&
      Array.isArray(content.inputs.links) &&
      Array.isArray(content.flows);
    return isWhole && /^[0-9a-f]{64}$/.test(content.digest) ? content : undefined;
  } catch {
    return undefined; // Missing, damaged or of another form: the package is made anew.
  }
}
