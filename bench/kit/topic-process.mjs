// One topic in a process of its own, so that no topic meets the heap and the threads of another. Rows go to the parent.
import { runTrial } from "./trial.mjs";

const { topic, options } = JSON.parse(process.argv[2]);
const { default: open } = await import(`../topics/${topic}.mjs`);
for (const trial of await open(options)) {
  for (const result of await runTrial(trial, options)) process.send({ ...result, topic });
}
process.disconnect();
