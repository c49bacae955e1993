import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { SerializedError } from "../errors/flow-error.ts";
import { HEARTBEAT_INTERVAL_MS } from "../metadata/liveness.ts";
import type { RunSequence } from "../metadata/metadata-store.ts";

export interface HeartbeatOptions {
  readonly databaseFile: string;
  readonly run: RunSequence;
  readonly execution: number;
  /** Told once, when another execution has taken the run over, or the run was finished elsewhere. No beat follows. */
  readonly onFenced?: (error: SerializedError) => void;
  /** Milliseconds between beats. Default 5,000. */
  readonly intervalMs?: number;
  /** The beginning of the execution is its first beat, so that a short run needs no thread. Milliseconds, default 2,000. */
  readonly afterMs?: number;
}

export interface Heartbeat {
  /** Ends the beats; after it, the thread is gone and its connection closed. */
  stop(): Promise<void>;
}

/** What the thread of a heartbeat is started with. */
export interface HeartbeatData {
  readonly databaseFile: string;
  readonly run: RunSequence;
  readonly execution: number;
  readonly intervalMs: number;
}

export type HeartbeatMessage = { readonly kind: "fenced"; readonly error: SerializedError };

const AFTER_MS = 2_000;
/** A beat waits for a lock at most as long as the next one is away; what takes longer is ended with the thread. */
const STOP_LIMIT_MS = 1_000;

/**
 * Says in the store every few seconds that the runner of a run lives, from a thread with a connection of its own: neither
 * a blocked main thread nor a step that never returns keeps it from doing so. It never keeps the process alive.
 */
export function startHeartbeat(options: HeartbeatOptions): Heartbeat {
  let worker: Worker | undefined;
  const timer = setTimeout(() => {
    worker = startThread(options);
  }, options.afterMs ?? AFTER_MS).unref();
  return {
    async stop() {
      clearTimeout(timer);
      if (worker !== undefined) await stopThread(worker);
      worker = undefined;
    },
  };
}

function startThread(options: HeartbeatOptions): Worker {
  const { databaseFile, run, execution, intervalMs = HEARTBEAT_INTERVAL_MS } = options;
  const data: HeartbeatData = { databaseFile, run, execution, intervalMs };
  const worker = new Worker(heartbeatFile(), { workerData: data, execArgv: [], env: {} });
  worker.on("message", ({ error }: HeartbeatMessage) => options.onFenced?.(error));
  // A thread that cannot go on leaves the run to be judged by its process: on this machine that is as good.
  worker.on("error", () => {});
  worker.unref(); // Only now: a listener for messages keeps the process alive again.
  return worker;
}

async function stopThread(worker: Worker): Promise<void> {
  if (worker.threadId === -1) return; // It has ended.
  const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  worker.ref(); // The process waits for its end now.
  worker.postMessage("stop");
  const limit = setTimeout(() => void worker.terminate(), STOP_LIMIT_MS);
  await ended;
  clearTimeout(limit);
}

/** The thread's entry lies beside the chunk that this code was built into, or in the folder above it. */
function heartbeatFile(): string {
  return fileURLToPath(import.meta.resolve("@millrace/core/heartbeat"));
}
