/**
 * Requires a library that was compiled by Emscripten without what it does to its surroundings: it would print two lines
 * about streaming compilation, which it tries and which does not work from a file, and it leaves behind a listener that
 * rethrows uncaught errors.
 *
 * It is required, not imported: what such a module exports is a promise, and tools that wrap imports (vitest does) take the
 * module itself for one.
 *
 * @param require made by `createRequire` in the file that needs the library
 */
export async function quietRequire<M>(require: NodeJS.Require, name: string): Promise<M> {
  const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly: object };
  const streaming = Object.getOwnPropertyDescriptor(wasm, "instantiateStreaming");
  const listeners = process.listeners("uncaughtException");
  if (streaming !== undefined) Object.defineProperty(wasm, "instantiateStreaming", { ...streaming, value: undefined });
  try {
    return await (require(name) as Promise<M>);
  } finally {
    if (streaming !== undefined) Object.defineProperty(wasm, "instantiateStreaming", streaming);
    for (const listener of process.listeners("uncaughtException")) {
      if (!listeners.includes(listener)) process.removeListener("uncaughtException", listener);
    }
  }
}
