// How long a thread takes until it answers: one of Millrace's, and an empty one that imports the same entry.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { root } from "../kit/places.mjs";

const require = createRequire(path.join(root, "packages/core/package.json"));
const { Piscina } = require("piscina");
const entry = path.join(root, "packages/core/dist/worker.cjs");
const imported = pathToFileURL(path.join(root, "packages/core/dist/worker.js")).href;

/** As `runner/thread-executor.ts` opens one: a pool of one thread, and an empty message to begin with. */
export async function workerReadyMs() {
  const begin = performance.now();
  const pool = new Piscina({
    filename: entry,
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
    atomics: "disabled",
    recordTiming: false,
    resourceLimits: { maxYoungGenerationSizeMb: 48, maxOldGenerationSizeMb: 4_096 },
    workerData: workerData(),
  });
  await pool.run(undefined);
  const ms = performance.now() - begin;
  await pool.destroy();
  return ms;
}

/** @param {boolean} isImporting whether it imports what a worker does, or nothing at all */
export async function emptyWorkerMs(isImporting) {
  const begin = performance.now();
  const imports = isImporting ? `import(${JSON.stringify(imported)})` : "Promise.resolve()";
  const code = `${imports}.then(() => require("node:worker_threads").parentPort.postMessage(0));`;
  const thread = new Worker(code, { eval: true, workerData: workerData() });
  await new Promise((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
  });
  const ms = performance.now() - begin;
  await thread.terminate();
  return ms;
}

function workerData() {
  return { control: new SharedArrayBuffer(4), lastWords: new SharedArrayBuffer(1 << 16), data: {} };
}
