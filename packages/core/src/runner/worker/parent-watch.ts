import { Worker } from "node:worker_threads";

/** How often a process looks whether the one that started it is still there. */
const LOOK_MS = 200;

/**
 * A thread of its own, because a step may keep the main thread in a loop for ever; and as small as one can be, because
 * every worker process has one. When the parent was killed, the system gives the process another parent.
 */
const PROGRAM = `
const { workerData } = require("node:worker_threads");
const word = new Int32Array(new SharedArrayBuffer(4));
while (process.ppid === workerData.parent) Atomics.wait(word, 0, 0, workerData.lookMs);
try { process.kill(-process.pid, "SIGKILL"); } catch {}
process.kill(process.pid, "SIGKILL");
`;

/** Ends this process, and its group, as soon as its parent is gone: no worker outlives a runner that was killed. */
export function watchParent(parent: number): void {
  const watch = new Worker(PROGRAM, {
    eval: true,
    env: {},
    workerData: { parent, lookMs: LOOK_MS },
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
  });
  watch.unref();
  watch.on("error", () => {}); // Without the watch the process still ends with its channel.
}
