import fs from "node:fs";
import { isBuiltin } from "node:module";
import type { OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from "esbuild";
import { isCoreSpecifier } from "./core-package.ts";
import { type ExternalTable, isInstalled, packageName } from "./external-table.ts";
import { isInside } from "./package-root.ts";

/** Rides on our own resolutions, so that the plugin leaves them to esbuild. */
const OWN_RESOLUTION = Symbol("own resolution");

/** What the plugin says about a static import that leads nowhere; read by `bundle-errors.ts`. */
export interface UnresolvedDetail {
  readonly kind: "unresolved";
  readonly specifier: string;
  /** The package that would have to be installed. */
  readonly packageName: string | undefined;
  /** The package is there, but not the file that it names: mostly a workspace package that is not built. */
  readonly isInstalled: boolean;
}

/**
 * Decides for each bare import whether it goes into the bundle. Installed packages (real path in `node_modules`) stay
 * outside, under a name that remembers who imports them; workspace packages and tsconfig aliases go in; core always
 * stays outside, because the flow must meet the core that runs it.
 */
export function externalsPlugin(root: string, table: ExternalTable): Plugin {
  return {
    name: "millrace-externals",
    setup(build) {
      // Everything but relative and absolute paths; this is read by Go, which knows no look-ahead.
      build.onResolve({ filter: /^[^./]|^\.[^./]|^\.\.[^/]/ }, async (args) => {
        if (args.pluginData === OWN_RESOLUTION || args.kind === "entry-point" || args.namespace !== "file")
          return undefined;
        if (/^[a-zA-Z]:[\\/]/.test(args.path)) return undefined; // a drive letter: an absolute path
        if (isCoreSpecifier(args.path)) return { path: table.add(args.path, args.importer, undefined), external: true };
        if (isBuiltin(args.path)) return { path: args.path, external: true };
        if (/^(?:data|https?|file):/.test(args.path)) return undefined;
        return decide(build, root, table, args);
      });
    },
  };
}

async function decide(
  build: PluginBuild,
  root: string,
  table: ExternalTable,
  args: OnResolveArgs,
): Promise<OnResolveResult> {
  const resolved = await build.resolve(args.path, {
    resolveDir: args.resolveDir,
    kind: args.kind,
    importer: args.importer,
    namespace: args.namespace,
    with: args.with,
    pluginData: OWN_RESOLUTION,
  });
  const installed = table.find(args.path, args.resolveDir);
  if (resolved.errors.length > 0) {
    if (args.kind !== "import-statement")
      return { path: table.add(args.path, args.importer, undefined), external: true };
    const detail: UnresolvedDetail = {
      kind: "unresolved",
      specifier: args.path,
      packageName: packageName(args.path),
      isInstalled: installed !== undefined,
    };
    return { errors: [{ text: `Could not resolve "${args.path}"`, detail }] };
  }
  const file = fs.existsSync(resolved.path) ? fs.realpathSync.native(resolved.path) : resolved.path;
  const isAlias = !args.path.startsWith("#") && (installed === undefined || !isInside(file, installed.realFolder));
  // An alias that leads into node_modules means nothing to Node, and Node runs no TypeScript from there.
  const goesIn = !isInstalled(file, root) || isAlias || /\.[cm]?tsx?$/.test(file);
  if (!goesIn) return { path: table.add(args.path, args.importer, file), external: true };
  return {
    path: resolved.path,
    namespace: resolved.namespace,
    suffix: resolved.suffix,
    sideEffects: resolved.sideEffects,
  };
}
