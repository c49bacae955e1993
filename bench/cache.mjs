import path from "node:path";
import { inFolder, median, root, runFlow } from "./kit.mjs";

const ROUNDS = 3;
const WIDTH = 1_000;

/** What the step cache costs and gives: a 1,000-wide foreach of no-ops without it, with nothing to take, and all taken. */
export function measureCache() {
  return inFolder(async (folder) => {
    const rounds = Array.from({ length: ROUNDS }, (_, round) => {
      const store = path.join(folder, `store-${round}`);
      return { without: rate(store, "--no-cache"), first: rate(store, "--cache"), again: rate(store, "--cache") };
    });
    const [without, first, again] = ["without", "first", "again"].map((kind) => median(rounds.map((one) => one[kind])));
    return [
      {
        what: "1,000-wide no-op foreach, offered to the step cache",
        value: `${(without / first).toFixed(2)} x`,
        goal: "<= 2 x without",
        isReached: without / first <= 2,
        detail: `${Math.round(first)} tasks/s; without ${Math.round(without)}`,
      },
      {
        what: "1,000-wide foreach, taken from the step cache",
        value: `${(without / again).toFixed(2)} x`,
        goal: "<= 2 x that of no-ops",
        isReached: without / again <= 2,
        detail: `${Math.round(again)} tasks/s: a task that takes longer than ${(1_000 / again).toFixed(2)} ms is worth it`,
      },
    ];
  });
}

/** Tasks a second, from the end of the split to the start of the join. */
function rate(store, ...words) {
  const events = runFlow(path.join(root, "bench/flows/wide.ts"), ["--width", String(WIDTH), ...words], store);
  const at = (kind, step) => events.find((event) => event.kind === kind && event.step === step).at;
  return WIDTH / ((at("task.started", "end") - at("task.succeeded", "start")) / 1_000);
}
