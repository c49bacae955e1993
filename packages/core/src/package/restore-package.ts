/**
 * A code package out of what a store or a file kept of it: without the sources, and without the bundler. The three files
 * are put into the cache of this machine and must be what the digest names.
 */
import fs from "node:fs";
import path from "node:path";
import type { Digest } from "../artifact/artifact.ts";
import { FlowError, type Problem } from "../errors/flow-error.ts";
import { cacheFolders } from "./cache-folder.ts";
import { isCoreSpecifier } from "./core-package.ts";
import { packageName } from "./external-table.ts";
import type { ExternalPackage, FlowPackage, PackagedFlow, PackageManifest } from "./flow-package.ts";
import { readManifest } from "./kept-shapes.ts";
import { type PackageContent, packageDigest } from "./package-digest.ts";
import { foldersUpwards, readPackageJson } from "./package-root.ts";
import { markUsed, packageFolder, readStoredPackage, storeInFirst } from "./package-store.ts";
import { locatedFlows } from "./portable-flows.ts";

/** A package as it was kept: manifest and definitions at hand, the files to be had. */
export interface KeptPackage {
  readonly digest: Digest;
  readonly entry: string;
  /** With places relative to the root. */
  readonly flows: readonly PackagedFlow[];
  /** Bytes of its files; asked for only when the cache does not hold the package. */
  content(): Promise<PackageContent>;
}

export interface RestoreOptions {
  /** The folder that the package's paths start from on this machine: its installed packages are looked for from there. */
  readonly root: string;
  /** Where packages are kept. Default: as for packages that are built. */
  readonly cacheFolder?: string;
}

/**
 * Puts a kept package into the cache, written aside and renamed, and gives it.
 *
 * @throws FlowError FLOW_PACKAGE_DAMAGED when the kept files are not those of the digest, FLOW_PACKAGE_EXTERNAL_MISSING
 *   when installed packages that it needs are not there, FLOW_PACKAGE_CACHE_UNWRITABLE; packages of another version are
 *   a warning of the package (FLOW_PACKAGE_EXTERNAL_CHANGED)
 */
export async function restorePackage(kept: KeptPackage, options: RestoreOptions): Promise<FlowPackage> {
  const root = path.resolve(options.root);
  const folders = options.cacheFolder === undefined ? cacheFolders(root) : [options.cacheFolder];
  const { folder, manifest } = findCached(folders, kept.digest) ?? (await putIntoCache(kept, folders));
  const { missing, changed } = compareInstalled(root, manifest.externals);
  if (missing.length > 0) throw missingError(manifest.entry, root, missing);
  const { digest, flows } = kept;
  const warnings = changed.length === 0 ? {} : { warnings: changed };
  return { digest, folder, root, manifest, flows: locatedFlows(flows, root), ...warnings };
}

interface CachedPackage {
  readonly folder: string;
  readonly manifest: PackageManifest;
}

function findCached(folders: readonly string[], digest: Digest): CachedPackage | undefined {
  for (const cacheFolder of folders) {
    const manifest = readStoredPackage(cacheFolder, digest);
    if (manifest === undefined) continue;
    const folder = packageFolder(cacheFolder, digest);
    markUsed(folder);
    return { folder, manifest };
  }
  return undefined;
}

async function putIntoCache(kept: KeptPackage, folders: readonly string[]): Promise<CachedPackage> {
  const content = await kept.content();
  if (packageDigest(content) !== kept.digest) {
    throw new FlowError("FLOW_PACKAGE_DAMAGED", {
      message: `Cannot restore the code package of "${kept.entry}": its files are not those that its digest names`,
      hint: "Run the flow file again, or restore the store or the file from a copy",
      context: { digest: kept.digest },
    });
  }
  const manifest = readManifest(content.manifest);
  if (manifest === undefined) {
    throw new FlowError("FLOW_PACKAGE_DAMAGED", {
      message: `Cannot restore the code package of "${kept.entry}": its manifest is not one`,
      hint: "Run the flow file again, or restore the store or the file from a copy",
      context: { digest: kept.digest },
    });
  }
  const { folder } = storeInFirst(folders, kept.digest, content);
  return { folder, manifest };
}

/** Which of the packages that a package imports are not installed here, or in another version. */
function compareInstalled(
  root: string,
  externals: readonly ExternalPackage[],
): { readonly missing: readonly ExternalPackage[]; readonly changed: readonly Problem[] } {
  const missing: ExternalPackage[] = [];
  const changed: Problem[] = [];
  const seen = new Set<string>();
  for (const external of externals) {
    const { name, version, importer, specifier } = external;
    // Core is served by the one that runs; what was not there when the package was made need not be there now.
    if (version === undefined || isCoreSpecifier(specifier) || seen.has(`${importer} ${name}`)) continue;
    seen.add(`${importer} ${name}`);
    const installed = installedVersion(packageName(specifier) ?? name, path.join(root, importer));
    if (installed === undefined) missing.push(external);
    else if (installed !== version)
      changed.push({
        code: "FLOW_PACKAGE_EXTERNAL_CHANGED",
        message: `"${name}" is installed as ${installed} and was ${version} when the code package was made`,
        hint: `Install ${name}@${version} to run what ran then`,
      });
  }
  return { missing, changed };
}

function installedVersion(name: string, importer: string): string | undefined {
  for (const folder of foldersUpwards(importer)) {
    if (path.basename(folder) === "node_modules") continue;
    const manifest = readPackageJson(path.join(folder, "node_modules", name, "package.json"));
    if (manifest !== undefined) return String(manifest.version);
  }
  return undefined;
}

function missingError(entry: string, root: string, missing: readonly ExternalPackage[]): FlowError {
  const names = [...new Set(missing.map(({ name, version }) => `${name}@${version}`))].sort();
  const where = fs.existsSync(root) ? `from "${root}"` : `since "${root}" is not there`;
  return new FlowError("FLOW_PACKAGE_EXTERNAL_MISSING", {
    message: `Cannot load the code package of "${entry}": ${names.map((name) => `"${name}"`).join(", ")} ${names.length === 1 ? "is" : "are"} not installed ${where}`,
    hint: `Install ${names.length === 1 ? "it" : "them"} there: npm install ${names.join(" ")}`,
    context: { root, packages: names },
  });
}
