import fs from "node:fs";
import path from "node:path";
import { FlowError } from "../errors/flow-error.ts";
import { nearestName } from "../util/nearest-name.ts";
import { displayPath } from "./display-path.ts";
import type { FlowPackage, PackagedFlow } from "./flow-package.ts";

/** How the name of a built flow ends. */
export const ARCHIVE_ENDING = ".flow";
/** A hint lists so many modules of a folder. */
const MODULES_SHOWN = 8;
const MODULE = /\.(?:[cm]?[jt]sx?|flow)$/;

/**
 * The real path of a flow file that can be bundled, or of a built flow.
 *
 * @throws FlowError FLOW_PACKAGE_FILE_MISSING, FLOW_PACKAGE_NOT_A_FILE, FLOW_PACKAGE_NOT_A_MODULE
 */
export function findFlowFile(file: string): string {
  if (file.includes("\0")) throw missingError(path.resolve(file.replaceAll("\0", "\ufffd"))); // no system has such a path
  const absolute = path.resolve(file);
  const stat = statOf(absolute);
  if (stat === undefined) throw missingError(absolute);
  if (!stat.isFile()) throw notAFileError(absolute, stat.isDirectory());
  if (!MODULE.test(absolute)) {
    throw new FlowError("FLOW_PACKAGE_NOT_A_MODULE", {
      message: `Cannot load "${displayPath(absolute)}": it is no TypeScript or JavaScript module`,
      hint: "Give the file that holds the flow class, for example train.ts",
      context: { file: absolute },
    });
  }
  return fs.realpathSync.native(absolute);
}

/**
 * Chooses a flow of a package: the named one, else the default export, else the only one.
 *
 * @param name class or flow name, or the name of the export
 * @throws FlowError FLOW_PACKAGE_UNKNOWN_FLOW, FLOW_PACKAGE_AMBIGUOUS
 */
export function selectFlow(pack: Pick<FlowPackage, "flows" | "manifest">, name?: string): PackagedFlow {
  const names = pack.flows.map((flow) => flow.definition.name);
  const list = names.map((item) => `"${item}"`).join(", ");
  if (name !== undefined) {
    const found =
      pack.flows.find((flow) => flow.definition.name === name) ?? pack.flows.find((flow) => flow.exportName === name);
    if (found !== undefined) return found;
    const near = nearestName(name, names);
    throw new FlowError("FLOW_PACKAGE_UNKNOWN_FLOW", {
      message: `Cannot find flow "${name}" in "${pack.manifest.entry}": it exports ${list}`,
      ...(near === undefined ? {} : { hint: `Did you mean "${near}"?` }),
      context: { entry: pack.manifest.entry, flows: names },
    });
  }
  const chosen =
    pack.flows.find((flow) => flow.exportName === "default") ?? (pack.flows.length === 1 ? pack.flows[0] : undefined);
  if (chosen !== undefined) return chosen;
  throw new FlowError("FLOW_PACKAGE_AMBIGUOUS", {
    message: `Cannot choose a flow of "${pack.manifest.entry}": it exports ${list}`,
    hint: `Choose one with --flow ${names[0] ?? "NAME"}, or make one the default export`,
    context: { entry: pack.manifest.entry, flows: names },
  });
}

/** A name that is too long, or that leads round in a circle, names no file either. */
function statOf(file: string): fs.Stats | undefined {
  try {
    return fs.statSync(file, { throwIfNoEntry: false });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENAMETOOLONG" || code === "ELOOP") return undefined;
    throw error;
  }
}

function missingError(file: string): FlowError {
  // The nearest folder that exists is searched, so that a misspelt folder is found as well as a misspelt file.
  let missing = file;
  while (!fs.existsSync(path.dirname(missing)) && path.dirname(missing) !== missing) missing = path.dirname(missing);
  const folder = path.dirname(missing);
  const isFile = missing === file;
  const entries = listFolder(folder).filter((entry) =>
    isFile ? entry.isFile() && MODULE.test(entry.name) : entry.isDirectory(),
  );
  const near = nearestName(
    path.basename(missing),
    entries.map((entry) => entry.name),
  );
  const suggestion =
    near === undefined ? undefined : path.join(folder, near, isFile ? "" : path.relative(missing, file));
  return new FlowError("FLOW_PACKAGE_FILE_MISSING", {
    message: `Cannot find "${displayPath(file)}": ${isFile ? "there is no such file" : `there is no folder "${displayPath(missing)}"`}`,
    hint:
      suggestion === undefined
        ? (modulesHint("Its folder has", folder, isFile) ??
          "Give the path of a flow file, from the folder that the command is started in")
        : `Did you mean "${displayPath(suggestion.replace(/[\\/]$/, ""))}"?`,
    context: { file },
  });
}

function notAFileError(file: string, isFolder: boolean): FlowError {
  return new FlowError("FLOW_PACKAGE_NOT_A_FILE", {
    message: `Cannot load "${displayPath(file)}": it is ${isFolder ? "a folder" : "not a regular file"}`,
    hint: modulesHint("Give a file in it:", file, isFolder) ?? "Give a flow file, for example train.ts",
    context: { file },
  });
}

/** Names the modules of a folder, the first few of them; undefined where there are none. */
function modulesHint(lead: string, folder: string, isThere: boolean): string | undefined {
  const modules = isThere ? listFolder(folder).filter((entry) => entry.isFile() && MODULE.test(entry.name)) : [];
  if (modules.length === 0) return undefined;
  const shown = modules.slice(0, MODULES_SHOWN).map(({ name }) => `"${displayPath(path.join(folder, name))}"`);
  return `${lead} ${shown.join(", ")}${modules.length > shown.length ? ", …" : ""}`;
}

function listFolder(folder: string): readonly fs.Dirent[] {
  try {
    return fs.readdirSync(folder, { withFileTypes: true });
  } catch {
    return []; // A folder that cannot be listed gives no suggestion.
  }
}
