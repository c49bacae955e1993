/** What the process of a run takes while nothing happens, and when much has happened in it. */
import { atMost } from "../kit/goal.mjs";
import { benchFlow, benchProgram } from "../kit/places.mjs";
import { runCommandMeasured, runNode } from "../kit/processes.mjs";

const SLEEP_MS = 5_000;
const RUNS = 1_000;
const QUICK_RUNS = 100;

/** @param {{ isQuick: boolean }} options */
export default function processTopic({ isQuick }) {
  return [idle, memory(isQuick ? QUICK_RUNS : RUNS)];
}

const idle = {
  what: "CPU while a step waits",
  warmUps: 0,
  open: ({ folder }) => ({ words: (ms) => ["run", benchFlow("sleep"), "--quiet", "--ms", String(ms)], folder }),
  sides: {
    waiting: ({ words, folder }) => runSleep(words(SLEEP_MS), folder),
    none: ({ words, folder }) => runSleep(words(0), folder),
  },
  rows: [
    {
      what: "CPU of a run while its step waits",
      unit: "share",
      goal: atMost(0.01),
      figure: (one) => Math.max(0, one.waiting.cpuMs - one.none.cpuMs) / SLEEP_MS,
      shown: ({ waiting, none }) =>
        `${waiting.cpuMs.toFixed(0)} ms in all with ${SLEEP_MS / 1_000} s of waiting, ${none.cpuMs.toFixed(0)} ms without`,
    },
  ],
};

function runSleep(words, folder) {
  const { cpuMs } = runCommandMeasured([...words, "--store", "store"], { cwd: folder });
  return { cpuMs };
}

/** Runs of two steps, one after another; garbage is collected before each look. */
function memory(runs) {
  const what = `memory after ${runs.toLocaleString("en")} runs in one process / after a tenth of them`;
  return {
    what,
    repeats: 1,
    warmUps: 0,
    open: ({ folder }) => ({ folder }),
    sides: {
      millrace: ({ folder }) =>
        JSON.parse(
          runNode(["--expose-gc", benchProgram("many-runs.mjs"), String(runs), folder], { cwd: folder })
            .stdout.trim()
            .split("\n")
            .at(-1),
        ),
    },
    rows: [
      {
        what,
        unit: "x",
        goal: atMost(1.2),
        figure: (one) => one.millrace.lastRss / one.millrace.firstRss,
        shown: ({ millrace }) =>
          `${megabytes(millrace.lastRss)} MB after ${megabytes(millrace.firstRss)} MB; heap ${megabytes(millrace.lastHeap)} MB after ${megabytes(millrace.firstHeap)} MB; ${millrace.runMs.toFixed(0)} ms a run`,
      },
    ],
  };
}

function megabytes(bytes) {
  return (bytes / 1e6).toFixed(0);
}
