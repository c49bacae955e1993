/**
 * Sources of a code package as files in a folder. The paths come out of a store that others may have written, so none of
 * them is trusted: nothing is written outside of the folder, through a link, or over a file that is there, and all that
 * stands in the way is found before the first file is written.
 */
import { constants } from "node:fs";
import fs from "node:fs/promises";
import path from "node:path";
import { type Problem, problemsError } from "../errors/flow-error.ts";
import type { PackageSource } from "./package-sources.ts";

/** No file name of ours needs these, and on some systems they mean another place or a device. */
const BAD_PART = /[\\:*?"<>|\p{Cc}]|^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)|[. ]$/iu;

/** Why a path of a package is none that may be written below a folder; undefined when it may be. */
export function whyNoPlace(file: string): string | undefined {
  if (file === "" || path.posix.isAbsolute(file)) return "it is no path below a folder";
  const parts = file.split("/");
  if (parts.includes("..")) return "it lies beside the root of the project";
  return parts.some((part) => part === "" || part === "." || BAD_PART.test(part))
    ? "it is no name of a file on every system"
    : undefined;
}

/**
 * Writes sources that have a text and a place below the folder.
 *
 * @param options.force  write over files that are there; never over links or anything else
 * @returns the paths that were written
 * @throws FlowError FLOW_PACKAGE_SOURCES_IN_THE_WAY, naming all that is in the way
 */
export async function writeSources(
  sources: readonly PackageSource[],
  folder: string,
  options: { readonly force?: boolean } = {},
): Promise<readonly string[]> {
  const wanted = sources.filter((source) => source.text !== undefined && whyNoPlace(source.path) === undefined);
  const problems = (
    await Promise.all(wanted.map((source) => inTheWay(folder, source.path, options.force === true)))
  ).flat();
  if (problems.length > 0) throw problemsError(`Cannot write the sources to "${folder}"`, distinct(problems));
  for (const source of wanted) {
    const file = path.join(folder, source.path);
    await fs.mkdir(path.dirname(file), { recursive: true });
    // Looked at again now that the folder is there: another program may have put a link in its place meanwhile.
    await refuseLinks(folder, source.path);
    // A file that is replaced is taken away first, so that its other names keep what they had.
    if (options.force === true) await fs.rm(file, { force: true });
    const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
    const handle = await fs.open(file, O_CREAT | O_EXCL | O_WRONLY | (O_NOFOLLOW ?? 0), 0o644);
    try {
      await handle.writeFile(source.text!);
    } finally {
      await handle.close();
    }
  }
  return wanted.map((source) => source.path);
}

/** What lies where a source or one of its folders should be. */
async function inTheWay(folder: string, file: string, force: boolean): Promise<readonly Problem[]> {
  const parts = file.split("/");
  for (let length = 1; length <= parts.length; length++) {
    const name = parts.slice(0, length).join("/");
    const facts = await fs.lstat(path.join(folder, name)).catch(() => undefined);
    if (facts === undefined) return [];
    const isFile = length === parts.length;
    if (facts.isSymbolicLink()) return [problem(name, "is a link")];
    if (isFile && !facts.isFile()) return [problem(name, "is no plain file")];
    if (!isFile && !facts.isDirectory()) return [problem(name, "is no folder")];
    if (isFile && !force) return [problem(name, "is there already", "Name an empty folder, or add --force")];
  }
  return [];
}

async function refuseLinks(folder: string, file: string): Promise<void> {
  const problems = await inTheWay(folder, file, true);
  if (problems.length > 0) throw problemsError(`Cannot write the sources to "${folder}"`, problems);
}

function problem(name: string, why: string, hint = "Name an empty folder"): Problem {
  return { code: "FLOW_PACKAGE_SOURCES_IN_THE_WAY", message: `"${name}" ${why}`, hint };
}

/** Many files may stand behind one link. */
function distinct(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((each) => [each.message, each])).values()];
}
