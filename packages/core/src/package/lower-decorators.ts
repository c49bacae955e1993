import type { TransformOptions } from "esbuild";

/** Whether a source seems to use decorators: a line that begins with one. A false alarm only costs a transform. */
export function hasDecorators(text: string): boolean {
  return /^\s*(?:export\s+(?:default\s+)?)?@[\w(]/m.test(text);
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
