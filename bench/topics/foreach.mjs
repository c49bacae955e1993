/** Wide foreach of steps that leave one artifact of 100 bytes each, all recorded, against piscina's own no-op rate. */
import path from "node:path";
import { atLeast } from "../kit/goal.mjs";
import { runHere, useStoreIn } from "../kit/in-process.mjs";
import { benchFlow, benchProgram } from "../kit/places.mjs";
import { runCommand, runNode } from "../kit/processes.mjs";
import { foreachRate } from "../kit/records.mjs";
import { openPool, poolRate } from "../kit/thread-pool.mjs";

const RATE = 15_000;

export default function foreachTopic() {
  return [inWarmProcess(1_000, 25), inWarmProcess(10_000, 8), asColdCommand(1_000), asColdCommand(10_000)];
}

/**
 * Runs one after another in one process; piscina, warm too, takes turns in the same process. V8 compiles what runs often, and goes
 * on to do so for some seconds, which are many runs of 1,000.
 */
function inWarmProcess(width, warmUps) {
  return {
    what: `${wide(width)}, warm process`,
    repeats: 15,
    warmUps,
    async open({ folder }) {
      const store = useStoreIn(folder);
      return { store, pools: await Promise.all(["disabled", "sync"].map((atomics) => openPool({ atomics }))) };
    },
    sides: {
      async millrace({ store }) {
        await runHere("wide", { params: { width } });
        return { rate: foreachRate(store, width) };
      },
      // With either setting of piscina, the faster of which is the floor.
      async piscina({ pools: [disabled, sync] }) {
        return { disabled: await poolRate(disabled, width), sync: await poolRate(sync, width) };
      },
    },
    close: ({ pools }) => Promise.all(pools.map((pool) => pool.destroy())),
    rows: rowsOf(`${wide(width)}, warm process`, ({ piscina }) => Math.max(piscina.disabled, piscina.sync)),
  };
}

/** The whole command in a new process with a new store. */
function asColdCommand(width) {
  return {
    what: `${wide(width)}, command`,
    warmUps: 1,
    open: ({ folder }) => ({ folder }),
    sides: {
      millrace({ folder }, round) {
        const store = path.join(folder, `store-${round}`);
        runCommand(["run", benchFlow("wide"), "--store", store, "--quiet", "--width", String(width)], { cwd: folder });
        return { rate: foreachRate(store, width) };
      },
      piscina: () => ({ rate: Number(runNode([benchProgram("pool-rate.mjs"), String(width)]).stdout) }),
    },
    rows: rowsOf(`${wide(width)}, cold command`, ({ piscina }) => piscina.rate),
  };
}

function rowsOf(what, floor) {
  const shown = (medians) =>
    `Millrace ${Math.round(medians.millrace.rate)}, piscina ${Math.round(floor(medians))} tasks/s`;
  return [
    { what: `${what} / piscina`, unit: "x", goal: atLeast(1), figure: (one) => one.millrace.rate / floor(one), shown },
    { what, unit: "tasks/s", goal: atLeast(RATE), figure: (one) => one.millrace.rate },
  ];
}

function wide(width) {
  return `foreach of ${width.toLocaleString("en")} no-ops`;
}
