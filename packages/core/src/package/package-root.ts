import fs from "node:fs";
import path from "node:path";

/** The folder that a code package's relative paths start from. */
export interface PackageRoot {
  readonly folder: string;
  /** The lockfile that decides which packages are installed, if there is one between the file and the root. */
  readonly lockfile?: string;
}

const LOCKFILES = ["pnpm-lock.yaml", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "bun.lock", "bun.lockb"];

/**
 * Finds the root of the workspace that a file belongs to: the nearest folder upwards with `pnpm-workspace.yaml` or a
 * package.json with `workspaces`; else the nearest with a lockfile; else the nearest with a package.json; else the
 * file's own folder. Asked anew each time, so a workspace file that appears later is noticed.
 */
export function findPackageRoot(file: string): PackageRoot {
  let withLockfile: { readonly folder: string; readonly lockfile: string } | undefined;
  let withPackageJson: string | undefined;
  for (const folder of foldersUpwards(path.dirname(file))) {
    if (withLockfile === undefined) {
      const lockfile = LOCKFILES.map((name) => path.join(folder, name)).find((name) => fs.existsSync(name));
      if (lockfile !== undefined) withLockfile = { folder, lockfile };
    }
    const manifest = readPackageJson(path.join(folder, "package.json"));
    if (manifest !== undefined) withPackageJson ??= folder;
    if (manifest?.workspaces !== undefined || fs.existsSync(path.join(folder, "pnpm-workspace.yaml"))) {
      return withLockfile === undefined ? { folder } : { folder, lockfile: withLockfile.lockfile };
    }
  }
  return withLockfile ?? { folder: withPackageJson ?? path.dirname(file) };
}

/** A folder and all folders above it, nearest first; `last` is included and ends the list. */
export function* foldersUpwards(folder: string, last?: string): Generator<string> {
  for (let current = folder; ; current = path.dirname(current)) {
    yield current;
    if (current === last || current === path.dirname(current)) return;
  }
}

/** What is read from a package.json; undefined when the file is missing or is no JSON object. */
export interface PackageJson {
  readonly exports?: unknown;
  readonly name?: unknown;
  readonly version?: unknown;
  readonly workspaces?: unknown;
}

export function readPackageJson(file: string): PackageJson | undefined {
  try {
    const content: unknown = JSON.parse(fs.readFileSync(file, "utf8"));
    return typeof content === "object" && content !== null && !Array.isArray(content) ? content : undefined;
  } catch {
    // Missing, unreadable and malformed are one case here: the bundler reports a malformed file with its place.
    return undefined;
  }
}

/** The folder of the nearest package.json from `folder` up to the root; the root itself when there is none. */
export function nearestPackageFolder(folder: string, root: string): string {
  const last = isInside(folder, root) ? root : undefined;
  for (const current of foldersUpwards(folder, last))
    if (fs.existsSync(path.join(current, "package.json"))) return current;
  return last ?? folder;
}

/** Whether a path is the folder itself or lies in it. */
export function isInside(target: string, folder: string): boolean {
  const relative = path.relative(folder, target);
  return relative === "" || (relative !== ".." && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative));
}

/** A path as it stands in a manifest: relative to the root, with forward slashes, "." for the root itself. */
export function rootRelative(root: string, target: string): string {
  const relative = path.relative(root, target);
  return relative === "" ? "." : path.sep === "/" ? relative : relative.split(path.sep).join("/");
}
