import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { flowCommand, inFolder, median, root, timeProcess } from "./kit.mjs";

const ROUNDS = 5;

/** A 1,000-wide foreach of no-ops, all recorded with synchronous=FULL, against piscina's own no-op rate. */
export function measureForeach() {
  return inFolder(async (folder) => {
    const rates = [];
    const pools = [];
    for (let round = 0; round < ROUNDS; round++) {
      rates.push(foreachRate(1_000, path.join(folder, `store-${round}`)));
      pools.push(await poolRate(1_000));
    }
    const rate = median(rates);
    const pool = median(pools);
    return [
      {
        what: "1,000-wide no-op foreach, recorded",
        value: `${Math.round(rate)} tasks/s`,
        goal: ">= 5000 tasks/s",
        isReached: rate >= 5_000,
        detail: `best ${Math.round(Math.max(...rates))}; piscina alone ${Math.round(pool)} tasks/s: ${(rate / pool).toFixed(2)} x`,
      },
    ];
  });
}

/** From the commit of the split to the start of the join, as the store has recorded it. */
function foreachRate(width, store) {
  timeProcess(process.execPath, [
    flowCommand,
    "run",
    path.join(root, "bench/flows/wide.ts"),
    "--store",
    store,
    "--quiet",
    "--width",
    String(width),
  ]);
  const [split, join] = ["start", "end"].map((step) => recordOf(`Wide/1/${step}`, store));
  return width / ((Date.parse(join.startedAt) - Date.parse(split.finishedAt)) / 1_000);
}

function recordOf(task, store) {
  const { stdout } = spawnSync(process.execPath, [flowCommand, "show", task, "--store", store, "--json"], {
    encoding: "utf8",
  });
  return JSON.parse(stdout.split("\n")[0]);
}

async function poolRate(width) {
  const require = createRequire(path.join(root, "packages/core/package.json"));
  const { Piscina } = require("piscina");
  const threads = Math.max(2, os.availableParallelism());
  const pool = new Piscina({
    filename: path.join(root, "bench/no-op.cjs"),
    minThreads: threads,
    maxThreads: threads,
    atomics: "disabled",
  });
  await Promise.all(Array.from({ length: 200 }, () => pool.run(1)));
  const begin = performance.now();
  await Promise.all(Array.from({ length: width }, () => pool.run(1)));
  const rate = width / ((performance.now() - begin) / 1_000);
  await pool.destroy();
  return rate;
}
