import path from "node:path";
import { isCoreSpecifier } from "./core-package.ts";
import { packageName } from "./external-table.ts";
import type { FlowPackage } from "./flow-package.ts";
import { fileDigest } from "./package-digest.ts";
import { foldersUpwards, readPackageJson } from "./package-root.ts";

/** Names that are listed; a flow that imports more is not told by them. */
const MOST_PACKAGES = 1_000;

/** What decides which code of others a code package runs with on this machine, read from the files as they are now. */
export interface InstalledFacts {
  /** Exact versions of the packages that the flow's own code imports; core is not among them. */
  readonly packages?: Readonly<Record<string, string>>;
  readonly lockfile?: { readonly path: string; readonly digest: string };
  readonly packageManager?: string;
}

/** @param userAgent of the package manager that started this process, as it tells its children: `pnpm/10.4.1 npm/? …` */
export function installedFacts(
  { root, manifest, installed }: Pick<FlowPackage, "root" | "manifest" | "installed">,
  userAgent: string | undefined,
): InstalledFacts {
  const packages = importedPackages(root, manifest);
  const { lockfile } = manifest;
  // Of a package that was built here its digest was compared with the file when the package was prepared.
  const digest =
    lockfile === undefined
      ? undefined
      : installed !== undefined
        ? lockfile.digest
        : fileDigest(path.join(root, lockfile.path));
  const manager = packageManagerOf(root, lockfile?.path, userAgent);
  return {
    ...(Object.keys(packages).length === 0 ? {} : { packages }),
    ...(digest === undefined ? {} : { lockfile: { path: lockfile!.path, digest } }),
    ...(manager === undefined ? {} : { packageManager: manager }),
  };
}

function importedPackages(root: string, { externals }: FlowPackage["manifest"]): Readonly<Record<string, string>> {
  const versions = new Map<string, Set<string>>();
  for (const { specifier, name, importer } of externals) {
    if (isCoreSpecifier(specifier)) continue;
    const found = installedVersion(packageName(specifier) ?? name, path.join(root, importer)) ?? "none";
    const known = versions.get(name);
    if (known !== undefined) known.add(found);
    else if (versions.size < MOST_PACKAGES) versions.set(name, new Set([found]));
  }
  // Under one name two parts of a workspace may import two versions.
  return Object.fromEntries([...versions].sort().map(([name, list]) => [name, [...list].sort().join(", ")]));
}

function installedVersion(name: string, from: string): string | undefined {
  for (const folder of foldersUpwards(from)) {
    if (path.basename(folder) === "node_modules") continue;
    const version = readPackageJson(path.join(folder, "node_modules", name, "package.json"))?.version;
    if (typeof version === "string") return version;
  }
  return undefined;
}

const BY_LOCKFILE: Readonly<Record<string, string>> = {
  "pnpm-lock.yaml": "pnpm",
  "package-lock.json": "npm",
  "npm-shrinkwrap.json": "npm",
  "yarn.lock": "yarn",
  "bun.lock": "bun",
  "bun.lockb": "bun",
};

/** `pnpm 10.4.1`, as package.json states it or who started the process; without a version where nobody says it. */
function packageManagerOf(
  root: string,
  lockfile: string | undefined,
  userAgent: string | undefined,
): string | undefined {
  const stated = (readPackageJson(path.join(root, "package.json")) as { readonly packageManager?: unknown } | undefined)
    ?.packageManager;
  const [, name, version] = /^([a-z]+)@(\d[\w.-]*)/.exec(typeof stated === "string" ? stated : "") ?? [];
  if (name !== undefined) return `${name} ${version}`;
  const byFile = lockfile === undefined ? undefined : BY_LOCKFILE[path.basename(lockfile)];
  const [, agent, agentVersion] = /^([a-z]+)\/(\d[\w.-]*)/.exec(userAgent ?? "") ?? [];
  return agent !== undefined && (byFile === undefined || byFile === agent) ? `${agent} ${agentVersion}` : byFile;
}
