/** Code packages and compiled code: where they lie, how much it is, and whether they can be trusted. */
import fs from "node:fs";
import path from "node:path";
import { cacheFoldersOf, foreignReason } from "../../package/cache-folder.ts";
import { findPackageRoot } from "../../package/package-root.ts";
import { measureFolder } from "./measure-folder.ts";
import { type Check, countText, type Found, sizeText } from "./report.ts";

/** Bytes from which a cache is worth a word: unused packages go by themselves after two weeks. */
const MUCH_BYTES = 1e9;

export function cacheChecks(cwd: string): readonly Check[] {
  return cacheFoldersOf(findPackageRoot(path.join(cwd, "flow.ts")).folder).map((folder) => ({
    area: "caches",
    check: "code packages",
    run: () => [cacheFinding(folder)],
  }));
}

function cacheFinding(folder: string): Found {
  const check = "code packages";
  if (!fs.existsSync(folder)) return { check, status: "ok", found: `none yet in ${folder}`, facts: { folder } };
  const why = foreignReason(folder);
  if (why !== undefined) {
    return {
      check,
      status: "warn",
      found: `${folder} is not used: ${why}, and what lies in it would be executed`,
      next: "Remove the folder: it is made again, private, when it is needed",
      facts: { folder },
    };
  }
  const { bytes, files, isWhole } = measureFolder(folder);
  const atLeast = isWhole ? "" : "at least ";
  const found = `${atLeast}${sizeText(bytes)} in ${countText(files, "file")}, in ${folder}`;
  const facts = { folder, bytes, files, isWhole };
  if (bytes < MUCH_BYTES) return { check, status: "ok", found, facts };
  return { check, status: "warn", found, next: "Remove the folder while no flow runs: it is made again", facts };
}
