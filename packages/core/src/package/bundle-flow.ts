import path from "node:path";
import type { Metafile } from "esbuild";
import { bundleError } from "./bundle-errors.ts";
import { coreVersion, isCoreSpecifier } from "./core-package.ts";
import { EXTERNAL_SCHEME } from "./external-scheme.ts";
import { ExternalTable } from "./external-table.ts";
import { externalsPlugin } from "./externals-plugin.ts";
import type { PackageManifest } from "./flow-package.ts";
import { LOCAL_MODULE } from "./localize-source.ts";
import { withModuleVariables } from "./module-variables.ts";
import { fileDigest } from "./package-digest.ts";
import { BUNDLE_FILE, MAP_FILE } from "./package-files.ts";
import { type PackageRoot, rootRelative } from "./package-root.ts";
import { type SourceModule, sourceModulesPlugin } from "./source-modules.ts";

/** Node's own syntax from 22 on; decorators are lowered, which "esnext" would leave in. */
const TARGET = "node22";

/** A flow file as one module, with all that is known about where it came from. */
export interface FlowBundle {
  readonly code: string;
  readonly map: string;
  readonly manifest: PackageManifest;
  /** By absolute path, in the order of the manifest. */
  readonly sources: ReadonlyMap<string, SourceModule>;
  /** Imports as the sources have them, by absolute path of the importer. */
  readonly imports: ReadonlyMap<string, readonly SourceImport[]>;
  readonly externals: ExternalTable;
}

export interface SourceImport {
  /** As written. */
  readonly specifier: string;
  /** The file that was found; undefined for what stays outside. */
  readonly file: string | undefined;
}

/** Bundles a flow file; the result holds no absolute path and is the same for the same sources in any folder. */
export async function bundleFlow(entry: string, root: PackageRoot): Promise<FlowBundle> {
  const esbuild = await import("esbuild");
  const sources = new Map<string, SourceModule>();
  const externals = new ExternalTable(root.folder);
  const result = await esbuild
    .build({
      absWorkingDir: root.folder,
      entryPoints: [entry],
      // Nothing is written here: the place decides that `sources` in the map are relative to the root.
      outfile: path.join(root.folder, BUNDLE_FILE),
      write: false,
      bundle: true,
      format: "esm",
      platform: "node",
      target: TARGET,
      keepNames: true,
      charset: "utf8",
      // A module imported for its side effects runs in Node whatever its package.json says about them.
      ignoreAnnotations: true,
      sourcemap: "linked",
      sourcesContent: true,
      metafile: true,
      logLevel: "silent",
      plugins: [sourceModulesPlugin(root.folder, sources), externalsPlugin(root.folder, externals)],
    })
    .catch((error: unknown) => {
      throw bundleError(entry, root.folder, error);
    });
  const text = (suffix: string) => result.outputFiles.find((file) => file.path.endsWith(suffix))?.text ?? "";
  const sorted = [...sources].sort(([, a], [, b]) => (a.path < b.path ? -1 : 1));
  const byPath = new Map(sorted.map(([, source]) => [source.path, source]));
  return {
    code: await withModuleVariables(withRequire(text(BUNDLE_FILE)), (file) => byPath.get(file)?.text),
    map: withOriginalSources(text(MAP_FILE), byPath),
    sources: new Map(sorted),
    imports: importsOf(result.metafile, root.folder),
    externals,
    manifest: {
      schema: 1,
      entry: rootRelative(root.folder, entry),
      sources: sorted.map(([, source]) => ({ path: source.path, digest: source.digest })),
      externals: externals.rows(),
      ...(root.lockfile === undefined
        ? {}
        : { lockfile: { path: rootRelative(root.folder, root.lockfile), digest: fileDigest(root.lockfile) ?? "" } }),
      builtWith: { millrace: coreVersion(), esbuild: esbuild.version, target: TARGET },
    },
  };
}

/** Whether a source imports core, and so may define flows. */
export function importsCore(imports: readonly SourceImport[] | undefined): boolean {
  return imports?.some((item) => isCoreSpecifier(item.specifier)) === true;
}

/**
 * Gives bundled CommonJS a `require` that knows the table of externals. The import is hoisted, so it may stand at the
 * end, where it moves no line. esbuild keeps the name `require` free in what it writes.
 */
function withRequire(code: string): string {
  if (!/^var __require = /m.test(code)) return code;
  const shim = `import { require } from ${JSON.stringify(LOCAL_MODULE)};\n`;
  const comment = code.lastIndexOf("//# sourceMappingURL=");
  return comment === -1 ? code + shim : code.slice(0, comment) + shim + code.slice(comment);
}

/**
 * The map with the sources as they were written, also where the bundler was given an `import.meta` of ours. Sources of
 * which no code is left (types, what only exports again, data) stand at its end, so that the package has them all.
 */
function withOriginalSources(map: string, modules: ReadonlyMap<string, SourceModule>): string {
  const content = JSON.parse(map) as { sources: string[]; sourcesContent: (string | null)[] };
  const textOf = (path: string): string | undefined => modules.get(path)?.text ?? modules.get(path)?.data;
  const mapped = new Set(content.sources);
  const others = [...modules.keys()].filter((path) => !mapped.has(path) && textOf(path) !== undefined);
  const sources = [...content.sources, ...others];
  const sourcesContent = sources.map((path, index) => textOf(path) ?? content.sourcesContent[index] ?? null);
  return `${JSON.stringify({ ...content, sources, sourcesContent })}\n`;
}

function importsOf(metafile: Metafile, root: string): ReadonlyMap<string, readonly SourceImport[]> {
  const external = new RegExp(`^${EXTERNAL_SCHEME}[^/]*/`);
  return new Map(
    Object.entries(metafile.inputs).map(([file, input]) => [
      path.resolve(root, file),
      input.imports
        .filter((item) => !item.path.startsWith("millrace-") && !item.path.startsWith("millrace:@"))
        .map((item) => ({
          specifier: item.external === true ? item.path.replace(external, "") : (item.original ?? item.path),
          file: item.external === true ? undefined : path.resolve(root, item.path),
        })),
    ]),
  );
}
