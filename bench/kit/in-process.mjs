/** Runs in the process of the topic, one after another, by the Node API: what a warm program sees. */
import fs from "node:fs";
import path from "node:path";
import { run } from "@millrace/core";
import { benchFlow } from "./places.mjs";

/**
 * Makes a store of the given folder the default one of this process; a process has one, so a topic takes turns.
 *
 * @returns {string} the store's folder
 */
export function useStoreIn(folder) {
  const store = path.join(folder, ".millrace");
  fs.mkdirSync(store, { recursive: true });
  process.env.MILLRACE_STORE = store;
  return store;
}

/** Runs a flow of the benchmarks to its end. */
export function runHere(flow, options = {}) {
  return run(benchFlow(flow), { reuseWorkers: true, ...options }).then((finished) => finished);
}
