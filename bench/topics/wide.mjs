/** A foreach of 100,000: whether the rate holds to its end, and what it takes of memory. */
import fs from "node:fs";
import path from "node:path";
import { atLeast, atMost } from "../kit/goal.mjs";
import { benchFlow } from "../kit/places.mjs";
import { runCommandMeasured } from "../kit/processes.mjs";
import { ask, foreachRate } from "../kit/records.mjs";

const WIDTH = 100_000;
const PART = 10_000;

export default function wideTopic() {
  const what = `foreach of ${WIDTH.toLocaleString("en")} no-ops, command`;
  return [
    {
      what,
      warmUps: 0, // It takes many seconds, of which a warm-up would change none.
      open: ({ folder }) => ({ folder }),
      sides: {
        millrace({ folder }, round) {
          const store = path.join(folder, `store-${round}`);
          const words = ["run", benchFlow("wide"), "--store", store, "--quiet", "--width", String(WIDTH)];
          const { peakRssBytes } = runCommandMeasured(words, { cwd: folder });
          const figures = { rate: foreachRate(store, WIDTH), peakRssBytes, ...partsOf(store) };
          fs.rmSync(store, { recursive: true });
          return figures;
        },
      },
      rows: [
        { what, unit: "tasks/s", goal: atLeast(10_000), figure: (one) => one.millrace.rate },
        {
          what: `${what}: peak memory, threads included`,
          unit: "MB",
          goal: atMost(300e6),
          figure: (one) => one.millrace.peakRssBytes,
        },
        {
          what: `${what}: time of the last 10,000 / of the first`,
          unit: "x",
          goal: atMost(1.2),
          figure: (one) => one.millrace.lastMs / one.millrace.firstMs,
          shown: ({ millrace }) => `last ${millrace.lastMs.toFixed(0)} ms, first ${millrace.firstMs.toFixed(0)} ms`,
        },
      ],
    },
  ];
}

/** Milliseconds of the first and the last part, by when their tasks were recorded. */
function partsOf(store) {
  return ask(store, (db) => {
    const splitAt = db.prepare("SELECT finished_at FROM task WHERE step = 'start'").pluck().get();
    const ends = db.prepare("SELECT finished_at FROM task WHERE step = 'work' ORDER BY finished_at").pluck().all();
    return { firstMs: ends[PART - 1] - splitAt, lastMs: ends[WIDTH - 1] - ends[WIDTH - PART - 1] };
  });
}
