import { fileURLToPath } from "node:url";
import type { Environment } from "../config/config.ts";
import type { Executor } from "../runner/executor.ts";
import { openPoolRouter } from "../runner/pool-router.ts";
import { threadHosts } from "../runner/thread-executor.ts";
import type { TaskWorkerData } from "./worker-data.ts";

export interface OpenExecutorOptions {
  readonly worker: TaskWorkerData;
  /** Workers of each kind at most. */
  readonly slots: number;
  /** Variables that workers find, beside those of their steps. */
  readonly environment: Environment;
}

/** Starts the workers of a run. */
export function openExecutor({ worker, slots, environment }: OpenExecutorOptions): Promise<Executor> {
  const data = { ...worker };
  return openPoolRouter({
    slots,
    open: (placement) => threadHosts({ file: entryFile("worker"), data, environment }, placement),
  });
}

/** Entries lie beside the chunk that this code was built into, or in the folder above it. */
function entryFile(name: string): string {
  return fileURLToPath(import.meta.resolve(`@millrace/core/${name}`));
}
