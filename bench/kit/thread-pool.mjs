/** The floor of all that runs in threads: piscina with as many threads as Millrace has, one message a task. */
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { benchProgram, root } from "./places.mjs";

const require = createRequire(path.join(root, "packages/core/package.json"));
const WARM_UP = 1_000;

/** A pool that is ready and has run some tasks. */
export async function openPool({ atomics }) {
  const { Piscina } = require("piscina");
  const threads = Math.max(2, os.availableParallelism());
  const pool = new Piscina({ filename: benchProgram("no-op.cjs"), minThreads: threads, maxThreads: threads, atomics });
  await runAll(pool, WARM_UP);
  return pool;
}

/** Tasks a second of so many tasks that are all there at once. */
export async function poolRate(pool, count) {
  const begin = performance.now();
  await runAll(pool, count);
  return count / ((performance.now() - begin) / 1_000);
}

function runAll(pool, count) {
  return Promise.all(Array.from({ length: count }, () => pool.run(1)));
}
