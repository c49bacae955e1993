import { hasDecorators, lowerOptions } from "./lower-decorators.ts";

/** The part of vite's plugin type that is used, so that vite's own types are not needed. */
export interface MillracePlugin {
  readonly name: string;
  readonly enforce: "pre";
  readonly transform: (
    code: string,
    id: string,
  ) => Promise<{ readonly code: string; readonly map: string } | undefined>;
}

/**
 * A vite and vitest plugin that lowers standard decorators, which vite leaves in the output.
 *
 * @example
 * ```ts
 * // vitest.config.ts
 * import millrace from "@millrace/core/vitest";
 * export default defineConfig({ plugins: [millrace()] });
 * ```
 */
export function millrace(): MillracePlugin {
  return {
    name: "millrace-decorators",
    enforce: "pre",
    async transform(code, id) {
      const file = id.replace(/[?#].*$/, "");
      if (!/\.[cm]?tsx?$/.test(file) || file.includes("/node_modules/") || !hasDecorators(code)) return undefined;
      const { transform } = await import("esbuild");
      const lowered = await transform(code, { ...lowerOptions(file), sourcemap: true });
      return { code: lowered.code, map: lowered.map };
    },
  };
}

export default millrace;
