/**
 * Libraries of codecs: whether they are installed, in which version, and loaded on first use. None of them comes with this
 * package, so a missing one is the ordinary case, and the error is the command that installs it.
 */
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { MlError } from "../ml-error.ts";
import type { ModelLibrary } from "./model-codec.ts";

/** A library by name and version, as it is kept with a model. */
export interface LibraryVersion {
  readonly package: string;
  readonly version: string;
}

/**
 * The version of an installed library; reads its package.json and loads nothing.
 *
 * @throws MlError ML_LIBRARY_MISSING
 */
export function libraryVersion(library: ModelLibrary, action: string): LibraryVersion {
  const other = library.instead?.find((name) => installedVersion(name, library.from) !== undefined);
  if (other !== undefined) return { package: other, version: installedVersion(other, library.from)! };
  const needed = { [library.package]: library.range, ...library.alsoNeeds };
  const missing = Object.keys(needed).filter((name) => installedVersion(name, library.from) === undefined);
  if (missing.length > 0) {
    throw new MlError(
      "ML_LIBRARY_MISSING",
      `${action}: ${missing.length === 1 ? "the package" : "the packages"} ${missing.map((name) => `"${name}"`).join(", ")} ${missing.length === 1 ? "is" : "are"} not installed`,
      `run: npm install ${missing.map((name) => `${name}@${needed[name]}`).join(" ")}`,
    );
  }
  return { package: library.package, version: installedVersion(library.package, library.from)! };
}

const loaded = new WeakMap<ModelLibrary, Promise<unknown>>();

/**
 * The module of a library, imported once.
 *
 * @throws MlError ML_LIBRARY_MISSING, ML_LIBRARY_BROKEN
 */
export async function loadLibrary<M>(library: ModelLibrary<M>, action: string): Promise<M> {
  const known = loaded.get(library);
  if (known !== undefined) return (await known) as M;
  libraryVersion(library, action);
  const loading = library.import();
  loaded.set(library, loading);
  try {
    return await loading;
  } catch (cause) {
    loaded.delete(library); // Whoever mends the installation need not start the process again.
    throw new MlError(
      "ML_LIBRARY_BROKEN",
      `${action}: loading "${library.package}" failed: ${(cause as Error).message}`,
      "install it again",
      { cause },
    );
  }
}

/** What becomes of a model that another version of its library has saved. */
export type VersionDrift = "none" | "compatible" | "breaking";

/** As npm's caret reads versions: below 1.0.0 another minor version may break things, below 0.1.0 any other version. */
export function versionDrift(saved: string, installed: string): VersionDrift {
  if (saved === installed) return "none";
  const [one, other] = [saved, installed].map((version) => /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number));
  if (one === undefined || other === undefined) return "breaking";
  const leading = one[0]! > 0 ? 1 : one[1]! > 0 ? 2 : 3;
  return one.slice(0, leading).every((part, index) => part === other[index]) ? "compatible" : "breaking";
}

function installedVersion(name: string, from: string): string | undefined {
  try {
    const file = findPackageJSON(name, from);
    if (file === undefined) return undefined;
    const { version } = JSON.parse(readFileSync(file, "utf8")) as { readonly version?: unknown };
    return typeof version === "string" ? version : undefined;
  } catch {
    return undefined; // Node throws for a package that is not there.
  }
}
