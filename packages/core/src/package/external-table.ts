import fs from "node:fs";
import path from "node:path";
import { CORE_NAME, coreVersion, isCoreSpecifier } from "./core-package.ts";
import { EXTERNAL_SCHEME } from "./external-scheme.ts";
import type { ExternalPackage } from "./flow-package.ts";
import { foldersUpwards, nearestPackageFolder, readPackageJson, rootRelative } from "./package-root.ts";

/** Where an installed package was found for an importer. */
export interface InstalledPackage {
  /** The entry in `node_modules`: with pnpm and in workspaces a link. */
  readonly link: string;
  /** Where the link leads. */
  readonly realFolder: string;
  /** The folder that holds the `node_modules`. */
  readonly foundFrom: string;
}

/**
 * The packages that stay outside of one bundle, by importing package and specifier.
 *
 * In a pnpm-strict monorepo one bare name means different versions to different importers, so a row is kept for each
 * importing package, and the bundle says `millrace:<key>/<specifier>`. The key is the importer's folder, percent-encoded
 * into one path segment: it needs no table to be read by a human, and it is the same on every machine.
 */
export class ExternalTable {
  readonly #root: string;
  readonly #rows = new Map<string, ExternalPackage>();
  readonly #links = new Map<string, string>();
  readonly #absent = new Set<string>();
  readonly #packageFiles = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Takes an import into the table and gives the specifier that stands for it in the bundle. */
  add(specifier: string, importerFile: string, resolvedFile: string | undefined): string {
    const installed = this.find(specifier, path.dirname(importerFile));
    const packageFolder = nearestPackageFolder(path.dirname(importerFile), this.#root);
    // A node_modules folder between the file and its package.json is nearer than the package's own.
    const importer =
      installed !== undefined && isDeeper(installed.foundFrom, packageFolder) ? installed.foundFrom : packageFolder;
    const importerPath = rootRelative(this.#root, importer);
    const key = encodeURIComponent(importerPath);
    const rewritten = `${EXTERNAL_SCHEME}${key}/${specifier}`;
    if (!this.#rows.has(rewritten)) {
      this.#rows.set(rewritten, {
        key,
        importer: importerPath,
        specifier,
        ...this.#identify(specifier, installed, resolvedFile),
      });
    }
    return rewritten;
  }

  /** Looks a bare specifier's package up in the `node_modules` folders from `folder` upwards, as Node does. */
  find(specifier: string, folder: string): InstalledPackage | undefined {
    const name = packageName(specifier);
    if (name === undefined) return undefined;
    for (const current of foldersUpwards(folder)) {
      if (path.basename(current) === "node_modules") continue;
      const link = path.join(current, "node_modules", name);
      if (fs.existsSync(link)) {
        const realFolder = fs.realpathSync.native(link);
        this.#links.set(link, realFolder);
        return { link, realFolder, foundFrom: current };
      }
      this.#absent.add(link);
    }
    return undefined;
  }

  /** The rows in a fixed order. */
  rows(): readonly ExternalPackage[] {
    return [...this.#rows.values()].sort((a, b) => compare(a.key, b.key) || compare(a.specifier, b.specifier));
  }

  /** What the look-ups depended on: links and where they lead, package.json files read, places that were empty. */
  lookups(): {
    readonly links: ReadonlyMap<string, string>;
    readonly absent: ReadonlySet<string>;
    readonly packageFiles: ReadonlySet<string>;
  } {
    return { links: this.#links, absent: this.#absent, packageFiles: this.#packageFiles };
  }

  #identify(
    specifier: string,
    installed: InstalledPackage | undefined,
    resolvedFile: string | undefined,
  ): { readonly name: string; readonly version?: string } {
    const folder = installed?.link ?? (resolvedFile === undefined ? undefined : installedFolderOf(resolvedFile));
    if (folder !== undefined && (installed === undefined || resolvedFile !== undefined || isCoreSpecifier(specifier))) {
      const file = path.join(folder, "package.json");
      this.#packageFiles.add(file);
      const manifest = readPackageJson(file);
      if (typeof manifest?.name === "string") {
        return { name: manifest.name, ...(typeof manifest.version === "string" ? { version: manifest.version } : {}) };
      }
    }
    if (isCoreSpecifier(specifier)) return { name: CORE_NAME, version: coreVersion() };
    return { name: packageName(specifier) ?? specifier };
  }
}

/** `lodash` of `lodash/fp`, `@acme/x` of `@acme/x/sub`; undefined for what names no package (`#internal`, paths). */
export function packageName(specifier: string): string | undefined {
  return /^(?:@[^/]+\/)?[^@#./][^/]*/.exec(specifier)?.[0];
}

/** Whether a real path lies in a `node_modules` folder below the root, or anywhere when it is outside of the root. */
export function isInstalled(file: string, root: string): boolean {
  const relative = rootRelative(root, file);
  const inspected = relative.startsWith("../") || path.isAbsolute(relative) ? file : relative;
  return inspected.split(/[\\/]/).includes("node_modules");
}

function installedFolderOf(file: string): string | undefined {
  return /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(file)?.[0];
}

function isDeeper(folder: string, than: string): boolean {
  return folder.length > than.length;
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
