import { fileURLToPath } from "node:url";
import type { Environment } from "../config/config.ts";
import { sharedMemoryBytes } from "../config/shared-memory.ts";
import { threadCompileCache } from "../package/cache-folder.ts";
import { ArrayMemory } from "../runner/array-memory.ts";
import type { Executor } from "../runner/executor.ts";
import { openPoolRouter } from "../runner/pool-router.ts";
import { processHosts } from "../runner/process-executor.ts";
import { threadHosts } from "../runner/thread-executor.ts";
import type { StorageLine } from "./storage-thread.ts";
import type { TaskWorkerData } from "./worker-data.ts";

export interface OpenExecutorOptions {
  readonly worker: TaskWorkerData;
  /** Workers of each kind at most. */
  readonly slots: number;
  /** Variables that workers find, beside those of their steps. */
  readonly environment: Environment;
  /** Variables that they do not find, unless their step asks for them. */
  readonly hidden?: readonly string[];
  /** How many of those without a placement of their own start at once. */
  readonly eager: number;
}

/** Starts the workers of a run. */
export function openExecutor({
  worker,
  slots,
  environment: all,
  hidden = [],
  eager,
}: OpenExecutorOptions): Promise<Executor> {
  const environment = Object.fromEntries(Object.entries(all).filter(([name]) => !hidden.includes(name)));
  const arrays = new ArrayMemory(sharedMemoryBytes(all));
  const shared = { data: { ...worker }, environment, isOwnEnvironment: hidden.length > 0 || worker.isKept === true };
  return openPoolRouter({
    slots,
    eager,
    onRest: () => arrays.clear(),
    open: async (placement) => {
      if (placement?.isolate !== "process")
        return threadHosts(
          { file: entryFile("worker"), arrays, serveStorage, compileCache: threadCompileCache(), ...shared },
          placement,
        );
      const strayOutput = (text: string): void => void process.stderr.write(text);
      return processHosts({ file: entryFile("worker-process"), strayOutput, ...shared }, placement);
    },
  });
}

/** Of what it leads to, a run in a folder needs nothing. */
function serveStorage(line: unknown): void {
  void import("./storage-thread.ts").then((wiring) => wiring.connectStorage(line as StorageLine));
}

/** Entries lie beside the chunk that this code was built into, or in the folder above it. */
function entryFile(name: string): string {
  return fileURLToPath(import.meta.resolve(`@millrace/core/${name}`));
}
