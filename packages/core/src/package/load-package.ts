/**
 * Loads a code package in this thread: main thread, worker thread or child process.
 *
 * A bundle names installed packages as `millrace:<key>/<specifier>`; hooks of Node's module loader, installed once a
 * thread, resolve that from the importer's own folder below the root of this machine. Invariants: nothing but the
 * bundle and installed packages is executed; the hooks touch no module that is not part of a package loaded here; stack
 * traces and `import.meta` show the sources below the root. Not here: making packages (`prepare-package.ts`).
 */
import fs from "node:fs";
import * as nodeModule from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { constants, Script } from "node:vm";
import { FlowError, isFlowError } from "../errors/flow-error.ts";
import type { PackageManifest } from "./flow-package.ts";
import { installHooks, type LoadedPackage, loadedPackages } from "./load-hooks.ts";
import { BUNDLE_FILE } from "./package-files.ts";

/** What a thread needs to know to load a package. Plain data: it travels to workers as it is. */
export interface LoadablePackage {
  readonly folder: string;
  readonly root: string;
  readonly manifest: PackageManifest;
}

/**
 * Loads a code package and gives what its entry module exports.
 *
 * @param pack folder of the package, root that its relative paths start from on this machine, manifest
 * @returns the module's namespace; the same one for each call in a thread
 * @throws FlowError FLOW_PACKAGE_EXTERNAL_MISSING, FLOW_PACKAGE_LOAD_FAILED, FLOW_PACKAGE_DAMAGED
 * @example
 * ```ts
 * const pack = await preparePackage("train.ts");
 * const { default: Train } = await loadPackage(pack);
 * ```
 */
export async function loadPackage(pack: LoadablePackage): Promise<Readonly<Record<string, unknown>>> {
  enableSourceMaps();
  installHooks();
  const url = register(pack);
  try {
    return (await importModule(url)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw loadError(pack, error);
  }
}

/** The address of the bundle. Two roots that share one package folder are two modules: their sources differ by place. */
function register(pack: LoadablePackage): string {
  const file = path.join(pack.folder, BUNDLE_FILE);
  if (!fs.existsSync(file)) {
    throw new FlowError("FLOW_PACKAGE_DAMAGED", {
      message: `Cannot load the code package of "${pack.manifest.entry}": "${file}" is not there`,
      hint: "Run the flow file again: the package is rebuilt from the sources",
    });
  }
  const packages = loadedPackages();
  const plain = pathToFileURL(file).href;
  const taken = packages.get(plain);
  const url =
    taken === undefined || taken.root === pack.root ? plain : `${plain}?root=${encodeURIComponent(pack.root)}`;
  if (!packages.has(url)) packages.set(url, loadedPackage(url, file, pack));
  return url;
}

function loadedPackage(url: string, file: string, pack: LoadablePackage): LoadedPackage {
  return {
    url,
    file,
    root: pack.root,
    externals: new Map(pack.manifest.externals.map((row) => [`${row.key}/${row.specifier}`, row])),
  };
}

function loadError(pack: LoadablePackage, error: unknown): unknown {
  if (isFlowError(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new FlowError("FLOW_PACKAGE_LOAD_FAILED", {
    message: `Cannot load "${pack.manifest.entry}": ${message.replaceAll(/millrace:[^/\s]*\//g, "")}`,
    context: { entry: pack.manifest.entry },
    cause: error,
  });
}

/**
 * Stack traces show the sources, also for a cache below node_modules, which Node leaves out by default.
 */
function enableSourceMaps(): void {
  const { setSourceMapsSupport } = nodeModule;
  if (typeof setSourceMapsSupport === "function") setSourceMapsSupport(true, { nodeModules: true });
  else process.setSourceMapsEnabled(true);
}

type Import = (url: string) => Promise<unknown>;

const writtenImport: Import = (url) => import(/* @vite-ignore */ url);

/**
 * Node's own `import()`. Tools that run modules themselves (vitest) rewrite the expression, and what they put in its
 * place knows nothing of the hooks. Then, and only then, since Node warns of it, it is compiled out of their sight.
 */
const importModule: Import = /\bimport\(/.test(String(writtenImport))
  ? writtenImport
  : (new Script("(url) => import(url)", {
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    }).runInThisContext() as Import);
