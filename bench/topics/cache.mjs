/** What the step cache costs and gives: a foreach of no-ops without it, with nothing to take, and with all taken. */
import path from "node:path";
import { atMost } from "../kit/goal.mjs";
import { benchFlow } from "../kit/places.mjs";
import { runCommand } from "../kit/processes.mjs";
import { foreachRate } from "../kit/records.mjs";

const WIDTH = 1_000;

export default function cacheTopic() {
  return [
    {
      what: "the step cache",
      warmUps: 0, // The first round of a store is what is measured.
      open: ({ folder }) => ({ folder }),
      sides: {
        without: ({ folder }, round) => ({ rate: rate(folder, `without-${round}`, "--no-cache") }),
        with({ folder }, round) {
          const first = rate(folder, `with-${round}`, "--cache");
          return { first, again: rate(folder, `with-${round}`, "--cache") };
        },
      },
      rows: [
        cacheRow("offered to the step cache / without it", "first"),
        cacheRow("taken from the step cache / no-ops without it", "again"),
      ],
    },
  ];
}

function cacheRow(what, side) {
  return {
    what: `foreach of 1,000, ${what}`,
    unit: "x",
    goal: atMost(2),
    figure: (one) => one.without.rate / one.with[side],
    shown: ({ without, with: cached }) =>
      `${Math.round(cached[side])} tasks/s, without ${Math.round(without.rate)} tasks/s`,
  };
}

function rate(folder, store, ...words) {
  const place = path.join(folder, store);
  runCommand(["run", benchFlow("wide"), "--store", place, "--quiet", "--width", String(WIDTH), ...words], {
    cwd: folder,
  });
  return foreachRate(place, WIDTH);
}
