import { createHash } from "node:crypto";
import fs from "node:fs";
import type { Plugin } from "esbuild";
import { localizeSource, SOURCE_SCHEME, sourceModuleText } from "./localize-source.ts";
import { rootRelative } from "./package-root.ts";

/** A source file as the bundler saw it. */
export interface SourceModule {
  /** Relative to the root. */
  readonly path: string;
  readonly digest: string;
  /** The text, for modules; undefined for data files. */
  readonly text?: string;
  /** The text, for data files whose bytes it gives back. */
  readonly data?: string;
}

const MODULE = /\.[cm]?[jt]sx?$/;

/**
 * Reads every source for the bundler, so that the digests are those of the very bytes that went in, and lets what a
 * module says of its own place mean its source file.
 */
export function sourceModulesPlugin(root: string, sources: Map<string, SourceModule>): Plugin {
  return {
    name: "millrace-sources",
    setup(build) {
      build.onResolve({ filter: /^millrace-source:/ }, (args) => ({
        path: args.path.slice(SOURCE_SCHEME.length),
        namespace: "millrace-source",
      }));
      build.onLoad({ filter: /./, namespace: "millrace-source" }, (args) => ({
        contents: sourceModuleText(args.path),
        loader: "js",
      }));
      build.onResolve({ filter: /^millrace:@/ }, (args) => ({ path: args.path, external: true }));
      build.onLoad({ filter: /./, namespace: "file" }, async (args) => {
        const bytes = await fs.promises.readFile(args.path);
        const relative = rootRelative(root, args.path);
        const digest = createHash("sha256").update(bytes).digest("hex");
        if (!MODULE.test(args.path)) {
          const data = bytes.toString("utf8");
          const isText = Buffer.from(data, "utf8").equals(bytes);
          sources.set(args.path, { path: relative, digest, ...(isText ? { data } : {}) });
          return { contents: bytes, loader: "default" };
        }
        const text = bytes.toString("utf8");
        sources.set(args.path, { path: relative, digest, text });
        return { contents: await localizeSource(text, relative), loader: "default" };
      });
    },
  };
}
