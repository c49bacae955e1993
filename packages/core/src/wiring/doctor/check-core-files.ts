/** Whether core is there as a whole: entries of workers are loaded by name, long after core itself. */
import fs from "node:fs";
import path from "node:path";
import { coreFolder, runsFromSource } from "../../package/core-package.ts";
import { readPackageJson } from "../../package/package-root.ts";
import type { Check, Found } from "./report.ts";

/** What the entry of threads loads; the others are named by `exports`. */
const THREAD_ENTRY = "./dist/worker.js";

export function coreFilesCheck(): Check {
  return { area: "installation", check: "files of core", run: () => (runsFromSource ? [] : coreFilesFindings()) };
}

function coreFilesFindings(): readonly Found[] {
  const folder = coreFolder();
  const entries = [THREAD_ENTRY, ...filesOf(readPackageJson(path.join(folder, "package.json"))?.exports)];
  const missing = entries.filter((file) => !fs.existsSync(path.join(folder, file)));
  const [first] = missing;
  if (first === undefined) return [];
  return [
    {
      check: "files of core",
      status: "fail",
      found: `${path.join(folder, first)} is missing${missing.length === 1 ? "" : `, and so are ${missing.length - 1} others`}`,
      next: "Delete node_modules and install again",
      facts: { folder, missing },
    },
  ];
}

/** The files that `exports` of a package.json names, but for types, which nothing loads. */
function filesOf(exports: unknown): readonly string[] {
  if (typeof exports === "string") return [exports];
  if (typeof exports !== "object" || exports === null) return [];
  return Object.entries(exports).flatMap(([name, value]) => (name === "types" ? [] : filesOf(value)));
}
