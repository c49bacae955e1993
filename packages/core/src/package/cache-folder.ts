import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/**
 * Where code packages of a workspace are kept, best place first: beside the installed packages (removed with them, never
 * committed), else in the user's own cache folder. The second place also serves when the first cannot be written.
 */
export function cacheFolders(root: string): readonly string[] {
  const modules = path.join(root, "node_modules");
  const own = path.join(userCacheFolder(), "millrace");
  return fs.existsSync(modules) ? [path.join(modules, ".cache", "millrace"), own] : [own];
}

function userCacheFolder(): string {
  // Relative values are to be ignored, says the XDG base directory specification.
  const chosen = process.env.XDG_CACHE_HOME;
  return chosen !== undefined && path.isAbsolute(chosen) ? chosen : path.join(os.homedir(), ".cache");
}
