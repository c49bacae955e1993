import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
export const flowCommand = path.join(root, "packages/cli/bin/flow.mjs");

/** A flow of the benchmarks, by the name of its file. */
export function benchFlow(name) {
  return path.join(root, "bench/flows", `${name}.ts`);
}

/** A program of the benchmarks, by the name of its file. */
export function benchProgram(name) {
  return path.join(root, "bench/programs", name);
}
