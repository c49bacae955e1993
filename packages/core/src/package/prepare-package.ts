/**
 * A flow file as a code package.
 *
 * This room turns sources into one content-hashed module that runs the same in the main thread, in each worker and later
 * on another machine, and loads such modules. Invariants: the digest covers bundle, map and manifest, and none of these
 * says where on this machine the sources lie; a package is reused only if the contents of everything that went into it
 * are unchanged; a warm call loads neither the bundler nor user code. Not here: what a flow's definition means (`flow/`,
 * `graph/`) and what runs it (`runner/`).
 */
import { cacheFolders } from "./cache-folder.ts";
import { ARCHIVE_ENDING, findFlowFile } from "./flow-file.ts";
import type { FlowPackage } from "./flow-package.ts";
import { readIndexed } from "./package-index.ts";
import { findPackageRoot } from "./package-root.ts";

export interface PreparePackageOptions {
  /** Where packages are kept. Default: `node_modules/.cache/millrace` at the root, else the user's cache folder. */
  readonly cacheFolder?: string;
}

/**
 * Bundles a flow file, or finds the bundle that an earlier call made from the same contents; takes a built flow
 * (`train.flow`) as it is.
 *
 * @param entryFile path of the flow file; relative to the working directory
 * @returns the package on this machine with the definitions of its flows, default export first
 * @throws FlowError FLOW_PACKAGE_FILE_MISSING, FLOW_PACKAGE_NOT_A_FILE, FLOW_PACKAGE_NOT_A_MODULE, FLOW_PACKAGE_SYNTAX,
 *   FLOW_PACKAGE_UNRESOLVED, FLOW_PACKAGE_UNSUPPORTED_FILE, FLOW_PACKAGE_BUNDLE_FAILED, FLOW_PACKAGE_LEGACY_DECORATORS,
 *   FLOW_PACKAGE_LOAD_FAILED, FLOW_PACKAGE_NO_FLOW, FLOW_PACKAGE_CACHE_UNWRITABLE, and what the definitions have wrong
 * @example
 * ```ts
 * const pack = await preparePackage("train.ts");
 * const { definition } = selectFlow(pack);
 * ```
 */
export async function preparePackage(entryFile: string, options: PreparePackageOptions = {}): Promise<FlowPackage> {
  const entry = findFlowFile(entryFile);
  if (entry.endsWith(ARCHIVE_ENDING)) {
    const { loadFlowArchive } = await import("./flow-archive.ts");
    return loadFlowArchive(entry, options.cacheFolder);
  }
  const root = findPackageRoot(entry);
  const folders = options.cacheFolder === undefined ? cacheFolders(root.folder) : [options.cacheFolder];
  for (const folder of folders) {
    const known = readIndexed(folder, entry, root);
    if (known !== undefined) return known;
  }
  const { buildPackage } = await import("./build-package.ts");
  return buildPackage(entry, root, folders);
}
