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
import { isMainThread } from "node:worker_threads";
import { FlowError, isFlowError, type SourceLocation } from "../errors/flow-error.ts";
import { CORE_NAME, coreFileUrl, runsFromSource } from "./core-package.ts";
import { displayPath } from "./display-path.ts";
import type { PackageManifest } from "./flow-package.ts";
import { installHooks, type LoadedPackage, loadedPackages } from "./load-hooks.ts";
import { BUNDLE_FILE } from "./package-files.ts";
import { placeIn } from "./user-stack.ts";

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
 * @param instance which instance of its modules is wanted: each has its own variables. Default 1
 * @returns the module's namespace; the same one for each call in a thread that asks for the same instance
 * @throws FlowError FLOW_PACKAGE_EXTERNAL_MISSING, FLOW_PACKAGE_LOAD_FAILED, FLOW_PACKAGE_DAMAGED
 * @example
 * ```ts
 * const pack = await preparePackage("train.ts");
 * const { default: Train } = await loadPackage(pack);
 * ```
 */
export async function loadPackage(pack: LoadablePackage, instance = 1): Promise<Readonly<Record<string, unknown>>> {
  if (!runsFromSource) await writtenImport(coreFileUrl(CORE_NAME)!); // Later, Node would read the source maps of all its files.
  enableSourceMaps();
  installHooks();
  const url = register(pack, instance);
  try {
    return (await withoutExit(pack, () => importModule(url))) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw loadError(pack, error);
  }
}

/** Packages that load at this moment, each with the attempt of one of its modules to end the process. */
const loading: { readonly pack: LoadablePackage; attempt?: FlowError }[] = [];
let realExit: typeof process.exit | undefined;

/**
 * Runs `load` without `process.exit`: a module that calls it while it is loaded would end a command without a word.
 * Handlers of signals and the like keep it. A worker thread has an exit of its own, which whoever started it notices.
 */
async function withoutExit<R>(pack: LoadablePackage, load: () => Promise<R>): Promise<R> {
  if (!isMainThread) return load();
  const own: (typeof loading)[number] = { pack };
  loading.push(own);
  if (realExit === undefined) {
    realExit = process.exit;
    process.exit = refuseExit;
  }
  try {
    const loaded = await load();
    if (own.attempt !== undefined) throw own.attempt; // the module caught the error and went on
    return loaded;
  } finally {
    loading.splice(loading.indexOf(own), 1);
    if (loading.length === 0) {
      process.exit = realExit;
      realExit = undefined;
    }
  }
}

function refuseExit(code?: number | string | null): never {
  const current = loading.at(-1);
  if (current === undefined || /\bat process\.emit \(node:events/.test(new Error().stack ?? "")) return realExit!(code);
  current.attempt ??= exitError(current.pack);
  throw current.attempt;
}

function exitError(pack: LoadablePackage): FlowError {
  const { entry } = pack.manifest;
  const { text, location } = placeOf(pack, new Error());
  return new FlowError("FLOW_PACKAGE_LOAD_FAILED", {
    message: `Cannot load "${entry}": it ended the process while it was loaded${text}`,
    hint: "Remove the call of process.exit from the top level of the module",
    context: { entry, ...(location === undefined ? {} : { location }) },
  });
}

/**
 * The address of the bundle, with links resolved, as Node's loader does with all files: the cache folder may be behind
 * one. Two roots that share one package folder are two modules: their sources differ by place.
 */
function register(pack: LoadablePackage, instance: number): string {
  const file = path.join(pack.folder, BUNDLE_FILE);
  if (!fs.existsSync(file)) {
    throw new FlowError("FLOW_PACKAGE_DAMAGED", {
      message: `Cannot load the code package of "${pack.manifest.entry}": "${file}" is not there`,
      hint: "Run the flow file again: the package is rebuilt from the sources",
    });
  }
  const packages = loadedPackages();
  const real = fs.realpathSync.native(file);
  const plain = pathToFileURL(real).href;
  const taken = packages.get(plain);
  const marks = [
    ...(taken === undefined || taken.root === pack.root ? [] : [`root=${encodeURIComponent(pack.root)}`]),
    ...(instance === 1 ? [] : [`instance=${instance}`]),
  ];
  const url = marks.length === 0 ? plain : `${plain}?${marks.join("&")}`;
  if (!packages.has(url)) packages.set(url, loadedPackage(url, real, pack));
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
  const { text, location } = placeOf(pack, error);
  return new FlowError("FLOW_PACKAGE_LOAD_FAILED", {
    message: `Cannot load "${pack.manifest.entry}": ${message.replaceAll(/millrace:[^/\s]*\//g, "")}${text}`,
    context: { entry: pack.manifest.entry, ...(location === undefined ? {} : { location }) },
    cause: error,
  });
}

/** Only a line of the flow's own sources is of use: the program that loads the flow is in the stack as well. */
function placeOf(
  pack: LoadablePackage,
  error: unknown,
): { readonly text: string; readonly location: SourceLocation | undefined } {
  const sources = new Set(pack.manifest.sources.map((source) => path.join(pack.root, source.path)));
  const location = placeIn(error, (file) => sources.has(file));
  if (location === undefined) return { text: "", location };
  return { text: ` (${displayPath(location.file)}:${location.line}:${location.column})`, location };
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
