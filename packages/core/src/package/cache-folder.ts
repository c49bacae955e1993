import fs from "node:fs";
import { getCompileCacheDir } from "node:module";
import os from "node:os";
import path from "node:path";
import { FlowError } from "../errors/flow-error.ts";

/**
 * Where code packages of a workspace are kept, best place first: beside the installed packages (removed with them, never
 * committed), else in the user's own cache folder. The second place also serves when the first cannot be written.
 *
 * What lies in a cache is executed: a folder that belongs to another user, or that others may write to, is passed over.
 *
 * @throws FlowError FLOW_PACKAGE_CACHE_UNWRITABLE when no place is left
 */
export function cacheFolders(root: string): readonly string[] {
  const folders = cacheFoldersOf(root);
  const trusted = folders.filter((folder) => foreignReason(folder) === undefined);
  if (trusted.length > 0) return trusted;
  const own = folders.at(-1)!;
  throw new FlowError("FLOW_PACKAGE_CACHE_UNWRITABLE", {
    message: `Cannot keep code packages in "${own}": ${foreignReason(own)}, so what lies in it cannot be trusted`,
    hint: "Remove the folder, or set XDG_CACHE_HOME to a folder of your own",
    context: { cacheFolder: own },
  });
}

/** The same places, trusted or not. */
export function cacheFoldersOf(root: string): readonly string[] {
  const modules = path.join(root, "node_modules");
  const own = path.join(userCacheFolder(), "millrace");
  return fs.existsSync(modules) ? [path.join(modules, ".cache", "millrace"), own] : [own];
}

/** Where Node may keep compiled code of threads, which is executed too; undefined where that is nobody's own folder. */
export function compileCacheFolder(): string | undefined {
  const own = path.join(userCacheFolder(), "millrace");
  const folder = path.join(own, "compile");
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch {
    return undefined; // No home, or a full disk.
  }
  return [own, folder].every((each) => foreignReason(each) === undefined) ? folder : undefined;
}

/** Where threads of this process keep compiled code: where the process itself does, if it does. */
export function threadCompileCache(): string | undefined {
  const folder = getCompileCacheDir();
  return folder === undefined ? compileCacheFolder() : path.dirname(folder); // Node adds its own version to it.
}

/** Why code in a folder could be another user's, in words; undefined when only this user can have put it there. */
export function foreignReason(folder: string): string | undefined {
  const user = process.geteuid?.();
  let facts: fs.Stats | undefined;
  try {
    facts = fs.statSync(folder, { throwIfNoEntry: false });
  } catch (error) {
    return `it cannot be looked at (${(error as NodeJS.ErrnoException).code})`;
  }
  if (user === undefined || facts === undefined) return undefined; // Windows keeps other books; what is missing is made private.
  if (facts.uid !== user) return `it belongs to another user (${facts.uid})`;
  return (facts.mode & 0o022) === 0 ? undefined : `others may write to it (mode ${(facts.mode & 0o777).toString(8)})`;
}

function userCacheFolder(): string {
  // Relative values are to be ignored, says the XDG base directory specification.
  const chosen = process.env.XDG_CACHE_HOME;
  return chosen !== undefined && path.isAbsolute(chosen) ? chosen : path.join(os.homedir(), ".cache");
}
