/**
 * `node --import @millrace/core/register program.ts`: lets plain Node load TypeScript files with decorators.
 *
 * Node strips types but leaves decorators as they are, which is a syntax error. Files with decorators go through esbuild,
 * as in a code package; all others stay with Node, unless it cannot strip types (before 22.18).
 */
import fs from "node:fs";
import { createRequire, registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import { hasDecorators, lowerOptions } from "./lower-decorators.ts";

process.setSourceMapsEnabled(true);

registerHooks({
  load(url, context, nextLoad) {
    if (!/^file:.*\.[cm]?tsx?(?:[?#].*)?$/.test(url) || url.includes("/node_modules/")) return nextLoad(url, context);
    const file = fileURLToPath(url.replace(/[?#].*$/, ""));
    const text = fs.readFileSync(file, "utf8");
    if (process.features.typescript !== false && !file.endsWith("x") && !hasDecorators(text))
      return nextLoad(url, context);
    // Loaded with the first file that needs it: a program without decorators pays nothing.
    const esbuild = createRequire(import.meta.url)("esbuild") as typeof import("esbuild");
    const isCommonJs =
      file.endsWith(".cts") ||
      (context.format?.startsWith("commonjs") === true && !/^\s*(?:import|export)\b/m.test(text));
    const lowered = esbuild.transformSync(text, {
      ...lowerOptions(file),
      sourcemap: "inline",
      format: isCommonJs ? "cjs" : "esm",
    });
    return { format: isCommonJs ? "commonjs" : "module", source: lowered.code, shortCircuit: true };
  },
});
