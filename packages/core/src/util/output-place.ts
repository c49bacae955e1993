import { existsSync, realpathSync, statSync } from "node:fs";
import path from "node:path";

/**
 * Why a file that somebody named must not be written to, in words; undefined when it may be.
 *
 * @param kept a folder in which nothing may be written over: that of the store
 */
export function whyNoOutput(file: string, kept: string): string | undefined {
  const folder = path.dirname(file);
  // Folders that are not there yet are made below the nearest one that is.
  let nearest = folder;
  while (!existsSync(nearest) && nearest !== path.dirname(nearest)) nearest = path.dirname(nearest);
  const place = path.join(realpathSync(nearest), path.relative(nearest, file));
  const inside = path.relative(existsSync(kept) ? realpathSync(kept) : kept, place);
  if (inside === "" || !(inside === ".." || inside.startsWith(`..${path.sep}`) || path.isAbsolute(inside)))
    return "it lies in the store";
  const facts = statSync(file, { throwIfNoEntry: false });
  return facts === undefined || facts.isFile() ? undefined : "it is no plain file";
}
