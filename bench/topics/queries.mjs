/** What is found in a store of 100,000 runs and 1,000,000 tasks, against the same in a small one. */
import path from "node:path";
import { runs } from "@millrace/core";
import { openStores } from "@millrace/core/internal";
import { atMost } from "../kit/goal.mjs";
import { copyNewestRun } from "../kit/many-runs.mjs";
import { benchFlow } from "../kit/places.mjs";
import { runCommand, runNode } from "../kit/processes.mjs";
import { ask } from "../kit/records.mjs";

const RUNS = 100_000;
/** With the split and the join, ten tasks a run. */
const WIDTH = 8;
const TAG = "prod:v1";
/** Enough that one lookup is more than the clock can tell. */
const LOOKUPS = 200;

export default function queriesTopic() {
  return [
    {
      what: "100,000 runs",
      repeats: 15,
      async open({ folder }) {
        const large = makeLarge(folder);
        const empty = path.join(folder, "empty");
        await (await openStores({ store: empty, cwd: folder, environment: process.env, create: true })).close();
        process.env.MILLRACE_STORE = large;
        return { large, empty, folder };
      },
      sides: {
        latest: async () => ({ ms: await lookupMs(() => runs("Wide").latest({ tags: [TAG] })) }),
        large: ({ large, folder }) => ({ ms: runCommand(["runs", "--store", large], { cwd: folder }).ms }),
        empty: ({ empty, folder }) => ({ ms: runCommand(["runs", "--store", empty], { cwd: folder }).ms }),
        node: () => ({ ms: runNode(["-e", "0"]).ms }),
      },
      rows: [
        {
          what: "newest successful run by tag, among 100,000 runs and 1,000,000 tasks",
          unit: "ms",
          goal: atMost(1),
          figure: (one) => one.latest.ms,
        },
        {
          what: "flow runs, first page of 100,000 runs / an empty store",
          unit: "x",
          goal: atMost(1.5),
          figure: (one) => one.large.ms / one.empty.ms,
          shown: ({ large, empty, node }) =>
            `${large.ms.toFixed(0)} ms, empty ${empty.ms.toFixed(0)} ms, bare node ${node.ms.toFixed(0)} ms`,
        },
      ],
    },
  ];
}

/** Half of the runs, then a real one with the tag, then the other half: failed ones that have the tag too, and others. */
function makeLarge(folder) {
  const store = path.join(folder, "large");
  const words = ["run", benchFlow("wide"), "--store", store, "--quiet", "--width", String(WIDTH)];
  runCommand(words, { cwd: folder });
  copyNewestRun(store, RUNS / 2 - 1);
  runCommand([...words, "--tag", TAG], { cwd: folder });
  copyNewestRun(store, RUNS / 4, { status: "failed", tag: TAG });
  copyNewestRun(store, RUNS / 4 - 1, { status: "succeeded" });
  const [runCount, taskCount] = ask(store, (db) =>
    ["run", "task"].map((table) => db.prepare(`SELECT count(*) FROM ${table}`).pluck().get()),
  );
  if (runCount !== RUNS || taskCount !== RUNS * (WIDTH + 2))
    throw new Error(`the store has ${runCount} runs and ${taskCount} tasks`);
  return store;
}

async function lookupMs(lookup) {
  const begin = performance.now();
  for (let done = 0; done < LOOKUPS; done++) await lookup();
  return (performance.now() - begin) / LOOKUPS;
}
