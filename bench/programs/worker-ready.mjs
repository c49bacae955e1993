// How long a thread takes until it answers: one of Millrace's, and an empty one that imports the same entry.
import path from "node:path";
import { pathToFileURL } from "node:url";
import { MessageChannel, Worker } from "node:worker_threads";
import { root } from "../kit/places.mjs";

const entry = path.join(root, "packages/core/dist/worker.cjs");
const imported = pathToFileURL(path.join(root, "packages/core/dist/worker.js")).href;

/** As `runner/thread-executor.ts` opens one; it answers its first message, which no flow is loaded for. */
export async function workerReadyMs() {
  const begin = performance.now();
  const { port1: own, port2: port } = new MessageChannel();
  const worker = new Worker(entry, {
    resourceLimits: { maxYoungGenerationSizeMb: 48, maxOldGenerationSizeMb: 4_096 },
    workerData: { ...workerData(), port },
    transferList: [port],
  });
  await new Promise((resolve, reject) => {
    own.once("message", resolve);
    worker.once("error", reject);
    own.postMessage({ tasks: [] });
  });
  const ms = performance.now() - begin;
  await worker.terminate();
  own.close();
  return ms;
}

/** @param {boolean} isImporting whether it imports what a worker does, or nothing at all */
export async function emptyWorkerMs(isImporting) {
  const begin = performance.now();
  const imports = isImporting ? `import(${JSON.stringify(imported)})` : "Promise.resolve()";
  const { port1: own, port2: port } = new MessageChannel();
  const code = `${imports}.then(() => require("node:worker_threads").parentPort.postMessage(0));`;
  const thread = new Worker(code, { eval: true, workerData: { ...workerData(), port }, transferList: [port] });
  await new Promise((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
  });
  const ms = performance.now() - begin;
  await thread.terminate();
  own.close();
  return ms;
}

function workerData() {
  return { control: new SharedArrayBuffer(4), lastWords: new SharedArrayBuffer(1 << 16), data: {} };
}
