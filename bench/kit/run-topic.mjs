/** Runs the trials of a topic, each in a process of its own, and says what goes wrong with one of those. */
import { fork } from "node:child_process";
import path from "node:path";
import { root } from "./places.mjs";

/** What is shown of the words of a process that failed. */
const WORDS_KEPT = 2_000;

/**
 * @param {string} topic
 * @param {{ folder: string, isQuick: boolean, repeats?: number, only?: string }} options as of `runTrial`;
 *   `only`: trials whose name contains it
 * @param {(result: object) => void} onResult called for each row as it comes
 */
export async function runTopic(topic, options, onResult) {
  for (let index = 0, trials = 1; index < trials; index++) {
    const answer = await runInProcess(topic, index, options);
    trials = answer.trials ?? trials;
    for (const result of answer.results) onResult({ topic, ...result });
  }
}

function runInProcess(topic, index, options) {
  const child = fork(path.join(root, "bench/kit/topic-process.mjs"), [JSON.stringify({ topic, index, options })], {
    cwd: options.folder,
    env: benchEnvironment(options.folder),
    // Steps print to stdout: the table is the parent's alone.
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const end = () => child.kill("SIGKILL"); // Whoever is interrupted removes the folder, and this one writes into it.
  process.once("exit", end);
  let answer;
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    said = (said + text).slice(-WORDS_KEPT);
  });
  child.on("message", (message) => {
    answer = message;
  });
  return new Promise((resolve) => {
    child.on("close", (code, signal) => {
      process.off("exit", end);
      const note = `its process ended with ${signal ?? code}: ${said}`;
      resolve(answer ?? { results: [{ what: `${topic}, trial ${index + 1}`, verdict: "FAILED", note }] });
    });
  });
}

/** What the user has set for Millrace is not what is measured. */
function benchEnvironment(folder) {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("MILLRACE_"));
  return { ...Object.fromEntries(own), MILLRACE_BENCH_FOLDER: folder };
}
