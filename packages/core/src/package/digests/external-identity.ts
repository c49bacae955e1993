import fs from "node:fs";
import path from "node:path";
import { CORE_NAME, isCoreSpecifier } from "../core-package.ts";
import { packageName } from "../external-table.ts";
import type { ExternalPackage, PackageManifest } from "../flow-package.ts";
import { contentDigest } from "../package-digest.ts";
import { foldersUpwards, readPackageJson } from "../package-root.ts";

/** Packages that are looked at below one import: far more than any flow's installation has; past it versions are cut off. */
const MAX_PACKAGES = 5_000;

/** What is counted of an installed package: which exact versions run when it is imported. */
export interface ExternalIdentity {
  /** `lodash@4.17.21`, and a digest over the packages that it needs itself, as they are installed. */
  readonly text: string;
  /** Whether it, or what it needs, uses core: it may teach the store classes of its own. */
  readonly usesCore: boolean;
}

/** Identities of a manifest's externals by `<key>/<specifier>`. */
export function externalIdentities(
  root: string,
  manifest: Pick<PackageManifest, "externals">,
): ReadonlyMap<string, ExternalIdentity> {
  const known = new Map<string, ExternalIdentity>();
  const packages = new Map<string, Installed | undefined>();
  for (const row of manifest.externals) {
    const key = `${row.key}/${row.specifier}`;
    if (isCoreSpecifier(row.specifier))
      known.set(key, { text: `${row.specifier}@${row.version ?? ""}`, usesCore: false });
    else known.set(key, identityOf(row, path.join(root, row.importer), packages));
  }
  return known;
}

interface Installed {
  readonly folder: string;
  readonly label: string;
  readonly needs: readonly string[];
}

function identityOf(
  row: ExternalPackage,
  importer: string,
  packages: Map<string, Installed | undefined>,
): ExternalIdentity {
  const labels = new Set<string>();
  let usesCore = false;
  const open: { readonly name: string; readonly from: string }[] = [
    // Under the name by which it is installed, which an alias makes another than its own.
    { name: packageName(row.specifier) ?? row.name, from: importer },
  ];
  const seen = new Set<string>();
  for (let next = open.pop(); next !== undefined && seen.size < MAX_PACKAGES; next = open.pop()) {
    if (next.name === CORE_NAME) {
      usesCore = true;
      continue;
    }
    const found = installedPackage(next.name, next.from, packages);
    if (found === undefined || seen.has(found.folder)) continue;
    seen.add(found.folder);
    labels.add(found.label);
    for (const name of found.needs) open.push({ name, from: found.folder });
  }
  const below = contentDigest([...labels].sort().join("\n")).slice(0, 16);
  return { text: `${row.specifier} of ${row.name}@${row.version ?? "none"} with ${below}`, usesCore };
}

function installedPackage(
  name: string,
  from: string,
  packages: Map<string, Installed | undefined>,
): Installed | undefined {
  for (const folder of foldersUpwards(from)) {
    if (path.basename(folder) === "node_modules") continue;
    const link = path.join(folder, "node_modules", name);
    if (!packages.has(link)) packages.set(link, readInstalled(link));
    const found = packages.get(link);
    if (found !== undefined) return found;
  }
  return undefined;
}

function readInstalled(link: string): Installed | undefined {
  const manifest = readPackageJson(path.join(link, "package.json")) as Readonly<Record<string, unknown>> | undefined;
  if (manifest === undefined) return undefined;
  // Optional dependencies differ from machine to machine (binaries for a platform) and go with their package's version.
  const needs = ["dependencies", "peerDependencies"].flatMap((field) =>
    Object.keys((manifest[field] as object | undefined) ?? {}),
  );
  return { folder: fs.realpathSync.native(link), label: `${String(manifest.name)}@${String(manifest.version)}`, needs };
}
