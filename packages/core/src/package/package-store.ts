import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import type { Digest } from "../artifact/artifact.ts";
import { FlowError } from "../errors/flow-error.ts";
import type { PackageManifest } from "./flow-package.ts";
import { readManifest } from "./kept-shapes.ts";
import { type PackageContent, packageDigest } from "./package-digest.ts";
import { BUNDLE_FILE, MANIFEST_FILE, MAP_FILE } from "./package-files.ts";

/** Packages in the cache that no run has used for this long may go. */
const KEEP_MS = 14 * 24 * 60 * 60 * 1000;
/** So many packages stay in any case: about 20 MB of bundles of a usual size. */
const KEEP_COUNT = 64;

export function packageFolder(cacheFolder: string, digest: Digest): string {
  return path.join(cacheFolder, "packages", digest);
}

/** The manifest of a stored package whose three files are what the digest says; undefined otherwise. */
export function readStoredPackage(cacheFolder: string, digest: Digest): PackageManifest | undefined {
  const folder = packageFolder(cacheFolder, digest);
  try {
    const read = (name: string) => fs.readFileSync(path.join(folder, name));
    const content = { code: read(BUNDLE_FILE), map: read(MAP_FILE), manifest: read(MANIFEST_FILE) };
    return packageDigest(content) === digest ? readManifest(content.manifest) : undefined;
  } catch {
    return undefined; // Missing or cut short: the caller builds it anew.
  }
}

/**
 * Stores a package under its digest and gives its folder. Written aside and renamed: another process sees the whole
 * package or none, and of several that store the same one, the first wins and the others use its folder.
 */
export function storePackage(cacheFolder: string, digest: Digest, content: PackageContent): string {
  const folder = packageFolder(cacheFolder, digest);
  if (readStoredPackage(cacheFolder, digest) !== undefined) return folder;
  const aside = `${folder}.${asideName()}`;
  try {
    makePrivateFolder(cacheFolder);
    fs.mkdirSync(aside, { recursive: true, mode: 0o700 });
    const write = (name: string, bytes: string | Uint8Array) =>
      fs.writeFileSync(path.join(aside, name), bytes, { flag: "wx", mode: 0o600 });
    write(BUNDLE_FILE, content.code);
    write(MAP_FILE, content.map);
    write(MANIFEST_FILE, content.manifest);
    moveInto(aside, folder, () => readStoredPackage(cacheFolder, digest) !== undefined);
  } catch (cause) {
    fs.rmSync(aside, { recursive: true, force: true });
    throw unwritable(cacheFolder, cause);
  }
  removeUnused(path.join(cacheFolder, "packages"), Date.now());
  return folder;
}

/** Stores a package in the first of several cache folders that can be written. */
export function storeInFirst(
  cacheFolders: readonly string[],
  digest: Digest,
  content: PackageContent,
): { readonly folder: string; readonly cacheFolder: string } {
  let refused: unknown;
  for (const cacheFolder of cacheFolders) {
    try {
      return { folder: storePackage(cacheFolder, digest, content), cacheFolder };
    } catch (error) {
      refused ??= error;
    }
  }
  throw refused;
}

/** Writes a file of the cache aside and renames it over the old one. */
export function replaceFile(cacheFolder: string, file: string, content: string): void {
  const aside = `${file}.${asideName()}`;
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    fs.writeFileSync(aside, content, { flag: "wx", mode: 0o600 });
    fs.renameSync(aside, file);
  } catch (cause) {
    fs.rmSync(aside, { force: true });
    throw unwritable(cacheFolder, cause);
  }
}

/** Tells the cleaner that a package is in use; at most once a day, so that a warm start writes nothing. */
export function markUsed(folder: string): void {
  try {
    const now = Date.now();
    if (now - fs.statSync(folder).mtimeMs > 24 * 60 * 60 * 1000) fs.utimesSync(folder, new Date(now), new Date(now));
  } catch {
    // A read-only cache is as good as any other; it only is not cleaned by us.
  }
}

function moveInto(aside: string, folder: string, isWhole: () => boolean): void {
  for (let attempt = 0; ; attempt++) {
    try {
      fs.renameSync(aside, folder);
      return;
    } catch (error) {
      if (attempt === 3 || !fs.existsSync(folder)) throw error;
      if (isWhole()) {
        fs.rmSync(aside, { recursive: true, force: true });
        return;
      }
      // What stands there is damaged: it is put out of the way, and removed where nobody looks for it.
      const trash = `${folder}.${asideName()}`;
      try {
        fs.renameSync(folder, trash);
      } catch {
        continue; // Another process was faster.
      }
      fs.rmSync(trash, { recursive: true, force: true });
    }
  }
}

function removeUnused(packages: string, now: number): void {
  try {
    const entries = fs.readdirSync(packages).flatMap((name) => {
      const folder = path.join(packages, name);
      const stat = fs.statSync(folder, { throwIfNoEntry: false });
      return stat === undefined ? [] : [{ folder, usedAt: stat.mtimeMs }];
    });
    const newestFirst = entries.sort((a, b) => b.usedAt - a.usedAt);
    for (const { folder, usedAt } of newestFirst.slice(KEEP_COUNT)) {
      if (now - usedAt > KEEP_MS) fs.rmSync(folder, { recursive: true, force: true });
    }
  } catch {
    // The package itself is stored. Another process may be cleaning the same folders, and the next build tries again.
  }
}

function makePrivateFolder(folder: string): void {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
}

function asideName(): string {
  return `${process.pid}-${randomBytes(6).toString("hex")}.tmp`;
}

function unwritable(cacheFolder: string, cause: unknown): FlowError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new FlowError("FLOW_PACKAGE_CACHE_UNWRITABLE", {
    message: `Cannot write the code package to "${cacheFolder}": ${reason}`,
    hint: "Make the folder writable, or set XDG_CACHE_HOME to one that is",
    context: { cacheFolder },
    cause,
  });
}
