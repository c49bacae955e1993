import fs from "node:fs";
import {
  createRequire,
  type LoadFnOutput,
  type ResolveFnOutput,
  type ResolveHookContext,
  registerHooks,
} from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { FlowError } from "../errors/flow-error.ts";
import { coreFileUrl, coreFolder, isCoreSpecifier, runsFromSource } from "./core-package.ts";
import { EXTERNAL_SCHEME } from "./external-scheme.ts";
import type { ExternalPackage } from "./flow-package.ts";

/** A code package that this thread has loaded or is loading. */
export interface LoadedPackage {
  /** Address of the bundle, as its modules have it for their parent. */
  readonly url: string;
  readonly file: string;
  readonly root: string;
  /** By `<key>/<specifier>`. */
  readonly externals: ReadonlyMap<string, ExternalPackage>;
}

/** What a bundle's `millrace:@local` offers it; see `localize-source.ts`. */
interface LocalModule {
  readonly require: NodeJS.Require;
  readonly source: (source: string) => LocalSource;
}

/** What a module says of its own place. */
interface LocalSource {
  readonly meta: SourceMeta;
  readonly resolve: NodeJS.RequireResolve;
  readonly load: NodeJS.Require;
}

/** `import.meta` of a user's module: that of its source file. */
interface SourceMeta {
  readonly url: string;
  readonly filename: string;
  readonly dirname: string;
  readonly main: false;
  readonly resolve: (specifier: string) => string;
}

/** One state a thread, also when two copies of core run in it: the first one's hooks serve both. */
interface LoaderState {
  readonly packages: Map<string, LoadedPackage>;
  readonly localOf: Map<string, LocalModule>;
  hooksInstalled: boolean;
  /** See `hasLoadedOthers`. */
  hasOthers?: boolean;
}

const STATE = Symbol.for("millrace.loader.1");
const LOCAL_SPECIFIER = `${EXTERNAL_SCHEME}@local`;
const LOCAL_ADDRESS = "millrace-local:";
const MISSING = new Set(["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"]);

function state(): LoaderState {
  const holder = globalThis as { [STATE]?: LoaderState };
  holder[STATE] ??= { packages: new Map(), localOf: new Map(), hooksInstalled: false };
  return holder[STATE];
}

export function loadedPackages(): Map<string, LoadedPackage> {
  return state().packages;
}

/**
 * Whether modules of a flow have loaded others that stay loaded with all that they know when the flow is loaded anew: installed
 * packages, or files that no bundle has. Millrace and zod know nothing of a run.
 */
export function hasLoadedOthers(): boolean {
  return state().hasOthers === true;
}

/** Installs the hooks, once a thread. */
export function installHooks(): void {
  const loader = state();
  if (loader.hooksInstalled) return;
  loader.hooksInstalled = true;
  registerHooks({
    resolve(specifier, context, nextResolve) {
      if (!specifier.startsWith(EXTERNAL_SCHEME)) {
        const found = nextResolve(specifier, context);
        if (!found.url.startsWith("node:") && isOfUser(context.parentURL)) loader.hasOthers = true;
        return found;
      }
      const pack = loader.packages.get(context.parentURL ?? "");
      if (pack === undefined) return nextResolve(specifier, context);
      if (specifier === LOCAL_SPECIFIER)
        return { url: LOCAL_ADDRESS + encodeURIComponent(pack.url), format: "module", shortCircuit: true };
      const external = externalOf(pack, specifier);
      noteOther(external);
      return resolveExternal(pack, external, (wanted, more) => nextResolve(wanted, { ...context, ...more }));
    },
    load(url, context, nextLoad) {
      if (url.startsWith(LOCAL_ADDRESS)) return localModuleSource(url);
      const pack = loader.packages.get(url);
      return pack === undefined ? nextLoad(url, context) : bundleSource(pack);
    },
  });
}

const coreAddress = pathToFileURL(coreFolder() + path.sep).href;

/** What Millrace loads by itself. */
const OWN_PACKAGES = ["/node_modules/zod/", "/node_modules/better-sqlite3/"];

/** Whether code of a flow asks for a module, or a package that it has loaded: neither Millrace nor what that loads. */
function isOfUser(parent: string | undefined): boolean {
  if (parent === undefined || state().packages.has(parent)) return parent !== undefined;
  return !parent.startsWith(coreAddress) && !OWN_PACKAGES.some((folder) => parent.includes(folder));
}

function noteOther({ name, specifier }: ExternalPackage): void {
  if (!isCoreSpecifier(specifier) && name !== "zod") state().hasOthers = true;
}

type Resolve = (specifier: string, context: Partial<ResolveHookContext>) => ResolveFnOutput;

function resolveExternal(pack: LoadedPackage, external: ExternalPackage, resolve: Resolve): ResolveFnOutput {
  // Work on core itself: its sources serve the flow too, or an older build would.
  const isCore = isCoreSpecifier(external.specifier);
  if (isCore && runsFromSource) {
    const source = coreFileUrl(external.specifier);
    if (source !== undefined) return { url: source, format: "module-typescript", shortCircuit: true };
  }
  try {
    return resolve(external.specifier, { parentURL: pathToFileURL(importerFile(pack, external)).href });
  } catch (error) {
    const running = isCore ? coreFileUrl(external.specifier) : undefined;
    if (running !== undefined) return { url: running, format: "module", shortCircuit: true };
    throw missingError(pack, external, error);
  }
}

function missingError(pack: LoadedPackage, external: ExternalPackage, error: unknown): unknown {
  const wasThere = external.version !== undefined;
  // An optional import that was not there when the package was made: whoever tries it knows Node's own error.
  if (!wasThere || !MISSING.has((error as NodeJS.ErrnoException | undefined)?.code ?? "")) return error;
  const importer = path.join(pack.root, external.importer);
  return new FlowError("FLOW_PACKAGE_EXTERNAL_MISSING", {
    message: `Cannot find "${external.specifier}": "${external.name}" ${external.version} is wanted by "${importer}" but is not installed there`,
    hint: `Install the packages of "${importer}" again, for example with npm install ${external.name}@${external.version}`,
    context: { specifier: external.specifier, name: external.name, version: external.version, importer },
    cause: error,
  });
}

function externalOf(pack: LoadedPackage, specifier: string): ExternalPackage {
  const external = pack.externals.get(specifier.slice(EXTERNAL_SCHEME.length));
  if (external !== undefined) return external;
  throw new FlowError("FLOW_PACKAGE_DAMAGED", {
    message: `Cannot load "${pack.file}": its manifest does not know "${specifier}"`,
    hint: "Run the flow file again: the package is rebuilt from the sources",
  });
}

/** A file name in the importer's folder; nothing is read from it, only its folder matters. */
function importerFile(pack: LoadedPackage, external: ExternalPackage): string {
  return path.join(pack.root, external.importer, "package.json");
}

/**
 * The bundle with its source map inside. In the stored map, `sources` are relative to a root that differs from machine
 * to machine; here the root is filled in, so that traces and debuggers name the files that the user has open.
 */
function bundleSource(pack: LoadedPackage): LoadFnOutput {
  const code = fs.readFileSync(pack.file, "utf8");
  const map = fs.readFileSync(`${pack.file}.map`, "utf8");
  const sourceRoot = JSON.stringify(pathToFileURL(pack.root + path.sep).href);
  const located = `{"sourceRoot":${sourceRoot},${map.trimStart().slice(1)}`;
  const comment = code.lastIndexOf("//# sourceMappingURL=");
  const source = `${comment === -1 ? code : code.slice(0, comment)}//# sourceMappingURL=data:application/json;base64,${Buffer.from(located).toString("base64")}\n`;
  return { format: "module", source, shortCircuit: true };
}

function localModuleSource(address: string): LoadFnOutput {
  const pack = state().packages.get(decodeURIComponent(address.slice(LOCAL_ADDRESS.length)));
  if (pack === undefined)
    throw new FlowError("FLOW_INTERNAL", { message: `No package is registered for "${address}"` });
  state().localOf.set(address, localModule(pack));
  const source = `const local = globalThis[Symbol.for(${JSON.stringify(STATE.description)})].localOf.get(${JSON.stringify(address)});
export const require = local.require;
export const source = local.source;
`;
  return { format: "module", source, shortCircuit: true };
}

function localModule(pack: LoadedPackage): LocalModule {
  const source = (relative: string): LocalSource => {
    const filename = path.join(pack.root, relative);
    const load = createRequire(filename);
    return { meta: sourceMeta(filename), resolve: load.resolve, load };
  };
  return { source, require: requireOf(pack, source) };
}

function sourceMeta(filename: string): SourceMeta {
  return {
    url: pathToFileURL(filename).href,
    filename,
    dirname: path.dirname(filename),
    main: false,
    resolve: (specifier) => resolveFrom(filename, specifier),
  };
}

/** `require` of the CommonJS modules in a bundle. */
function requireOf(pack: LoadedPackage, source: LocalModule["source"]): NodeJS.Require {
  const base = createRequire(path.join(pack.root, "package.json"));
  const resolve = (specifier: string, options?: { paths?: string[] }): string => {
    if (!specifier.startsWith(EXTERNAL_SCHEME)) return base.resolve(specifier, options);
    const external = externalOf(pack, specifier);
    noteOther(external);
    const find: Resolve = (wanted) => ({ url: createRequire(importerFile(pack, external)).resolve(wanted) });
    const found = resolveExternal(pack, external, find).url;
    return found.startsWith("file:") ? fileURLToPath(found) : found;
  };
  const require = (specifier: string): unknown =>
    specifier === LOCAL_SPECIFIER ? { source } : base(resolve(specifier));
  return Object.assign(require, base, {
    resolve: Object.assign(resolve, { paths: base.resolve.paths }),
  }) as NodeJS.Require;
}

function resolveFrom(filename: string, specifier: string): string {
  if (/^\.{0,2}\//.test(specifier)) return new URL(specifier, pathToFileURL(filename)).href;
  if (/^[a-z][a-z0-9+.-]+:/i.test(specifier)) return specifier;
  const found = createRequire(filename).resolve(specifier);
  return path.isAbsolute(found) ? pathToFileURL(found).href : `node:${found}`;
}
