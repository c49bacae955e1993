import fs from "node:fs";
import path from "node:path";
import type { FlowBundle } from "./bundle-flow.ts";
import { fileDigest } from "./package-digest.ts";
import { foldersUpwards, isInside, nearestPackageFolder, type PackageRoot } from "./package-root.ts";
import { type TsconfigChain, tsconfigChain } from "./tsconfig-chain.ts";

/** All that decided what a code package holds: as long as every line still holds, a new build would give the same. */
export interface PackageInputs {
  /** Absolute path and sha-256 of each file that was read. */
  readonly files: readonly (readonly [file: string, digest: string])[];
  /** Paths that were looked for and not found. */
  readonly absent: readonly string[];
  /** Links in `node_modules` and where they lead. */
  readonly links: readonly (readonly [link: string, target: string])[];
}

/** Endings that esbuild tries, and those that stand for a JavaScript ending in a TypeScript import. */
const ENDINGS = [".tsx", ".ts", ".jsx", ".js", ".css", ".json"];
const REWRITTEN: Readonly<Record<string, readonly string[]>> = {
  ".js": [".ts", ".tsx"],
  ".jsx": [".ts", ".tsx"],
  ".mjs": [".mts"],
  ".cjs": [".cts"],
};

/** Collects the inputs of a bundle: sources, tsconfig chains, package.json files, lockfile, links, empty look-ups. */
export function collectInputs(
  bundle: FlowBundle,
  root: PackageRoot,
  chains: ReadonlyMap<string, TsconfigChain>,
): PackageInputs {
  const files = new Map<string, string>();
  const absent = new Set<string>();
  const note = (file: string) => {
    if (files.has(file)) return;
    const digest = fileDigest(file);
    if (digest === undefined) absent.add(nearestAbsent(file));
    else files.set(file, digest);
  };
  for (const [file, source] of bundle.sources) files.set(file, source.digest);
  if (root.lockfile !== undefined) files.set(root.lockfile, bundle.manifest.lockfile?.digest ?? "");
  for (const [folder, chain] of chains) {
    for (const file of chain.files) note(file);
    for (const file of chain.absent) absent.add(file);
    const last = isInside(folder, root.folder) ? root.folder : nearestPackageFolder(folder, root.folder);
    for (const current of foldersUpwards(folder, last)) note(path.join(current, "package.json"));
  }
  const lookups = bundle.externals.lookups();
  for (const file of lookups.packageFiles) note(file);
  for (const file of lookups.absent) absent.add(nearestAbsent(file));
  for (const [importer, imports] of bundle.imports) {
    for (const { specifier, file } of imports) {
      for (const candidate of candidates(importer, specifier, file, chains.get(path.dirname(importer)))) {
        if (!fs.existsSync(candidate)) absent.add(nearestAbsent(candidate));
      }
    }
  }
  return { files: [...files], absent: [...absent].sort(), links: [...lookups.links] };
}

/** Whether all inputs are what they were, by their contents. */
export function areInputsUnchanged(inputs: PackageInputs): boolean {
  return (
    inputs.files.every(([file, digest]) => fileDigest(file) === digest) &&
    inputs.absent.every((file) => !fs.existsSync(file)) &&
    inputs.links.every(([link, target]) => leadsTo(link, target))
  );
}

/** The tsconfig chain for each folder that holds sources. */
export function chainsOf(sources: Iterable<string>, root: string): ReadonlyMap<string, TsconfigChain> {
  const chains = new Map<string, TsconfigChain>();
  for (const file of sources) {
    const folder = path.dirname(file);
    if (!chains.has(folder)) chains.set(folder, tsconfigChain(folder, root));
  }
  return chains;
}

/**
 * The paths at which a file would be taken instead of the one that was found. More are named than esbuild would prefer:
 * a needless rebuild gives the same digest, a missed one would run old code.
 */
function candidates(
  importer: string,
  specifier: string,
  found: string | undefined,
  chain: TsconfigChain | undefined,
): readonly string[] {
  const isRelative = /^\.{1,2}(?:\/|$)/.test(specifier);
  const bases = isRelative ? [path.resolve(path.dirname(importer), specifier)] : aliasBases(specifier, chain);
  return bases.flatMap((base) => {
    if (base === found) return [];
    const ending = path.extname(base);
    const rewritten = (REWRITTEN[ending] ?? []).map((other) => base.slice(0, -ending.length) + other);
    const inFolder = ["package.json", ...ENDINGS.map((other) => `index${other}`)].map((name) => path.join(base, name));
    return [base, ...rewritten, ...ENDINGS.map((other) => base + other), ...inFolder];
  });
}

function aliasBases(specifier: string, chain: TsconfigChain | undefined): readonly string[] {
  const bases = chain?.baseUrl === undefined ? [] : [path.resolve(chain.baseUrl, specifier)];
  for (const [pattern, targets] of Object.entries(chain?.paths?.patterns ?? {})) {
    const matched = matchPattern(pattern, specifier);
    if (matched === undefined) continue;
    bases.push(
      ...targets.map((target) =>
        path.resolve(
          chain?.paths?.folder ?? "",
          target.replace("*", () => matched),
        ),
      ),
    );
  }
  return bases;
}

function matchPattern(pattern: string, specifier: string): string | undefined {
  const star = pattern.indexOf("*");
  if (star === -1) return pattern === specifier ? "" : undefined;
  const [before, after] = [pattern.slice(0, star), pattern.slice(star + 1)];
  const fits =
    specifier.length >= before.length + after.length && specifier.startsWith(before) && specifier.endsWith(after);
  return fits ? specifier.slice(before.length, specifier.length - after.length) : undefined;
}

/** A missing file in a missing folder is told by the folder: one look then answers for all that would be in it. */
function nearestAbsent(file: string): string {
  let current = file;
  for (let parent = path.dirname(file); parent !== current && !fs.existsSync(parent); parent = path.dirname(parent))
    current = parent;
  return current;
}

function leadsTo(link: string, target: string): boolean {
  try {
    return fs.realpathSync.native(link) === target;
  } catch {
    return false;
  }
}
