// One trial in a process of its own, so that none meets the heap, the threads or the leftovers of another. Results go to the
// parent, with which it ends.
import { runTrial } from "./trial.mjs";

process.once("disconnect", () => process.exit());
const { topic, index, options } = JSON.parse(process.argv[2]);
const { default: open } = await import(`../topics/${topic}.mjs`);
const trials = open(options);
const isAsked = trials[index].what.includes(options.only ?? "");
const results = isAsked ? await runTrial(trials[index], options) : [];
process.send({ trials: trials.length, results }, () => process.disconnect());
