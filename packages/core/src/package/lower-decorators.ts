import type { TransformOptions } from "esbuild";

/**
 * Whether a source seems to use decorators: an `@` with a name behind it, not inside a name or a quoted package, and not
 * the tag that a comment begins with. A false alarm only costs a transform.
 */
export function hasDecorators(text: string): boolean {
  return /(?<![\w$"'`@.-])(?<!(?:\/\/|\/\*+|^\s*\*)\s*)@\s*[\p{ID_Start}$_(]/mu.test(text);
}

/**
 * How a single file is lowered, without its tsconfig: standard decorators and class fields, as flows need them. The
 * options are the loader's (`bundle-flow.ts`), so that a flow means the same in a test as in a run.
 */
export function lowerOptions(file: string): TransformOptions & { readonly sourcefile: string } {
  return {
    loader: file.endsWith("x") ? "tsx" : "ts",
    target: "node22",
    keepNames: true,
    charset: "utf8",
    sourcefile: file,
    sourcesContent: true,
    tsconfigRaw: { compilerOptions: { experimentalDecorators: false, useDefineForClassFields: true } },
  };
}
