/** The floor of all that runs in threads: piscina with as many threads as Millrace has, one message a task. */
import os from "node:os";
import { Piscina } from "piscina";
import { benchProgram } from "./places.mjs";

const WARM_UP = 1_000;

/** A pool that is ready and has run some tasks. */
export async function openPool({ atomics }) {
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
