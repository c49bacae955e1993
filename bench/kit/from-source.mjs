/** A file of core by itself, for what no entry point shows; built as the packages are. */
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { root } from "./places.mjs";

/** @param {string} file below the sources of core */
export async function fromSource(file) {
  // Below the repository, so that what stays outside of the bundle is found.
  const folder = fs.mkdtempSync(path.join(root, "node_modules/.millrace-bench-"));
  try {
    const outfile = path.join(folder, "source.mjs");
    await build({
      entryPoints: [path.join(root, "packages/core/src", file)],
      outfile,
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node22",
      packages: "external",
      define: { __MILLRACE_VERSION__: '"0.0.0"' },
      logLevel: "warning",
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
