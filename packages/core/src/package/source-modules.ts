import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import type { Plugin } from "esbuild";
import { rootRelative } from "./package-root.ts";

/** Serves `import.meta` and `__dirname` of user modules; see `load-package.ts` for the other side. */
export const LOCAL_MODULE = "millrace:@local";
const META_SCHEME = "millrace-source:";
/** Eleven characters, as in `import.meta`: columns in the source map stay right without any correction. */
const META_NAME = "sourceMeta_";

/** A source file as the bundler saw it. */
export interface SourceModule {
  /** Relative to the root. */
  readonly path: string;
  readonly digest: string;
  /** The text, for modules; undefined for data files. */
  readonly text?: string;
}

const MODULE = /\.[cm]?[jt]sx?$/;

/**
 * Reads every source for the bundler, so that the digests are those of the very bytes that went in, and lets
 * `import.meta` in a module mean its source file.
 *
 * Within the bundle `import.meta` would be the bundle's. Each module that uses it gets, as a hoisted import at its end,
 * an object with the same members for its source path relative to the root; the loader turns that into this machine's
 * paths. Modules are only changed if the parser finds the expression: in strings and comments it stays.
 */
export function sourceModulesPlugin(root: string, sources: Map<string, SourceModule>): Plugin {
  return {
    name: "millrace-sources",
    setup(build) {
      build.onResolve({ filter: /^millrace-source:/ }, (args) => ({
        path: args.path.slice(META_SCHEME.length),
        namespace: "millrace-source",
      }));
      build.onLoad({ filter: /./, namespace: "millrace-source" }, (args) => ({
        contents: `import { sourceMeta } from ${JSON.stringify(LOCAL_MODULE)};\nexport const meta = sourceMeta(${JSON.stringify(args.path)});\n`,
        loader: "js",
      }));
      build.onResolve({ filter: /^millrace:@/ }, (args) => ({ path: args.path, external: true }));
      build.onLoad({ filter: /./, namespace: "file" }, async (args) => {
        const bytes = await fs.promises.readFile(args.path);
        const relative = rootRelative(root, args.path);
        const digest = createHash("sha256").update(bytes).digest("hex");
        if (!MODULE.test(args.path)) {
          sources.set(args.path, { path: relative, digest });
          return { contents: bytes, loader: "default" };
        }
        const text = bytes.toString("utf8");
        sources.set(args.path, { path: relative, digest, text });
        return { contents: await withSourceMeta(text, relative, args.path), loader: "default" };
      });
    },
  };
}

async function withSourceMeta(text: string, relative: string, file: string): Promise<string> {
  const usesMeta = text.includes("import.meta");
  const usesFolder = /\b__(?:dirname|filename)\b/.test(text);
  if (!usesMeta && !usesFolder) return text;
  const { parseSync, Visitor } = await import("oxc-parser");
  const parsed = parseSync(path.basename(file), text);
  if (parsed.errors.length > 0) return text; // esbuild reports the error, with its place.
  if (!parsed.module.hasModuleSyntax) {
    if (!usesFolder) return text;
    // CommonJS knows no imports, but `require` goes through the loader's table. On the first line, so that lines stay.
    return `var { filename: __filename, dirname: __dirname } = require(${JSON.stringify(LOCAL_MODULE)}).sourceMeta(${JSON.stringify(relative)}); ${text}`;
  }
  const places: { readonly start: number; readonly end: number }[] = [];
  new Visitor({
    MetaProperty(node) {
      if (node.meta.name === "import") places.push(node);
    },
  }).visit(parsed.program);
  if (places.length === 0) return text;
  const name = freeName(text);
  let result = text;
  for (const place of places.toReversed()) {
    result = result.slice(0, place.start) + name.padEnd(place.end - place.start) + result.slice(place.end);
  }
  return `${result}\nimport { meta as ${name} } from ${JSON.stringify(META_SCHEME + relative)};\n`;
}

/** A name of the length of `import.meta` that the module does not use. */
function freeName(text: string): string {
  for (let number = 0; ; number++) {
    const suffix = number === 0 ? "" : String(number);
    const name = META_NAME.slice(0, META_NAME.length - suffix.length) + suffix;
    if (!text.includes(name)) return name;
  }
}
